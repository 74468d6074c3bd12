from own_inputs import word_of_file


def training_settings(run):
    """Everything that decides a training, but its learning rate where a sweep chooses that."""
    settings = {"network": run.architecture, "network_options": run.network_options, "loss": run.loss, "seed": run.seed}
    settings |= run.settings
    if settings["learning_rate"] == "sweep":
        settings["learning_rate"] = None
    return settings


def code_of_training(step, run, output):
    """With the loss, and every file that the network's options name: what it holds or, without it, is recorded."""
    words = [
        as_planned(f"file:{file} of {output}", lambda file=file: word_of_file(file) or recorded_word(file, output))
        for file in files_named(run)
    ]
    return code_of_run(step, run, f"train.losses.{run.loss}", own=words)


def recorded_word(file, output):
    """The word of a file that the entry of a training's output has, if there is one."""
    recorded = Path(PLACE) / "provenance" / f"{'train' if output.endswith('history.csv') else 'sweep'}.json"
    if recorded.is_file():
        made = [str(job) for job in json.loads(recorded.read_text())["jobs"] if output in job["outputs"]]
        found = [word for job in made for word in re.findall(f"file:{re.escape(file)}@[0-9a-f]{{64}}", job)]
        return found[0] if found else None


def chosen_learning_rate(wildcards):
    pair = RUNS[wildcards.run].pair
    return f"{RESULTS}/sweep/{pair}.json" if pair in STUDY.swept else []


# The weights of a network that was trained elsewhere, as checkpoints of ours; as many as there are of each run's.
for run in STUDY.bringing("checkpoints"):

    rule:
        name:
            f"take_checkpoints_of_{run}"
        input:
            files=origin_of(run),
            card=f"{RESULTS}/datasets/{run.data}.json",
        output:
            checkpoints_of(run) or f"{RESULTS}/checkpoints/{run}/00.safetensors",
        log:
            f"{LOGS}/train/{run}.log",
        conda:
            "../../envs/training.yaml"
        params:
            run=brought_files(run),
            settings=flags({"network": run.architecture, "network_options": run.network_options}),
            code=code_of_run("take_checkpoints", run),
            environment=pins_of_run("take_checkpoints", run),
        message:
            f"Take the checkpoints of {run}"
        shell:
            STEP + "take-checkpoints {params.run} --files {input.files} --card {input.card} {params.settings} "
            "--output {output} > {log} 2>&1"


# Its output is complete once all of it is renamed into place; until then it works in the resume folder.
rule train_network:
    input:
        card=card_of_run,
        learning_rate=chosen_learning_rate,
    output:
        checkpoints=[f"{RESULTS}/checkpoints/{{run}}/{i:02d}.safetensors" for i in range(STUDY.measured_epochs)],
        history=f"{RESULTS}/checkpoints/{{run}}/history.csv",
    log:
        f"{LOGS}/train/{{run}}.log",
    wildcard_constraints:
        run=any_run(STUDY.trained),
    priority: as_listed
    conda:
        "../../envs/training.yaml"
    threads: lambda wildcards: RUNS[wildcards.run].settings["threads"]
    resources:
        gpu=GPU,
        mem_mb=memory,
        runtime=runtime("train"),
    params:
        data=data_of_run,
        images=images_of_run,
        settings=lambda wildcards: flags(training_settings(RUNS[wildcards.run])),
        code=lambda wildcards: code_of_training(
            "train", RUNS[wildcards.run], f"{PLACE}/checkpoints/{wildcards.run}/history.csv"
        ),
        environment=lambda wildcards: pins_of_run("train", RUNS[wildcards.run]),
        checkpoints=subpath(output.history, parent=True),
        measured=STUDY.measured_epochs,
        resume=f"{PLACE}/resume/{{run}}",
        learning_rate=lambda wildcards, input: (
            f"--learning-rate-from {input.learning_rate}" if input.learning_rate else ""
        ),
    message:
        "Train {wildcards.run}"
    shell:
        "{{ {params.images} exec " + STEP + "train --data {params.data} {params.settings} "
        "{params.learning_rate} --checkpoints {params.checkpoints} --history {output.history} "
        "--measured-epochs {params.measured} --resume {params.resume} --code-version {params.code:q} "
        "--stop-with-parent $PPID; }} >> {log} 2>&1"
