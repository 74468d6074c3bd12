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
    priority: as_listed
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


# Below the features, and so kept by DVC as they are.
rule extract_out_of_distribution:
    input:
        card=card_of_run,
        outside=cards_outside,
        checkpoints=checkpoints_of_run,
    output:
        f"{RESULTS}/features/out_of_distribution/{{run}}.safetensors",
    log:
        f"{LOGS}/features/out_of_distribution/{{run}}.log",
    priority: as_listed
    conda:
        "../../envs/training.yaml"
    threads: lambda wildcards: RUNS[wildcards.run].settings["threads"]
    resources:
        gpu=GPU,
        mem_mb=memory_outside,
        runtime=runtime("out_of_distribution"),
    params:
        data=data_of_run,
        images=lambda wildcards: " ".join(
            images(data) for data in (RUNS[wildcards.run].data, *RUNS[wildcards.run].outside.values())
        ),
        settings=lambda wildcards: flags(
            {
                "outside": {
                    name: f"{PLACE}/data/{data}.safetensors" for name, data in RUNS[wildcards.run].outside.items()
                },
                "threads": RUNS[wildcards.run].settings["threads"],
            }
        ),
        code=lambda wildcards: code_of_run("extract_out_of_distribution", RUNS[wildcards.run]),
        environment=lambda wildcards: pins_of_run("extract_out_of_distribution", RUNS[wildcards.run]),
    message:
        "Pass data out of distribution through {wildcards.run}"
    shell:
        "{{ {params.images} exec " + STEP + "extract-out-of-distribution --data {params.data} "
        "--checkpoints {input.checkpoints} {params.settings} --stop-with-parent $PPID "
        "--output {output}; }} >> {log} 2>&1"
