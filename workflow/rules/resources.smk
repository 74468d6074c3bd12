# What jobs ask of a scheduler, and what those that run on this machine find here. It decides no byte of any result, so
# none of it is a parameter of a job.

import functools
import hashlib

import gpus
from costs import flops_of_jobs, size_if_known

# A scheduler elsewhere is asked for a GPU whatever this machine has; Snakemake gives it a number of jobs at a time.
ELSEWHERE = not workflow.is_main_process or workflow.resource_settings.nodes is not None
HERE = gpus.visible()
GPU = int(CONFIG["gpu_jobs"] > 0 and (ELSEWHERE or bool(HERE)))

ON_A_GPU, ON_A_CORE = 20e12, 10e9  # FLOP a second, on the low side
SHORTEST, LONGEST = 30, 7 * 24 * 60  # minutes
UNCOUNTED = 12 * 60  # minutes, where nobody can count what a job takes
OF_A_PROCESS = 4000  # MB of memory: libraries, and the host's side of a GPU
OF_A_PIXEL = 10  # bytes: as prepared, and in float32 before and after it is standardised
MOST_FEATURES = 4096  # of an image, at the last layer
KEPT_AXES = 600  # about, and at most, for each example that is kept

if not workflow.is_main_process:
    os.environ.pop("NEURAL_COLLAPSE_GPU_JOBS", None)  # of the machine that planned
    overwritten = workflow.resource_settings._parsed_overwrite_resources
    asked = {name: resources.get("gpu", GPU) for name, resources in overwritten.items()}  # by `--set-resources`
    gpus.promise([step for name, step in gpus.USERS.items() if asked.get(name, GPU) != 0])
elif HERE and GPU:
    gpus.share(CONFIG["gpu_jobs"])
    if not ELSEWHERE:
        workflow.global_resources.setdefault("gpu", len(HERE) * CONFIG["gpu_jobs"])


def run_of(wildcards):
    """The run that a job trains, extracts or attacks; in a sweep, the one that stands for its pair."""
    return STUDY.swept[wildcards.pair] if hasattr(wildcards, "pair") else RUNS[wildcards.run]


@functools.cache
def flops_of_study():
    """What its jobs take, counted once for as long as its settings, its data and the code stay; {} where it can't be."""
    sizes = [size_if_known(STUDY, dataset, Path(PLACE)) for dataset in STUDY.datasets]
    networks = sorted({f"train.networks.{building_module(run.architecture)}" for run in STUDY.with_network})
    counted = [CONFIG["studies"][STUDY.name], sizes, fingerprint("plan", *networks)]
    file = Path(".snakemake/records/costs") / f"{hashlib.sha256(repr(counted).encode()).hexdigest()[:16]}.json"
    if not file.exists():
        try:
            write_json(file, flops_of_jobs(CONFIG, Path(PLACE)))
        except InputError as error:
            print(f"warning: {error} Jobs ask for {UNCOUNTED} minutes.", file=sys.stderr)
            return {}
    return json.loads(file.read_text())


def hours(layer, wildcards, speed):
    """How long a job of a layer takes at a speed in FLOP a second; None where nobody knows."""
    run = run_of(wildcards)
    job = f"{run.pair} {wildcards.round}" if layer == "sweep" else run.name
    flops = flops_of_study().get(layer, {}).get(job)
    return None if flops is None else flops / speed / 3600


def runtime(layer):
    """The minutes that a job of a layer asks for: three times what it takes by the plan, more when it is repeated."""

    if not ELSEWHERE or not workflow.is_main_process:
        return None  # nobody asks, and counting takes long

    def minutes(wildcards, threads, attempt):
        counted = hours(layer, wildcards, ON_A_GPU if GPU else threads * ON_A_CORE)
        return int(min(attempt * max(UNCOUNTED if counted is None else 3 * 60 * counted, SHORTEST), LONGEST))

    return minutes


def memory(wildcards, attempt):
    """The MB that a job asks for which holds a data set, and at most all last-layer features of its images."""
    asked = OF_A_PROCESS
    if size := size_if_known(STUDY, run_of(wildcards).data, Path(PLACE)):
        of_an_image = OF_A_PIXEL * size.channels * size.image_size**2 + 4 * MOST_FEATURES
        asked += (size.train + size.test) * of_an_image // 10**6
    return attempt * asked


def memory_outside(wildcards, attempt):
    """With all examples that are kept, of every measured epoch and of data out of distribution."""
    run = run_of(wildcards)
    sizes = [size_if_known(STUDY, data, Path(PLACE)) for data in (run.data, *run.outside.values())]
    examples = sum(size.train + size.test for size in sizes if size)
    return memory(wildcards, attempt) + attempt * STUDY.measured_epochs * examples * 4 * KEPT_AXES // 10**6


def warn_of_training_on_cpus():
    """Say so before trainings that take a GPU hours begin without one."""
    layers = {"train_network": "train", "try_learning_rate": "sweep"}
    waiting = [job for job in workflow.dag.needrun_jobs() if job.rule.name in layers]
    shown = 0  # pixels, to the network that is shown most of them
    for run in {run_of(job.wildcards) for job in waiting}:
        if size := size_if_known(STUDY, run.data, Path(PLACE)):
            shown = max(shown, run.settings["epochs"] * size.train * size.image_size**2)
    if GPU or shown < 1e8:  # which takes no network here minutes
        return
    total = sum(hours(layers[job.rule.name], job.wildcards, ON_A_GPU) or 0 for job in waiting)
    if total >= 1:
        print(
            f"warning: training of {total:.0f} GPU-hours by the plan is about to run on CPUs, for no GPU is found here or "
            "asked for; stop now if you meant otherwise.",
            file=sys.stderr,
        )
