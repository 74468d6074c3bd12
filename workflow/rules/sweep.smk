def sweep_settings(wildcards):
    run = STUDY.swept[wildcards.pair]
    return flags(training_settings(run) | {"learning_rate": float(wildcards.rate)})


rule try_learning_rate:
    input:
        lambda wildcards: f"{RESULTS}/datasets/{STUDY.swept[wildcards.pair].data}.json",
    output:
        f"{RESULTS}/sweep/{{pair}}/{{rate}}.csv",
    log:
        f"{LOGS}/sweep/{{pair}}/{{rate}}.log",
    conda:
        "../../envs/training.yaml"
    threads: lambda wildcards: STUDY.swept[wildcards.pair].settings["threads"]
    resources:
        gpu=GPU,
        mem_mb=memory,
        runtime=runtime("sweep"),
    params:
        data=lambda wildcards: f"{PLACE}/data/{STUDY.swept[wildcards.pair].data}.safetensors",
        images=lambda wildcards: images(STUDY.swept[wildcards.pair].data),
        settings=sweep_settings,
        code=lambda wildcards: code_of_run(
            "try_learning_rate", STUDY.swept[wildcards.pair], f"train.losses.{STUDY.swept[wildcards.pair].loss}"
        ),
        environment=lambda wildcards: pins_of_run("try_learning_rate", STUDY.swept[wildcards.pair]),
        weights=lambda wildcards: weights_of(
            STUDY.swept[wildcards.pair], f"{PLACE}/sweep/{wildcards.pair}/{wildcards.rate}.csv"
        ),
        resume=f"{PLACE}/resume/{{pair}}/{{rate}}",  # no run's folder: those end in the seed
    message:
        "Try learning rate {wildcards.rate} for {wildcards.pair}"
    shell:
        "{{ {params.images} exec " + STEP + "try-learning-rate --data {params.data} {params.settings} "
        "--resume {params.resume} --code-version {params.code:q}{params.weights} --stop-with-parent $PPID "
        "--output {output}; }} >> {log} 2>&1"


rule choose_learning_rate:
    input:
        lambda wildcards: [f"{RESULTS}/sweep/{wildcards.pair}/{rate}.csv" for rate in STUDY.sweep_rates],
    output:
        f"{RESULTS}/sweep/{{pair}}.json",
    log:
        f"{LOGS}/sweep/{{pair}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code("choose_learning_rate"),
        environment=pins("steps.choose_learning_rate"),
    message:
        "Choose the learning rate of {wildcards.pair}"
    shell:
        STEP + "choose-learning-rate {input} --output {output} > {log} 2>&1"


rule collect_sweep:
    input:
        [f"{RESULTS}/sweep/{pair}.json" for pair in STUDY.swept],
    output:
        f"{RESULTS}/sweep/choices.csv",
    log:
        f"{LOGS}/sweep/choices.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code("collect_sweep"),
        environment=pins("steps.collect_sweep"),
    message:
        "Collect what the sweeps chose"
    shell:
        STEP + "collect-sweep {input} --output {output} > {log} 2>&1"
