"""A throw-away clone of the repository with a tiny study, made once and copied for each test."""

import io
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from neural_collapse.config.declarations import known_figures

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is there: two workers of a thread a core wait for each other's

ROOT = Path(__file__).parents[1]


def as_committed(file: str) -> io.BytesIO:
    """What git has of a file: whoever makes a study anew gets numbers of their own, of which our pages do not speak.

    In a copy without history, the file that is there.
    """
    shown = subprocess.run(["git", "show", f"HEAD:{file}"], cwd=ROOT, capture_output=True)
    return io.BytesIO(shown.stdout if shown.returncode == 0 else (ROOT / file).read_bytes())


def all_figures_but(*kept: str) -> str:
    """A study's list of the figures to leave out, as YAML, so that only those `kept` are drawn."""
    return f"[{', '.join(figure for figure in known_figures() if figure not in kept)}]"


TINY = f"""\
study: tiny
studies:
  tiny:
    measured_epochs: 2
    datasets:
      digits: {{train_per_class: 20}}
    networks:
      vgg11: {{width: 0.0625}}
      resnet18: {{width: 0.0625}}
    training: {{epochs: 2, batch_size: 50, learning_rate: 0.02, precision: float32}}
    runs:
      digits-vgg11-mse: {{}}
      digits-vgg11-ce: {{learning_rate: 0.02}}
      digits-resnet18-mse: {{}}
    attack: {{images: 4, iterations: 2}}
    leave_out: {all_figures_but("figure-02", "figure-07", "figure-10", "figure-portrait")}
    theory:
      small: {{classes: 3, examples_per_class: 4, features: 3, spectrum: [1, 2], horizon: 10}}
"""


class Repository:
    """A git repository with the workflow in it, and what a user does there; `variables` go to every command."""

    def __init__(self, path: Path, **variables: str):
        self.path = path
        self.variables = variables

    def run(self, *command: str, fails: bool = False, **variables: str) -> str:
        """Run a command as a user would; returns all it prints. `fails` says that it must."""
        environment = self.environment() | variables
        finished = subprocess.run(command, cwd=self.path, env=environment, text=True, capture_output=True)
        output = finished.stdout + finished.stderr
        assert (finished.returncode != 0) == fails, f"{' '.join(command)} exited with {finished.returncode}:\n{output}"
        return output

    def start(self, *command: str) -> subprocess.Popen:
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=self.environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SNAKEMAKE", "DVC", "GIT_"))}
        for name in ("PYTHONPATH", "OMP_NUM_THREADS"):
            kept.pop(name, None)
        identity = {
            f"GIT_{who}_{what}": "tester@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {**kept, **identity, "PATH": path, "GIT_CONFIG_GLOBAL": os.devnull, **self.variables}

    def plan(self, *targets: str) -> dict[str, int]:
        """How many jobs of each rule Snakemake would run; empty where there is nothing to be done."""
        output = self.run("snakemake", "-n", *targets)
        if "Nothing to be done" in output:
            return {}
        table = output.split("Job stats:\n")[-1].split("\n\n")[0].splitlines()[2:]
        jobs = {name: int(count) for name, count in (line.split() for line in table)}
        return {name: count for name, count in jobs.items() if name not in ("total", "all", "train", "figures")}

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.path / file).read_text()
        assert re.search(old, text), f"{file} has no {old!r}"
        (self.path / file).write_text(re.sub(old, new, text, count=1))

    def state_of(self, folder: str = "results") -> dict[str, tuple[int, bytes]]:
        """The time and content of every file below a folder."""
        files = sorted(path for path in (self.path / folder).rglob("*") if path.is_file())
        return {str(path.relative_to(self.path)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)


def jobs_in(folder, step="train"):
    """The processes in a folder that do a step."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        if process.info["cwd"] == str(folder) and "run_step" in command and step in command:
            found.append(process)
    return found


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def throw_away(path: Path, config: str) -> Repository:
    """A repository with the files that are here, but for the results, and another configuration."""
    repository = Repository(path)
    listed = ["git", "ls-files", "-co", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, text=True, capture_output=True, check=True).stdout.splitlines():
        if not name.startswith("results/") and Path(name).name != "dvc.lock" and (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    (path / "config.yaml").write_text(config)
    repository.edit("workflow/dvc.yaml", '"\\$\\{study\\}", .*\\]', '"${study}"]')  # no study was committed yet
    return repository


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Repository:
    """The repository as committed, with the tiny study and no results."""
    repository = throw_away(tmp_path_factory.mktemp("fresh") / "repository", TINY)
    repository.run("git", "init", "-q", "-b", "main")
    repository.commit("The workflow")
    return repository


@pytest.fixture(scope="session")
def completed(fresh, tmp_path_factory) -> Repository:
    """The tiny study made by Snakemake, taken over by DVC and committed; never to be changed."""
    repository = Repository(tmp_path_factory.mktemp("completed") / "repository")
    shutil.copytree(fresh.path, repository.path, symlinks=True)
    repository.run("snakemake", "--cores", "2")
    repository.run("dvc", "repro")
    repository.commit("The results")
    return repository


@pytest.fixture
def study(completed, tmp_path) -> Repository:
    """A copy of the completed study, for one test to change: times, caches and all."""
    repository = Repository(tmp_path / "repository")
    shutil.copytree(completed.path, repository.path, symlinks=True)
    return repository


@pytest.fixture
def clone(completed, tmp_path) -> Repository:
    """A fresh clone of the completed study, with nothing but what git holds."""
    repository = Repository(tmp_path / "clone")
    completed.run("git", "clone", "-q", ".", str(repository.path))
    return repository
