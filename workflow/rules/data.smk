def own_data(wildcards):
    """The content of a user's own file or folder; where that is absent, the one the images were made of."""
    path, card = STUDY.datasets[wildcards.dataset]["path"], Path(f"{RESULTS}/datasets/{wildcards.dataset}.json")
    if path is None:
        return None
    path = Path(path).expanduser()
    if path.exists():
        return content_digest(path)
    return json.loads(card.read_text())["source_sha256"] if card.exists() else None


# The card, in git, stands for the images: whoever reads them depends on the card alone, so that absent images (a fresh
# clone) make nothing stale. A job that needs absent images makes them again first, and they must be what the card says.
rule prepare_dataset:
    output:
        data=f"{RESULTS}/data/{{dataset}}.safetensors",
        card=f"{RESULTS}/datasets/{{dataset}}.json",
    log:
        f"{LOGS}/data/{{dataset}}.log",
    conda:
        "../../envs/training.yaml"
    params:
        settings=lambda wildcards: flags(STUDY.datasets[wildcards.dataset]),
        own_data=own_data,
        code=lambda wildcards: code("prepare_dataset", f"datasets.{STUDY.datasets[wildcards.dataset]['source']}"),
        environment=pinned_packages("training"),
    message:
        "Prepare the images of {wildcards.dataset}"
    shell:
        "python -m neural_collapse prepare-dataset --name {wildcards.dataset} {params.settings} "
        "--output {output.data} --card {output.card} > {log} 2>&1"
