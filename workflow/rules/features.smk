rule extract_features:
    input:
        card=card_of_run,
        checkpoints=checkpoints_of_run,
    output:
        f"{RESULTS}/features/{{run}}.safetensors",
    log:
        f"{LOGS}/features/{{run}}.log",
    wildcard_constraints:
        run=any_run(STUDY.with_network),
    conda:
        "../../envs/training.yaml"
    threads: lambda wildcards: RUNS[wildcards.run].settings["threads"]
    resources:
        gpu=GPU,
        mem_mb=memory,
        runtime=runtime("features"),
    params:
        data=data_of_run,
        images=images_of_run,
        settings=lambda wildcards: flags(
            {
                "loss": RUNS[wildcards.run].loss,
                "loss_options": RUNS[wildcards.run].settings["loss_options"],
                "seed": RUNS[wildcards.run].seed,
                "threads": RUNS[wildcards.run].settings["threads"],
                "batch_statistics": (
                    RUNS[wildcards.run].settings["batch_size"] if RUNS[wildcards.run].loss == "mse" else None
                ),
            }
        ),
        layers="--layers" if STUDY.layers else "",
        code=lambda wildcards: code_of_run(
            "extract_features", RUNS[wildcards.run], f"train.losses.{RUNS[wildcards.run].loss}"
        ),
        environment=lambda wildcards: pins_of_run("extract_features", RUNS[wildcards.run]),
    message:
        "Extract the features of {wildcards.run}"
    shell:
        "{{ {params.images} exec " + STEP + "extract-features --data {params.data} "
        "--checkpoints {input.checkpoints} {params.settings} {params.layers} --stop-with-parent $PPID "
        "--output {output}; }} >> {log} 2>&1"
