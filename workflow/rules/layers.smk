# Every file that is kept, layer by layer, and the records of how it was made.

import atexit
import itertools
import shutil

from snakemake.io import flag
from snakemake.path_modifier import PATH_MODIFIER_FLAG

from dvc_lock import mend
from queued import wait_for
from recording import record_where_the_job_runs
from second_look import forget_what_did_not_happen


def made_by(rule, **wildcards):
    """The outputs of a rule for every value of its wildcards (each a list, or pairs in one)."""
    names, values = list(wildcards), list(wildcards.values())
    combined = [dict(zip(names, combination)) for combination in itertools.product(*values)]
    return [str(output).format(**chosen) for chosen in combined for output in rule.output]


TRAINED = {run: made_by(rules.train_network, run=[run]) for run in STUDY.trained}
TAKEN = [file for run in STUDY.bringing("checkpoints") for file in checkpoints_of(run)]
TRIED = {
    (pair, number, place): made_by(rules.try_learning_rate, pair=[pair], round=[number], place=[f"{place:02d}"])
    for pair in STUDY.swept
    for number, count in enumerate(STUDY.sweep.rounds, 1)
    for place in range(count)
}
OUTSIDE = [run for run in RUNS if RUNS[run].outside]
LAYERS = {
    "data": [
        *made_by(rules.prepare_dataset, dataset=STUDY.datasets),
        *made_by(rules.find_files, run=[run for run in STUDY.runs if run.brings]),
    ],
    "sweep": [
        *itertools.chain(*TRIED.values()),
        *made_by(rules.choose_learning_rate, choice=CHOICES),
        *made_by(rules.collect_sweep),
    ],
    "train": [*itertools.chain(*TRAINED.values()), *TAKEN],
    "features": [
        *made_by(rules.extract_features, run=STUDY.with_network),
        *made_by(rules.extract_out_of_distribution, run=OUTSIDE),
    ],
    "metrics": [
        *made_by(rules.measure, run=STUDY.with_network),
        *made_by(rules.measure_features, run=STUDY.bringing("features")),
        *made_by(rules.measure_out_of_distribution, run=OUTSIDE),
        *made_by(rules.attack, run=STUDY.with_network),
        *made_by(rules.portrait, run=portrayed_runs(STUDY)),
        *made_by(rules.summarise, run=RUNS),
        *made_by(rules.collect),
        *made_by(rules.list_runs),
    ],
    "theory": [
        *made_by(rules.simulate_central_path, system=STUDY.theory),
        *made_by(rules.simulate_unconstrained_features) * ("figure-unconstrained-features" in STUDY.figures),
        *made_by(rules.check_theory),
    ],
    "figures": [
        *made_by(rules.figure, figure=STUDY.figures),
        *made_by(rules.table),
        *made_by(rules.claims),
    ],
}


def asked_for(made):
    """Of the files that one job makes, those that have to be asked for: one, and if that is there, what is missing.

    Snakemake looks for the maker of every file that it is asked for, among all outputs of all rules.
    """
    *others, last = made
    return [last, *(file for file in others if os.path.exists(last) and not os.path.exists(file))]


# What the target rules ask for, and so all that is kept. It has the prefix of a module already.
TARGETS = LAYERS | {"train": [*(file for files in TRAINED.values() for file in asked_for(files)), *TAKEN]}
TARGETS = {layer: [flag(file, PATH_MODIFIER_FLAG) for file in files] for layer, files in TARGETS.items()}
IMAGES = [rules.prepare_dataset.output.data.format(dataset=dataset) for dataset in STUDY.datasets]

# What each training makes, by the folder in which it works until then.
WORKED_IN = {rules.train_network.params.resume.format(run=run): files for run, files in TRAINED.items()}
WORKED_IN |= {
    rules.try_learning_rate.params.resume.format(pair=pair, round=number, place=f"{place:02d}"): files
    for (pair, number, place), files in TRIED.items()
}

# Whoever only looks may do so while another Snakemake works, and leaves the records to that one.
LOOKS = workflow.output_settings.dryrun or {
    *("--dag", "--d3dag", "--rulegraph", "--filegraph", "--summary", "-S", "--detailed-summary", "-D"),
    *("--report", "--lint", "--list", "--list-rules", "-l", "--list-target-rules", "--lt"),
} & set(sys.argv)
TOUCHES = {"--touch", "-t"} & set(sys.argv)


def keep_records():
    """Save the records, and remove the folder in which a training worked once it has made everything."""
    if TOUCHES:
        RECORDS.accept(ACCEPTS)
    RECORDS.save()
    waiting = {folder for folder, files in WORKED_IN.items() if not all(map(RECORDS.is_made, files))}
    for folder in WORKED_IN.keys() - waiting if waiting else [f"{PLACE}/resume"]:
        shutil.rmtree(folder, ignore_errors=True)


def keep_folders():
    """Make the folders that DVC expects of every study, where this one has nothing to put into them."""
    made = list(itertools.chain(*LAYERS.values()))
    for name in ("data", "datasets", "checkpoints", "features", "robustness"):
        if not any(str(file).startswith(f"{RESULTS}/{name}/") for file in made):
            Path(PLACE, name).mkdir(parents=True, exist_ok=True)
            Path(PLACE, name, ".gitkeep").touch()


if not workflow.is_main_process:
    record_where_the_job_runs()
else:
    mend()
    try:
        if bool(TOUCHES) != bool(ACCEPTS):
            raise InputError(
                "`--touch` and `--config accept=WHY` go together: the files stay, and are said to be what the present "
                "code, settings and environment would make, for a reason that is kept with them."
            )
        RECORDS = Records(
            Path(PLACE) / "provenance",
            LAYERS,
            kept_by_dvc=[f"{PLACE}/{name}" for name in ("data", "checkpoints", "features")],
        )
        if RECORDS.alone():
            if not LOOKS:
                wait_for(RECORDS.submitted())
            RECORDS.restore()
            if not LOOKS:
                keep_folders()
                if not TOUCHES:
                    keep_records()  # of what a Snakemake that was killed had finished
                os.environ["NEURAL_COLLAPSE_PLAN"] = RECORDS.keep_plan(config)
                PLANNED_WORDS.unlink(missing_ok=True)
                if IS_MODULE:  # whose hooks below nobody calls
                    atexit.register(keep_records)
        elif not LOOKS:
            raise InputError("another Snakemake works in this folder; wait until it ends.")
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:  # a full disk, a folder of somebody else's
        sys.exit(f"error: {error.filename or 'a file'}: {error.strerror or error}.")


onstart:
    # The receipts of the jobs say what they read: Snakemake need not read every checkpoint once more to end a job.
    workflow.persistence.max_checksum_file_size = 0
    write_json(PLANNED_WORDS, WORDS)
    forget_what_did_not_happen(workflow.dag, RECORDS.made_as_before)
    # Jobs append to their logs, so that those of a first attempt are there after a second: each run begins anew.
    for log in {log for job in workflow.dag.needrun_jobs() for log in job.log}:
        Path(log).unlink(missing_ok=True)
    warn_of_training_on_cpus()


onsuccess:
    if workflow.is_main_process:
        keep_records()
        if mixed := mixture(RECORDS.ran_with()):
            print(f"warning: {mixed}", file=sys.stderr)


onerror:
    if workflow.is_main_process:
        keep_records()
