# What every rule shares: the study, the paths, the wildcards and how a job's settings and code reach Snakemake.

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from snakemake.settings.types import DeploymentMethod

from attempts import keep_logs_of_earlier_attempts
from environments import mixture, pins
from fingerprint import fingerprint, remember
from neural_collapse.data.own_files import found_files
from neural_collapse.data.preparation import content_digest, own_path
from neural_collapse.config.checks import checked
from neural_collapse.config.declarations import building_module, known_figures, of_another_library
from neural_collapse.errors import InputError
from neural_collapse.config.runs import load_study, settings_of_runs
from neural_collapse.config.shown import declared_by, portrayed_runs, shown_runs, shows_something
from neural_collapse.storage import write_json
from own_inputs import word_of_code
from records import Records
from scheduler import handle_sigterm_in_a_thread, look_again_once_at_a_time

handle_sigterm_in_a_thread()
look_again_once_at_a_time()
keep_logs_of_earlier_attempts()
remember()

# Jobs find the library, and the interpreter that runs Snakemake unless conda brings its own. The shell says so after
# conda has activated an environment: Snakemake keeps PYTHONPATH from such jobs, and where conda's base environment was
# active already, the new one takes the base's place in PATH, which may be behind another interpreter.
WITH_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
INTERPRETER = '"$CONDA_PREFIX/bin"' if WITH_CONDA else shlex.quote(os.path.dirname(sys.executable))
LIBRARIES = shlex.quote(f"{WORKFLOW}{os.pathsep}{WORKFLOW / 'rules'}")
shell.prefix(f'set -euo pipefail; export PYTHONPATH={LIBRARIES} PATH={INTERPRETER}:"$PATH"; ')
# How every job runs its step: see run_step.py. (`--lint` takes `STEP + ...` for a path put together, and would have
# functions in this file though one rule alone uses them: they stand beside it.)
STEP = "python -m run_step --code {params.code} --reads {input} --makes {output} -- "

# A job's process reads the Snakefile anew, perhaps hours later: it gets the configuration that was planned with.
PLANNED = Path(os.environ.get("NEURAL_COLLAPSE_PLAN", ""))

# So it does what jobs were told of code and of files of the user's own: what these hold when the job's process looks is
# for the job to hold against that, and no new plan.
PLANNED_WORDS = Path(".snakemake/records/words.json")
WORDS = {}
if not workflow.is_main_process and PLANNED_WORDS.is_file():
    WORDS = json.loads(PLANNED_WORDS.read_text())


def as_planned(what, tell):
    """What a job is told of something that may change later: what `tell()` gave when the jobs were planned."""
    if what not in WORDS:
        WORDS[what] = tell()
    return WORDS[what]


# Why what has changed is said to change nothing: see `Records.accept`.
ACCEPTS = config.pop("accept", None)

try:
    if WITH_CONDA and not shutil.which("conda"):
        raise InputError(
            "--use-conda needs the command `conda`; install conda >= 24.7.1 and put it on PATH, or leave the flag out."
        )
    if not workflow.is_main_process and PLANNED.is_file():
        config = json.loads(PLANNED.read_text())
    if workflow.storage_settings.default_storage_provider is not None:
        raise InputError(
            "--default-storage-provider: results, records and half-done trainings need one folder that all jobs share; "
            "leave it out and mount a shared volume instead (docs/clusters.md)."
        )
    CONFIG = checked(config)
    STUDY = load_study(CONFIG)
    for own in STUDY.datasets.values():
        own_path(own["path"] or ".")
    for run in STUDY.runs if workflow.is_main_process else ():
        card = Path(workflow.modifier.modify_path(f"results/{STUDY.name}/datasets/{run.name}.origin.json"))
        if run.brings and not card.exists():  # later the files may be absent, as in a clone
            found_files(run.brings.files, f"config.yaml: studies.{STUDY.name}.runs.{run.pair}.{run.brings.kind}")
except InputError as error:
    sys.exit(f"error: {error}")


def variable_of_path(data):
    """The environment's name for where a user's own data lie, which is the same whatever is prepared of them."""
    return f"NEURAL_COLLAPSE_PATH_{data.partition('-')[0]}"


# Where data lie is no parameter of any job: the same content in another place makes nothing stale. (What `--lint` asks to
# be declared by `envvars` is for the user to set; these are set here, again in every job's own process.)
os.environ["NEURAL_COLLAPSE_DATA"] = CONFIG["data_root"]
os.environ |= {variable_of_path(name): own["path"] for name, own in STUDY.datasets.items() if own["path"]}


