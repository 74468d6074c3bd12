rule measure:
    input:
        f"{RESULTS}/features/{{run}}.safetensors",
    output:
        f"{RESULTS}/metrics/{{run}}.csv",
    log:
        f"{LOGS}/metrics/{{run}}.log",
    wildcard_constraints:
        run=any_run(STUDY.with_network),
    conda:
        "../../envs/analysis.yaml"
    params:
        identity=identity,
        weight_decay=lambda wildcards: RUNS[wildcards.run].settings["weight_decay"],
        code=code("measure_run"),
        environment=pins("steps.measure_run"),
    message:
        "Measure {wildcards.run}"
    shell:
        STEP + "measure-run {input} {params.identity} --weight-decay {params.weight_decay} "
        "--output {output} > {log} 2>&1"


rule measure_features:
    input:
        f"{RESULTS}/datasets/{{run}}.origin.json",
    output:
        f"{RESULTS}/metrics/{{run}}.csv",
    log:
        f"{LOGS}/metrics/{{run}}.log",
    wildcard_constraints:
        run=any_run(STUDY.bringing("features")),
    conda:
        "../../envs/training.yaml"
    params:
        run=lambda wildcards: brought_files(wildcards.run),
        identity=identity,
        weight_decay=lambda wildcards: RUNS[wildcards.run].settings["weight_decay"],
        arrays=lambda wildcards: flags({"arrays": RUNS[wildcards.run].brings.arrays}),
        code=code("measure_features"),
        environment=pins("steps.measure_features"),
    message:
        "Measure {wildcards.run}"
    shell:
        STEP + "measure-features {params.run} --files {input} {params.identity} "
        "--weight-decay {params.weight_decay} {params.arrays} --output {output} > {log} 2>&1"


rule measure_out_of_distribution:
    input:
        f"{RESULTS}/features/out_of_distribution/{{run}}.safetensors",
    output:
        f"{RESULTS}/metrics/out_of_distribution/{{run}}.csv",
    log:
        f"{LOGS}/metrics/out_of_distribution/{{run}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        identity=identity,
        code=code("measure_out_of_distribution"),
        environment=pins("steps.measure_out_of_distribution"),
    message:
        "Measure what is out of the distribution of {wildcards.run}"
    shell:
        STEP + "measure-out-of-distribution {input} {params.identity} --output {output} > {log} 2>&1"


# The moving portrait of the report and its figure read this alone, so that no figure needs a heavy file.
rule portrait:
    input:
        f"{RESULTS}/features/{{run}}.safetensors",
    output:
        f"{RESULTS}/metrics/portraits/{{run}}.json",
    log:
        f"{LOGS}/metrics/portraits/{{run}}.log",
    wildcard_constraints:
        run=any_run(STUDY.with_network),
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code("portrait"),
        environment=pins("steps.portrait"),
    message:
        "Portray {wildcards.run}"
    shell:
        STEP + "portrait {input} --output {output} > {log} 2>&1"


rule attack:
    input:
        card=card_of_run,
        checkpoints=checkpoints_of_run,
    output:
        f"{RESULTS}/robustness/{{run}}.csv",
    log:
        f"{LOGS}/robustness/{{run}}.log",
    wildcard_constraints:
        run=any_run(STUDY.with_network),
    priority: as_listed
    conda:
        "../../envs/training.yaml"
    threads: lambda wildcards: RUNS[wildcards.run].settings["threads"]
    resources:
        gpu=GPU,
        mem_mb=memory,
        runtime=runtime("metrics"),
    params:
        data=data_of_run,
        images=images_of_run,
        identity=identity,
        settings=lambda wildcards: flags(STUDY.attack | {"threads": RUNS[wildcards.run].settings["threads"]}),
        code=lambda wildcards: code_of_run("attack", RUNS[wildcards.run]),
        environment=lambda wildcards: pins_of_run("attack", RUNS[wildcards.run]),
    message:
        "Attack {wildcards.run}"
    shell:
        "{{ {params.images} exec " + STEP + "attack --data {params.data} "
        "--checkpoints {input.checkpoints} {params.identity} {params.settings} --stop-with-parent $PPID "
        "--output {output}; }} >> {log} 2>&1"


rule summarise:
    input:
        lambda wildcards: tables_of([RUNS[wildcards.run]]),
    output:
        f"{RESULTS}/summary/{{run}}.json",
    log:
        f"{LOGS}/summary/{{run}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code("summarise"),
        environment=pins("steps.summarise"),
    message:
        "Sum up {wildcards.run}"
    shell:
        STEP + "summarise {input} --output {output} > {log} 2>&1"


rule collect:
    input:
        tables_of_every_run(),
    output:
        table=f"{RESULTS}/metrics.csv",
        curves=f"{RESULTS}/metrics/curves.csv",
    log:
        f"{LOGS}/collect.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code("collect"),
        environment=pins("steps.collect"),
    message:
        "Collect the measures of all runs"
    shell:
        STEP + "collect {input} --output {output.table} --curves {output.curves} > {log} 2>&1"


# Where a sweep chose the learning rate, its choice is what was set.
rule list_runs:
    input:
        rules.collect_sweep.output if STUDY.swept else [],
    output:
        f"{RESULTS}/runs.csv",
    log:
        f"{LOGS}/runs.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        runs=digest(settings_of_runs(STUDY)),
        study=STUDY.name,
        code=code("list_runs"),
        environment=pins("steps.list_runs"),
    message:
        "List the runs and their settings"
    shell:
        STEP + "list-runs --study {params.study} --choices {input} --output {output} "
        '--config "$NEURAL_COLLAPSE_PLAN" > {log} 2>&1'
