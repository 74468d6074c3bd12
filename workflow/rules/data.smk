import contextlib
import functools

from contents import checksum
from own_inputs import places_of_module
from neural_collapse.data.own_files import are_there, digest_of_files, folder_of, how_many


def source_of(dataset):
    """The module that gives a data set's images."""
    return f"data.sources.{STUDY.datasets[dataset]['source']}"


def own_data(wildcards):
    """What a user's own file or folder must hold; where that is absent, what the images were made of, if known."""
    path = STUDY.datasets[wildcards.dataset]["path"]
    if path is None:
        return ""
    path, origin = Path(path).expanduser(), Path(f"{PLACE}/datasets/{wildcards.dataset}.origin.json")
    if path.exists():
        return flags({"content": as_planned(f"data:{path}", lambda: content_digest(path))})
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # absent, or damaged and made again
        return flags({"content": json.loads(origin.read_text())["sha256"]})
    return ""


def origin_of(run):
    """The card of the files that a run brings."""
    return f"{RESULTS}/datasets/{run}.origin.json"


def recorded_of(run):
    """What the card says of a run's files; nothing, where there is none."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(Path(workflow.modifier.modify_path(origin_of(run))).read_text())
        return found if isinstance(found, dict) else {}
    return {}


# Features may be large: what each file holds is looked at once, as long as it stays as it is.
LOOKED_AT = Path(".snakemake/records/own_files.json")
HOLDS = {}
with contextlib.suppress(OSError, ValueError):  # absent, or damaged
    HOLDS = json.loads(LOOKED_AT.read_text())


@functools.cache
def content_of_files(run):
    """What the files hold that a run brings; where they are absent (a clone), what is recorded."""
    if not are_there(run.brings.files):
        return recorded_of(run).get("sha256")
    return as_planned(f"run:{run}", lambda: digest_of_files(run.brings.files, lambda file: checksum(file, HOLDS)))


def files_brought_by(run):
    """How many checkpoints a run brings."""
    if not are_there(run.brings.files):
        return recorded_of(run).get("files", 0)
    return how_many(found_files(run.brings.files, run.name))


def brought_files(run):
    """What tells a step which run it is of, and so where its files lie; no parameter, as where data lie is none."""
    return flags({"study": STUDY.name, "run": run}) + ' --config "$NEURAL_COLLAPSE_PLAN"'


def name_own_files_to_dvc():
    """Write down which files of the user's own are here, for DVC to watch (`own` in workflow/dvc.yaml).

    But for what lies among the workflow's own: DVC would have it depend on itself.
    """
    file = WORKFLOW / "params.yaml"
    known = {}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # absent, or damaged
        known = json.loads(file.read_text())["own"]
    here = {name.partition("-")[0]: own["path"] for name, own in STUDY.datasets.items() if own["path"]}
    for run in STUDY.runs:
        here |= {
            f"{run}-{number}": folder_of(file) for number, file in enumerate(run.brings.files if run.brings else ())
        }
        here |= {f"{run.pair}-{number}": file for number, file in enumerate(files_named(run))}
        here |= {f"code-{place.name}": place for place in places_of_module(module_of_own(run))}
    named = {name: own for name, own in known.items() if own["study"] in CONFIG["studies"].keys() - {STUDY.name}}
    for name, path in here.items():
        path = os.path.expanduser(path)
        key = f"{STUDY.name}-{name}-{digest(path)[:8]}".replace(".", "_")
        named[key] = {"study": STUDY.name, "path": path}
    ours = [Path(folder).resolve() for folder in ("results", WORKFLOW)]
    for key, own in list(named.items()):
        place = Path(own["path"]).resolve()
        if not place.exists() or any(place in (folder, *folder.parents) or folder in place.parents for folder in ours):
            del named[key]
    if named != known:
        write_json(file, {"own": named})


if workflow.is_main_process and not IS_MODULE and not workflow.overwrite_configfiles:  # DVC reads config.yaml alone
    name_own_files_to_dvc()


# The card, in git, stands for the images: whoever reads them depends on the card alone, so that absent images (a fresh
# clone) make nothing stale. A job that needs absent images makes them again first, and they must be what the card says.
# A checkpoint, because Snakemake looks again at what is stale after one: images that come out as they were train nothing
# (`second_look`).
checkpoint prepare_dataset:
    output:
        data=f"{RESULTS}/data/{{dataset}}.safetensors",
        card=f"{RESULTS}/datasets/{{dataset}}.json",
        origin=f"{RESULTS}/datasets/{{dataset}}.origin.json",
    log:
        f"{LOGS}/data/{{dataset}}.log",
    # Before all else, or a training that is listed first waits for its images behind what others train on.
    priority: len(RUNS) + 1
    conda:
        "../../envs/training.yaml"
    params:
        settings=lambda wildcards: preparation(wildcards.dataset),
        own_data=own_data,
        code=lambda wildcards: code("prepare_dataset", source_of(wildcards.dataset)),
        environment=lambda wildcards: pins("steps.prepare_dataset", source_of(wildcards.dataset)),
    message:
        "Prepare the images of {wildcards.dataset}"
    shell:
        STEP + "prepare-dataset {params.settings} {params.own_data} "
        "--output {output.data} --card {output.card} --origin {output.origin} > {log} 2>&1"


# The card of a run's own files stands for them as that of a data set does for its images: who reads them depends on it.
rule find_files:
    output:
        f"{RESULTS}/datasets/{{run}}.origin.json",
    log:
        f"{LOGS}/data/{{run}}.log",
    wildcard_constraints:
        run=any_run([run for run in STUDY.runs if run.brings]),
    conda:
        "../../envs/training.yaml"
    params:
        run=lambda wildcards: brought_files(wildcards.run),
        content=lambda wildcards: flags({"content": content_of_files(RUNS[wildcards.run])}),
        code=code("find_files"),
        environment=pins("steps.find_files"),
    message:
        "Look at the files of {wildcards.run}"
    shell:
        STEP + "find-files {params.run} {params.content} --output {output} > {log} 2>&1"


if workflow.is_main_process and any(run.brings for run in STUDY.runs):
    for run in STUDY.runs:
        if run.brings:
            content_of_files(run)
    write_json(LOOKED_AT, HOLDS)
