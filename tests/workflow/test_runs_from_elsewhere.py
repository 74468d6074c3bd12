"""A run that was made without Snakemake joins a study by its receipts and a touch, and by nothing less."""

import json
import os
import shlex
import shutil
import sys

import pytest
from conftest import Repository

pytestmark = pytest.mark.xdist_group("workflow")

RUN = "digits-vgg11-mse-seed0"
SUMMARY = f"results/tiny/summary/{RUN}.json"
BROUGHT = ("results/tiny", ".snakemake/receipts", ".snakemake/told")
SCRIPT = (sys.executable, "benchmarks/paper_protocol.py", "digits-vgg11-mse", "--study", "tiny")
TOUCH = ("snakemake", "--touch", "--cores", "1", SUMMARY, "--config", "accept=made elsewhere")


@pytest.fixture(scope="module")
def elsewhere(fresh, tmp_path_factory):
    """A clone, on a machine without Snakemake, in which one run was made."""
    folder = tmp_path_factory.mktemp("elsewhere")
    repository = Repository(folder / "repository")
    shutil.copytree(fresh.path, repository.path)
    (folder / "none/snakemake").mkdir(parents=True)
    (folder / "none/snakemake/__init__.py").write_text("raise ImportError")
    repository.run(*SCRIPT, PYTHONPATH=os.pathsep.join([str(folder / "none"), "workflow", "workflow/rules"]))
    return repository


@pytest.fixture
def here(fresh, elsewhere, tmp_path):
    """A clone with nothing made, to which the run was brought."""
    repository = Repository(tmp_path / "repository", PYTHONPATH=os.pathsep.join(["workflow", "workflow/rules"]))
    shutil.copytree(fresh.path, repository.path)
    for folder in BROUGHT:
        shutil.copytree(elsewhere.path / folder, repository.path / folder)
    return repository


def test_a_run_joins_by_receipts_and_a_touch_here_and_in_clones(here, tmp_path):
    assert len(here.plan(SUMMARY)) == 6, "no record speaks of its files"
    assert here.run(*SCRIPT, "--check").count("as it would be made here") == 6
    here.run(*TOUCH)
    assert here.plan(SUMMARY) == {}
    assert here.plan()["train_network"] == 2, "the others of the study"
    recorded = {}
    for layer in ("data", "train", "features", "metrics"):
        for job in json.loads((here.path / f"results/tiny/provenance/{layer}.json").read_text())["jobs"]:
            step = words_of(job["record"]["shellcmd"])
            recorded[step[0]] = sorted(step)
            assert job["ran_with"]["device"] == "cpu"
    told = json.loads((here.path / f".snakemake/told/tiny/{RUN}.json").read_text())
    assert recorded == {step: sorted(words[words.index(step) :]) for step, words in told.items()}
    here.commit("A run from elsewhere")
    clone = Repository(tmp_path / "clone")
    here.run("git", "clone", "-q", ".", str(clone.path))
    assert clone.plan(SUMMARY) == {}


def words_of(command):
    """The step that a rule's command runs, and its flags, but for those of this process."""
    words = shlex.split(command.partition(" -- ")[2].partition(">")[0].replace("; }", ""))
    if "--stop-with-parent" in words:
        place = words.index("--stop-with-parent")
        del words[place : place + 2]
    return words


def test_without_receipts_a_touch_makes_nothing_current(here):
    shutil.rmtree(here.path / ".snakemake/receipts")
    here.run(*TOUCH)
    assert len(here.plan(SUMMARY)) == 6


def test_other_code_is_seen_before_the_touch(here):
    here.edit("workflow/neural_collapse/metrics/adversarial.py", "_DDN_RATE = 0.05", "_DDN_RATE = 0.06")
    printed = here.run(*SCRIPT, "--check", fails=True)
    assert "attack: it was made by other code" in printed
    assert printed.count("as it would be made here") == 5
