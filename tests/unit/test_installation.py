"""What `pip install .` gives: the library and its command, without the workflow, and torch only where it is needed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from cases import CASES

import neural_collapse

ROOT = Path(__file__).parents[2]
ABSENT = ("torch", "torchvision", "snakemake", "dvc", "matplotlib", "sklearn")

# Python imports this module, where it finds one, before anything else.
WITHOUT = f"""\
import sys
sys.modules |= dict.fromkeys({ABSENT!r})
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder that holds what the wheel installs, and in which what is an extra can't be imported."""
    folder = tmp_path_factory.mktemp("installation")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "workflow", source / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "install", *options, "--no-compile", "--target"]
    subprocess.run([*pip, str(folder / "site"), str(source)], check=True)
    (folder / "site" / "sitecustomize.py").write_text(WITHOUT)
    return folder / "site"


def run(installed: Path, *command: str, status: int = 0) -> str:
    """Run a command beside nothing but the installation and the packages of this Python."""
    environment = {"PYTHONPATH": str(installed), "PATH": str(installed / "bin"), "PYTHONDONTWRITEBYTECODE": "1"}
    finished = subprocess.run(command, cwd=installed.parent, env=environment, text=True, capture_output=True)
    assert finished.returncode == status, finished.stderr
    return finished.stdout + finished.stderr


def test_the_library_is_installed_without_the_workflow(installed):
    code = "import neural_collapse; print(neural_collapse.__file__, neural_collapse.collapse_measures.__name__)"
    file, name = run(installed, sys.executable, "-c", code).split()
    assert Path(file).is_relative_to(installed) and name == "collapse_measures"
    packages = {path.name for path in installed.iterdir() if path.is_dir()} - {"bin"}
    assert packages == {"neural_collapse", f"neural_collapse-{neural_collapse.__version__}.dist-info"}


def test_the_command_measures_anyones_features(installed):
    case = CASES["imbalanced"]
    arrays = {"features": case.features, "labels": case.labels, "weight": case.weight, "bias": case.bias}
    np.savez(installed.parent / "features.npz", **arrays)
    printed = dict(line.split() for line in run(installed, "neural-collapse", "measure", "features.npz").splitlines())
    assert float(printed["nc1"]) == pytest.approx(neural_collapse.collapse_measures(**arrays)["nc1"], rel=1e-6)


def test_a_configuration_is_checked_by_the_schema_that_is_installed(installed):
    (installed.parent / "config.yaml").write_text("study: [1]\nstudies: {}\n")
    code = "from neural_collapse.config.checks import checked, read_config; checked(read_config('config.yaml'))"
    assert "InputError: config.yaml: " in run(installed, sys.executable, "-c", code, status=1)


def test_a_step_whose_packages_are_not_installed_says_so_in_one_sentence(installed):
    output = run(installed, "neural-collapse", "train", "--help", status=1)
    assert re.fullmatch(r"error: this step needs torch, which is not installed; .*\[torch,figures\].*\n", output)


def test_the_version_is_that_of_the_citation_and_of_the_last_entry_among_the_changes():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == neural_collapse.__version__
    changes = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert changes[0] == neural_collapse.__version__
