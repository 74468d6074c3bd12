"""Another version of a package makes stale what it decides, for `snakemake` and for a clone with other line endings."""

import re

import pytest

pytestmark = pytest.mark.xdist_group("workflow")


def pin(study, package, version):
    for file in study.path.glob("envs/*.yaml"):
        file.write_text(re.sub(rf"({package} )\S+", rf"\1={version}", file.read_text()))


def test_pins_make_stale_what_they_decide(study):
    for package in ("tqdm", "safetensors", "pillow", "torchvision", "python"):
        pin(study, package, "9.0")
    assert study.plan() == {}
    pin(study, "matplotlib-base", "9.0")
    assert study.plan() == {"figure": 4}
    pin(study, "pytorch", "9.0")
    planned = study.plan()
    assert planned["train_network"] == planned["extract_features"] == planned["attack"] == 3
    assert "simulate_central_path" not in planned and "prepare_dataset" not in planned


def test_a_clone_with_other_line_endings_is_current(completed, clone, tmp_path):
    other = type(clone)(tmp_path / "other")
    completed.run("git", "clone", "-q", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", ".", str(other.path))
    assert b"\r" not in (other.path / "config.yaml").read_bytes()
    assert other.plan() == clone.plan()