def check_networks():
    """Ask other libraries whether what they build takes the images, before anything is trained."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        plan = [
            sys.executable,
            "-m",
            "neural_collapse",
            "plan",
            "--check",
            "--study",
            STUDY.name,
            "--config",
            file.name,
        ]
        environment = os.environ | {"PYTHONPATH": str(WORKFLOW)}
        checked_plan = subprocess.run(plan, env=environment, text=True, stderr=subprocess.PIPE)
    if checked_plan.returncode:
        sys.exit(checked_plan.stderr.strip())


if (
    workflow.is_main_process
    and find_spec("torch")
    and any(of_another_library(run.architecture) for run in STUDY.with_network)
):
    check_networks()

RUNS = {run.name: run for run in STUDY.runs}
LISTED = [str(pair) for name, study in config["studies"].items() if str(name) == STUDY.name for pair in study["runs"]]
RESULTS = f"results/{STUDY.name}"  # as the rules name files; a module's prefix comes before what they name
PLACE = str(workflow.modifier.modify_path(RESULTS))  # where these lie
LOGS = f"logs/{STUDY.name}"


def any_of(names):
    """A pattern of these names alone, so that Snakemake knows no rule for any other."""
    return "|".join(sorted(re.escape(str(name)) for name in names)) or "(?!)"


def any_run(runs):
    """A pattern of these runs alone, each a pair and a seed, by the pairs that have the same seeds.

    Every pattern is tried thousands of times in a large study, and a list of all runs takes that much longer.
    """
    seeds_of, pairs_of = {}, {}
    for run in runs:
        seeds_of.setdefault(run.pair, []).append(run.seed)
    for pair, seeds in seeds_of.items():
        pairs_of.setdefault(tuple(seeds), []).append(pair)
    return "|".join(f"(?:{any_of(pairs)})-seed(?:{any_of(seeds)})" for seeds, pairs in pairs_of.items()) or any_of([])


wildcard_constraints:
    run=any_run(STUDY.runs),
    pair=any_of(STUDY.swept),
    dataset=any_of(STUDY.datasets),
    system=any_of(STUDY.theory),
    round=any_of(range(1, len(STUDY.sweep.rounds) + 1)),
    place=any_of(f"{place:02d}" for place in range(STUDY.sweep.count)),
    figure=any_of(figure for figure in known_figures() if shows_something(figure, STUDY.runs)),


def tables_of(runs):
    """The measures of runs and, of those with a network, how robust it is."""
    measures = [f"{RESULTS}/metrics/{run}.csv" for run in runs]
    return measures + [f"{RESULTS}/robustness/{run}.csv" for run in runs if run.has_network]


def checkpoints_of(run):
    count = files_brought_by(run) if run.brings else STUDY.measured_epochs
    return [f"{RESULTS}/checkpoints/{run}/{i:02d}.safetensors" for i in range(count)]


def tables_of_every_run():
    """What is measured of the runs, a file a run and kind."""
    outside = [f"{RESULTS}/metrics/out_of_distribution/{run}.csv" for run in STUDY.runs if run.outside]
    return tables_of(STUDY.runs) + outside


def cards_of_runs():
    return [f"{RESULTS}/datasets/{data}.json" for data in dict.fromkeys(run.data for run in STUDY.with_network)]


def checkpoints_of_run(wildcards):
    return checkpoints_of(RUNS[wildcards.run])


def card_of_run(wildcards):
    return f"{RESULTS}/datasets/{RUNS[wildcards.run].data}.json"


def data_of_run(wildcards):
    return f"{PLACE}/data/{RUNS[wildcards.run].data}.safetensors"


def cards_outside(wildcards):
    return [f"{RESULTS}/datasets/{data}.json" for data in RUNS[wildcards.run].outside.values()]


def images_of_run(wildcards):
    return images(RUNS[wildcards.run].data)


def images(dataset):
    """A shell command that makes a data set's images where they are absent; see `prepare_dataset`."""
    data, card = f"{PLACE}/data/{dataset}.safetensors", f"{PLACE}/datasets/{dataset}.json"
    outputs = flags({"output": data, "expect": card})
    return f"test -e {data} || python -m neural_collapse prepare-dataset {preparation(dataset)} {outputs};"


def preparation(dataset):
    """What `prepare-dataset` has to be told of a data set, as flags."""
    settings = STUDY.datasets[dataset]
    path = f' --path "${variable_of_path(dataset)}"' if settings["path"] else ""
    return flags({"name": dataset.partition("-")[0], **settings, "path": None}) + path


def flags(settings):
    """Settings as command-line flags: `{"batch_size": 64}` is `--batch-size 64`; nothing for None, [] or {}."""
    words = []
    for name, value in settings.items():
        if isinstance(value, dict):
            value = [f"{key}={item}" for key, item in value.items()]
        if value is None or value == []:
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return shlex.join(words)


def as_listed(wildcards):
    """A job's priority: runs listed first come first, so that with the longest at the top no core is idle at the end."""
    listed = max((pair for pair in LISTED if f"{wildcards.run}-".startswith(f"{pair}-")), key=len)
    return len(LISTED) - LISTED.index(listed)


def identity(wildcards):
    """The first columns of every table of a run."""
    run = RUNS[wildcards.run]
    return flags({name: getattr(run, name) for name in ("dataset", "network", "loss", "variant", "seed")})


def digest(settings):
    """What stands for settings that are too long for a command."""
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()


def code(step, *modules, own=()):
    """A job's code as one of its parameters: the fingerprint of its step and of what that loads by name, and their names.

    Then the words of what it reads of its user's own.
    """
    modules = (f"steps.{step}", *modules)
    planned = as_planned(" ".join(modules), lambda: fingerprint(*modules))
    return " ".join([planned, *modules, *map(shlex.quote, filter(None, own))])


def code_of_run(step, run, *modules, own=()):
    """With what the step loads for a run: the file of its network, those of `modules`, and a module of one's own."""
    name = module_of_own(run)
    own = [as_planned(f"code:{name}", lambda: word_of_code(name)), *own]
    return code(step, f"train.networks.{building_module(run.architecture)}", *modules, own=own)


def module_of_own(run):
    """The module of a network `module:function`; empty for any other."""
    return run.architecture.partition(":")[0] if ":" in run.architecture else ""


def files_named(run):
    """What may be a file among the options of a network of another library, or of one's own."""
    of_others = of_another_library(run.architecture)
    return [value for value in run.network_options.values() if of_others and isinstance(value, str)]


def pins_of_run(step, run):
    """The pins of what decides the bytes of a step that runs a network."""
    return pins(f"steps.{step}", f"train.networks.{building_module(run.architecture)}")
