rule prepare_dataset:
    output:
        f"{RESULTS}/data/{{dataset}}.safetensors",
    log:
        f"{LOGS}/data/{{dataset}}.log",
    conda:
        "../../envs/training.yaml"
    params:
        settings=lambda wildcards: flags(STUDY.datasets[wildcards.dataset]),
        code=lambda wildcards: code("prepare_dataset", f"datasets.{STUDY.datasets[wildcards.dataset]['source']}"),
        environment=pinned_packages("training"),
    shell:
        "python -m neural_collapse prepare-dataset --name {wildcards.dataset} {params.settings} "
        "--root {config[data_root]} --output {output} > {log} 2>&1"
