import contextlib


def source_of(dataset):
    """The module that gives a data set's images."""
    return f"data.sources.{STUDY.datasets[dataset]['source']}"


def own_data(wildcards):
    """The content of a user's own file or folder; where that is absent, the one the images were made of, if known."""
    path = STUDY.datasets[wildcards.dataset]["path"]
    if path is None:
        return None
    path, origin = Path(path).expanduser(), Path(f"{PLACE}/datasets/{wildcards.dataset}.origin.json")
    if path.exists():
        return content_digest(path)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # absent, or damaged and made again
        return json.loads(origin.read_text())["sha256"]


def name_own_data_to_dvc():
    """Write down which data of the user's own are here, for DVC to watch (`own` in workflow/dvc.yaml)."""
    file = WORKFLOW / "params.yaml"
    known = json.loads(file.read_text())["own"] if file.exists() else {}
    here = {
        f"{STUDY.name}-{name.partition('-')[0]}": {  # one of what is prepared of them watches for all
            "study": STUDY.name,
            "dataset": name,
            "path": str(Path(settings["path"]).expanduser()),
        }
        for name, settings in STUDY.datasets.items()
        if settings["path"]
    }
    named = here | {name: own for name, own in known.items() if own["study"] != STUDY.name}
    named = {name: own for name, own in named.items() if Path(own["path"]).exists()}
    if named != known:
        write_json(file, {"own": named})


if workflow.is_main_process and not IS_MODULE:
    name_own_data_to_dvc()


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
        STEP + "prepare-dataset {params.settings} "
        "--output {output.data} --card {output.card} --origin {output.origin} > {log} 2>&1"
