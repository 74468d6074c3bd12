"""`snakemake --use-conda`: environments are made of envs/*.yaml, each job runs in its own, and nothing else changes.

Uses the machine's own conda where there is one, and otherwise stand_in.py, which is not conda: see there.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import stand_in
from conftest import ROOT, all_figures_but, throw_away
from packaging.version import Version

OLDEST_CONDA = Version("24.7.1")  # what Snakemake 9.27 asks for

pytestmark = pytest.mark.xdist_group("workflow")

CONFIG = f"""
study: tiny
studies:
  tiny:
    measured_epochs: 2
    datasets: {{digits: {{train_per_class: 10}}}}
    networks: {{vgg11: {{width: 0.0625}}}}
    training: {{epochs: 2, batch_size: 20, learning_rate: 0.01}}
    runs: {{digits-vgg11-mse: {{}}}}
    attack: {{images: 2, iterations: 1}}
    theory: {{small: {{classes: 3, examples_per_class: 10, features: 4, spectrum: [1, 2], horizon: 1}}}}
    leave_out: {all_figures_but("figure-02")}
"""

# Python imports this at its start, from PYTHONPATH: each job's log begins with the environment it ran in.
SITECUSTOMIZE = "import sys\nprint(sys.prefix, file=sys.stderr)\n"


def has_conda() -> bool:
    if shutil.which("conda") is None:
        return False
    answer = subprocess.run(["conda", "--version"], capture_output=True, text=True, check=True).stdout
    return Version(answer.split()[1]) >= OLDEST_CONDA


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A tiny study in a shell with an active conda and, before that in PATH, the tests' own environment."""
    folder = tmp_path_factory.mktemp("conda")
    study = throw_away(folder / "repository", CONFIG)
    (study.path / "workflow" / "sitecustomize.py").write_text(SITECUSTOMIZE)
    if not has_conda():
        stand_in.install_stand_in(folder / "base")
        stand_in.build_channel(folder / "channels" / "conda-forge", [*ROOT.glob("envs/*.yaml")])
        study.variables = {
            "PATH": os.pathsep.join([os.path.dirname(sys.executable), str(folder / "base/bin"), os.environ["PATH"]]),
            "CONDA_PREFIX": str(folder / "base"),
            "CONDA_CHANNEL_ALIAS": (folder / "channels").as_uri(),
        }
    return study


@pytest.fixture(scope="module")
def done(study):
    """The tiny study after `snakemake --cores 2 --use-conda`; gives what that printed."""
    return study.run("snakemake", "--cores", "2", "--use-conda")


def environments(copy: Path) -> dict[str, str]:
    """The folder of each environment that Snakemake made, by the file it was made of."""
    made = {file.read_text(): file.with_suffix("") for file in (copy / ".snakemake" / "conda").glob("*.yaml")}
    return {made[file.read_text()]: file.stem for file in (copy / "envs").glob("*.yaml")}


def ran_in(copy: Path, log: str) -> str:
    """The environment a job ran in, as the first line of its log tells; a folder where it is none of the workflow's."""
    prefix = Path((copy / "logs" / "tiny" / log).read_text().split("\n")[0])
    return environments(copy).get(prefix, str(prefix))


def test_each_environment_is_made_of_what_its_file_names(study, done):
    assert done.count("Environment for") == len(environments(study.path)) == 2
    for prefix, name in environments(study.path).items():
        installed = {
            path.name.rsplit("-", 2)[0]: path.name.rsplit("-", 2)[1] for path in prefix.glob("conda-meta/*.json")
        }
        wanted = dict(re.findall(r"^  - (\S+) =([0-9.]+)$", (study.path / "envs" / f"{name}.yaml").read_text(), re.M))
        assert len(wanted) > 5 and wanted.items() <= installed.items()


def test_every_job_runs_in_the_environment_of_its_rule(study, done):
    logs = sorted(
        path.relative_to(study.path / "logs" / "tiny").as_posix() for path in study.path.glob("logs/tiny/**/*.log")
    )
    needs_a_network = ("data/", "train/", "features/", "robustness/")
    assert len(logs) == done.count("Activating conda environment")
    for log in logs:
        assert ran_in(study.path, log) == ("training" if log.startswith(needs_a_network) else "analysis"), log


def test_without_conda_nothing_is_stale_after_it_and_the_reverse(study, done):
    assert "Nothing to be done" in study.run("snakemake", "--dry-run")
    (study.path / "results" / "tiny" / "metrics.csv").unlink()
    study.run("snakemake", "--cores", "1")
    assert ran_in(study.path, "collect.log") == sys.prefix
    assert "Nothing to be done" in study.run("snakemake", "--dry-run", "--use-conda")


def test_a_profile_switches_conda_on_for_dvc(study, done):
    study.run("git", "init", "--quiet")
    drawn = study.path / "results" / "tiny" / "figures" / "figure-02.png"
    before = drawn.read_bytes()
    drawn.unlink()
    printed = study.run(
        "dvc", "repro", "--single-item", "workflow/dvc.yaml:figures@tiny", SNAKEMAKE_PROFILE="profiles/conda"
    )
    assert re.findall(r"^\[\d+/\d+\] (.+): \d+ s", printed, re.M) == [
        "Draw figure-02",
        "The layer figures is complete",
    ], printed
    assert ran_in(study.path, "figures/figure-02.log") == "analysis"
    assert drawn.read_bytes() == before


def test_a_pin_that_does_not_exist_fails_with_the_solvers_words(study, done):
    file = study.path / "envs" / "analysis.yaml"
    file.write_text(re.sub("numpy =.*", "numpy =0.0.1", file.read_text()))
    printed = study.run("snakemake", "--cores", "1", "--use-conda", fails=True)
    assert "Could not create conda environment" in printed
    assert re.search(r"numpy.{0,3}0\.0\.1", printed), printed
