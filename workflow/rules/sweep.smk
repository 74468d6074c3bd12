def choice_after(pair, number):
    """What a round of a sweep chooses: the rates of the next one or, of the last, the runs' own."""
    return pair if number == len(STUDY.sweep.rounds) else f"round{number}/{pair}"


CHOICES = {
    choice_after(pair, number): (pair, number) for pair in STUDY.swept for number, _ in enumerate(STUDY.sweep.rounds, 1)
}


def trial_run(wildcards):
    return STUDY.trial(wildcards.pair, int(wildcards.round))


def rates_of_trial(wildcards):
    """The choice of the round before."""
    number = int(wildcards.round) - 1
    return f"{RESULTS}/sweep/{choice_after(wildcards.pair, number)}.json" if number else []


def rate_of_trial(wildcards, input):
    place = int(wildcards.place)
    if input.rates:
        return flags({"learning_rate_from": input.rates, "place": place})
    return flags({"learning_rate": STUDY.sweep.rates[place]})


rule try_learning_rate:
    input:
        card=lambda wildcards: f"{RESULTS}/datasets/{trial_run(wildcards).data}.json",
        rates=rates_of_trial,
    output:
        f"{RESULTS}/sweep/round{{round}}/{{pair}}/{{place}}.csv",
    log:
        f"{LOGS}/sweep/round{{round}}/{{pair}}/{{place}}.log",
    conda:
        "../../envs/training.yaml"
    threads: lambda wildcards: trial_run(wildcards).settings["threads"]
    resources:
        gpu=GPU,
        mem_mb=memory,
        runtime=runtime("sweep"),
    params:
        data=lambda wildcards: f"{PLACE}/data/{trial_run(wildcards).data}.safetensors",
        images=lambda wildcards: images(trial_run(wildcards).data),
        settings=lambda wildcards: flags(training_settings(trial_run(wildcards))),
        learning_rate=rate_of_trial,
        code=lambda wildcards: code_of_training(
            "try_learning_rate",
            trial_run(wildcards),
            f"{PLACE}/sweep/round{wildcards.round}/{wildcards.pair}/{wildcards.place}.csv",
        ),
        environment=lambda wildcards: pins_of_run("try_learning_rate", trial_run(wildcards)),
        resume=f"{PLACE}/resume/{{pair}}/{{round}}-{{place}}",  # no run's folder: those end in the seed
    message:
        "Try a learning rate for {wildcards.pair}: round {wildcards.round}, place {wildcards.place}"
    shell:
        "{{ {params.images} exec " + STEP + "try-learning-rate --data {params.data} {params.settings} "
        "{params.learning_rate} --resume {params.resume} --code-version {params.code:q} "
        "--stop-with-parent $PPID --output {output}; }} >> {log} 2>&1"


def trials_of_choice(wildcards):
    pair, number = CHOICES[wildcards.choice]
    return [f"{RESULTS}/sweep/round{number}/{pair}/{place:02d}.csv" for place in range(STUDY.sweep.rounds[number - 1])]


rule choose_learning_rate:
    input:
        trials_of_choice,
    output:
        f"{RESULTS}/sweep/{{choice}}.json",
    log:
        f"{LOGS}/sweep/{{choice}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        keep=lambda wildcards: [*STUDY.sweep.rounds, 1][CHOICES[wildcards.choice][1]],
        code=code("choose_learning_rate"),
        environment=pins("steps.choose_learning_rate"),
    message:
        "Choose learning rates: {wildcards.choice}"
    shell:
        STEP + "choose-learning-rate {input} --keep {params.keep} --output {output} > {log} 2>&1"


rule collect_sweep:
    input:
        [f"{RESULTS}/sweep/{choice}.json" for choice in CHOICES],
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
        "Collect what the sweeps tried and chose"
    shell:
        STEP + "collect-sweep {input} --output {output} > {log} 2>&1"
