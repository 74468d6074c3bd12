"""One run of a study on any machine with torch and this library, without Snakemake; its files join the study.

    PYTHONPATH=workflow:workflow/rules python benchmarks/paper_protocol.py mnist-vgg11-mse
        [--seed 0] [--study paper] [--config config.yaml] [--check]

Called in a clone of the repository. Prepares the images, trains, extracts, measures, attacks and sums up, each step as
the rule of that name runs it, and writes what the rules write, where they write it: results/<study>/... and
logs/<study>/.... A training that is stopped goes on at its last epoch when the command is repeated, and what was made
by the present code, settings and packages is not made again. It computes on a GPU where torch finds one, else on the
CPU, which is enough for a small study. Where a sweep chooses the learning rate, its choice (results/<study>/sweep/) has
to be there.

How such files join a study. The workflow makes everything again of which no record speaks, and `--touch ... accept=WHY`
alone does not change that: accepting renews a record and makes none. What makes one is the *receipt* of a job in
.snakemake/receipts (the checksums of what it read and made, the versions and the device it ran with), once Snakemake's
own record is beside it, which `--touch` writes. So bring both to a clone of the same commit, look, and touch what was
brought and nothing else; without the touch the next run trains anew and withdraws the receipts:

    tar c --exclude provenance results/paper .snakemake/receipts .snakemake/told | ssh HOST tar x -C CLONE
    PYTHONPATH=workflow:workflow/rules python benchmarks/paper_protocol.py mnist-vgg11-mse --check
    snakemake --touch --cores 1 results/paper/summary/mnist-vgg11-mse-seed0.json \\
        --config study=paper accept='made by paper_protocol.py on another machine'

From then on the run is the study's: `snakemake -n` has nothing to do for it, its entries in results/paper/provenance
name the versions and the device that made it, and a clone believes them. (The reason is asked for, but stays only in
entries that were there before.) `--check` compares what each step was told, and by which code, with what the rules
would tell it in this clone, and exits with 1 where they differ: `--touch` takes the present ones for what made it.

Ran so far on a CPU alone, for the small studies of tests/unit/test_paper_protocol.py and, with the steps above,
tests/workflow/test_runs_from_elsewhere.py.
"""

import argparse
import itertools
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import receipts
from contents import checksum
from environments import pins
from fingerprint import fingerprint

from neural_collapse.config.checks import read_config, unknown
from neural_collapse.config.declarations import building_module
from neural_collapse.config.runs import load_study
from neural_collapse.config.study import Run, Study
from neural_collapse.data.preparation import content_digest
from neural_collapse.errors import InputError
from neural_collapse.storage import read_json, write_json

WORKFLOW = Path(__file__).resolve().parents[1] / "workflow"


