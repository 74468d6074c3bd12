rule extract_features:
    input:
        data=data_of_run,
        checkpoints=checkpoints,
    output:
        f"{RESULTS}/features/{{run}}.safetensors",
    log:
        f"{LOGS}/features/{{run}}.log",
    conda:
        "../../envs/training.yaml"
    threads: lambda wildcards: RUNS[wildcards.run].settings["threads"]
    resources:
        gpu=GPU,
    params:
        settings=lambda wildcards: flags(
            {
                "loss": RUNS[wildcards.run].loss,
                "seed": RUNS[wildcards.run].seed,
                "threads": RUNS[wildcards.run].settings["threads"],
            }
        ),
        layers="--layers" if STUDY.layers else "",
        code=code_with_network("extract_features"),
        environment=pinned_packages("training"),
    shell:
        "python -m neural_collapse extract-features --data {input.data} --checkpoints {input.checkpoints} "
        "{params.settings} {params.layers} --output {output} > {log} 2>&1"