@dataclass(frozen=True)
class Job:
    """What one rule does of one run: `modules` are those of its code, `step` is the command of the library."""

    log: str
    modules: list[str]
    reads: list[str]
    makes: list[str]
    step: list[str]
    own_data: str = ""

    @property
    def name(self) -> str:
        return self.step[0]

    def told(self) -> list[str]:
        """All that decides what it makes, but the contents of what it reads; the code first."""
        return [fingerprint(*self.modules), *pins(*self.modules), self.own_data, *self.step]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", help="{dataset}-{network}-{loss}, as the study lists it")
    parser.add_argument("--seed", type=int, help="one of its seeds (default: the first)")
    parser.add_argument("--study", default="paper", help="default: %(default)s")
    parser.add_argument("--config", type=Path, default="config.yaml", help="default: %(default)s")
    parser.add_argument("--check", action="store_true", help="only say what is as it would be made here")
    options = parser.parse_args()
    try:
        config = read_config(options.config)
        study = load_study(config, options.study)
        run = named_run(study, options.run, options.seed)
        os.environ["NEURAL_COLLAPSE_DATA"] = str(config.get("data_root", "datasets"))
        jobs = list(jobs_of(study, run))
        if options.check:
            return check(study, run, jobs)
        for job in jobs:
            make(study, run, job)
        shutil.rmtree(f"results/{study.name}/resume/{run}", ignore_errors=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; repeat the command to go on.", file=sys.stderr)
        return 130
    return 0


def named_run(study: Study, pair: str, seed: int | None) -> Run:
    runs = {run.seed: run for run in study.runs if run.pair == pair}
    if not runs:
        known = dict.fromkeys(run.pair for run in study.runs)
        raise InputError(f"study {study.name}: {unknown('run', pair, known)}")
    seed = min(runs) if seed is None else seed
    if seed not in runs:
        raise InputError(f"--seed: {pair} has the seeds {', '.join(map(str, runs))} in study {study.name}, not {seed}.")
    return runs[seed]


def jobs_of(study: Study, run: Run) -> Iterator[Job]:
    """The jobs of a run in their order, each with the flags, inputs and outputs of its rule (workflow/rules)."""
    results, logs = f"results/{study.name}", f"logs/{study.name}"
    card, data = f"{results}/datasets/{run.data}.json", f"{results}/data/{run.data}.safetensors"
    origin = f"{results}/datasets/{run.data}.origin.json"
    folder, features = f"{results}/checkpoints/{run}", f"{results}/features/{run}.safetensors"
    checkpoints = [f"{folder}/{place:02d}.safetensors" for place in range(study.measured_epochs)]
    metrics, robustness = f"{results}/metrics/{run}.csv", f"{results}/robustness/{run}.csv"
    summary = f"{results}/summary/{run}.json"
    network, loss = f"train.networks.{building_module(run.architecture)}", f"train.losses.{run.loss}"
    identity = {name: getattr(run, name) for name in ("dataset", "network", "loss", "variant", "seed")}
    threads = {"threads": run.settings["threads"]}

    source = study.datasets[run.data]
    yield Job(
        f"{logs}/data/{run.data}.log",
        ["steps.prepare_dataset", f"data.sources.{source['source']}"],
        [],
        [data, card, origin],
        ["prepare-dataset", *flags({"name": run.dataset, **source, "output": data, "card": card, "origin": origin})],
        content_digest(source["path"]) if source["path"] else "",
    )

    settings = {"network": run.architecture, "network_options": run.network_options, "loss": run.loss, "seed": run.seed}
    settings |= run.settings
    choice = f"{results}/sweep/{run.pair}.json" if settings["learning_rate"] == "sweep" else None
    if choice and not Path(choice).exists():
        raise InputError(
            f"{run.pair}: its learning rate is that of a sweep, and {choice} is not here; bring that file, or name a "
            "run with a learning rate of its own."
        )
    if choice:
        settings |= {"learning_rate": None, "learning_rate_from": choice}
    weights = Path(run.network_options.get("weights", "")).expanduser()
    kept = {"checkpoints": folder, "history": f"{folder}/history.csv", "measured_epochs": study.measured_epochs}
    modules = ["steps.train", network, loss]
    version = " ".join([fingerprint(*modules), *modules])
    if weights.is_file():
        version += f"weights-{content_digest(weights)}"
    yield Job(
        f"{logs}/train/{run}.log",
        modules,
        [card, *([choice] if choice else [])],
        [*checkpoints, f"{folder}/history.csv"],
        [
            *("train", "--data", data),
            *flags(settings | kept | {"resume": f"{results}/resume/{run}", "code_version": version}),
        ],
    )
    batches = run.settings["batch_size"] if run.loss == "mse" else None
    of_training = {"loss": run.loss, "loss_options": run.settings["loss_options"], "seed": run.seed}
    yield Job(
        f"{logs}/features/{run}.log",
        ["steps.extract_features", network, loss],
        [card, *checkpoints],
        [features],
        [
            *("extract-features", "--data", data, "--checkpoints", *checkpoints),
            *flags(of_training | threads | {"batch_statistics": batches}),
            *(["--layers"] if study.layers else []),
            *("--output", features),
        ],
    )
    yield Job(
        f"{logs}/metrics/{run}.log",
        ["steps.measure_run"],
        [features],
        [metrics],
        [
            *("measure-run", features),
            *flags(identity | {"weight_decay": run.settings["weight_decay"], "output": metrics}),
        ],
    )
    yield Job(
        f"{logs}/robustness/{run}.log",
        ["steps.attack", network],
        [card, *checkpoints],
        [robustness],
        [
            *("attack", "--data", data, "--checkpoints", *checkpoints),
            *flags(identity | study.attack | threads | {"output": robustness}),
        ],
    )
    yield Job(
        f"{logs}/summary/{run}.log",
        ["steps.summarise"],
        [metrics, robustness],
        [summary],
        ["summarise", metrics, robustness, "--output", summary],
    )


def flags(settings: dict[str, Any]) -> list[str]:
    """Settings as the rules write them: `{"batch_size": 64}` is `--batch-size 64`; nothing for None, [] or {}."""
    words: list[str] = []
    for name, value in settings.items():
        if isinstance(value, dict):
            value = [f"{key}={item}" for key, item in value.items()]
        if value is not None and value != []:
            values = value if isinstance(value, (list, tuple)) else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return words


def make(study: Study, run: Run, job: Job) -> None:
    """Do a job, unless the present code and settings have done it, or the study's records speak of it already."""
    if difference(study, run, job) is None:
        print(f"{job.name}: is made", flush=True)
        return
    if is_recorded(study, job):
        print(f"{job.name}: is in the study's records; whether it is current, Snakemake says", flush=True)
        if job.name == "prepare-dataset" and not Path(job.makes[0]).exists():
            make_images_again(job)
        return
    step, own = list(job.step), ["--reads", *job.reads, "--makes", *job.makes]
    if job.name in ("train", "extract-features", "attack"):
        step += ["--stop-with-parent", str(os.getpid())]
    for path in job.log, *job.makes:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    print(f"{job.name}: {job.log}", flush=True)
    told = job.told()
    with open(job.log, "a") as log:
        done = python("run_step", "--code", told[0], *job.modules, *own, "--", *step, stdout=log, stderr=log)
    if done.returncode:
        last = Path(job.log).read_text(errors="replace").strip().rpartition("\n")[2].removeprefix("error: ")
        raise InputError(f"{job.name} failed; {job.log} ends: {last or 'it is empty'}")
    write_json(told_file(study, run), told_before(study, run) | {job.name: told})


def make_images_again(job: Job) -> None:
    """Absent images whose card came with git, as jobs of the rules do."""
    data, card, _ = job.makes
    step = job.step[: job.step.index("--output")]
    if python("neural_collapse", *step, "--output", data, "--expect", card).returncode:
        raise InputError(f"{data}: the images of {card} could not be made again; see above.")


def python(module: str, *arguments: str, **streams: Any) -> subprocess.CompletedProcess:
    """Run a module of the workflow as its jobs do, behind whatever else is on the path of this process."""
    paths = os.pathsep.join([str(WORKFLOW), str(WORKFLOW / "rules"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run([sys.executable, "-m", module, *arguments], env=os.environ | {"PYTHONPATH": paths}, **streams)


def is_recorded(study: Study, job: Job) -> bool:
    provenance = Path(f"results/{study.name}/provenance").glob("*.json")
    made = [entry["outputs"] for path in provenance for entry in read_json(path, "a provenance", "jobs")["jobs"]]
    return any(outputs.keys() == {*job.makes} for outputs in made)


def told_file(study: Study, run: Run) -> Path:
    return Path(f".snakemake/told/{study.name}/{run}.json")


def told_before(study: Study, run: Run) -> dict[str, list[str]]:
    file = told_file(study, run)
    return read_json(file, "what the steps of a run were told") if file.exists() else {}


def difference(study: Study, run: Run, job: Job) -> str | None:
    """Why the files of a job are not what it would make here, or None where they are."""
    receipt = next((receipt for receipt in receipts.found() if receipt["outputs"].keys() == {*job.makes}), None)
    if receipt is None:
        return "no receipt speaks of its files"
    for path, made in (receipt["outputs"] | receipt["inputs"]).items():
        if not Path(path).exists():
            return f"{path} is absent"
        if checksum(path) != made:
            return f"{path} is not what its receipt says"
    before, now = told_before(study, run).get(job.name, []), job.told()
    if before[:1] != now[:1]:
        return "it was made by other code"
    if before != now:
        place = next(i for i, (old, new) in enumerate(itertools.zip_longest(before, now)) if old != new)
        old, new = (shlex.join(words[place - 1 : place + 1]) for words in (before, now))
        return f"it was told `{old}`, and would be told `{new}` here"
    return None


def check(study: Study, run: Run, jobs: list[Job]) -> int:
    """Say of each job whether its files are what it would make here; returns 1 where one's are not."""
    status = 0
    for job in jobs:
        found = difference(study, run, job)
        if found and is_recorded(study, job):
            found = None
        status = status or int(found is not None)
        print(f"{job.name}: {found or 'as it would be made here'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
