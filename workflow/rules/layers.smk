# Every file that is kept, layer by layer, and the records of how it was made.

import itertools
import shutil

from second_look import forget_what_did_not_happen


def made_by(rule, **wildcards):
    """The outputs of a rule for every value of its wildcards (each a list, or pairs in one)."""
    names, values = list(wildcards), list(wildcards.values())
    combined = [dict(zip(names, combination)) for combination in itertools.product(*values)]
    return [str(output).format(**chosen) for chosen in combined for output in rule.output]


TRAINED = {run: made_by(rules.train_network, run=[run]) for run in RUNS}
TRIED = {
    (pair, rate): made_by(rules.try_learning_rate, pair=[pair], rate=[rate])
    for pair in STUDY.swept
    for rate in STUDY.sweep_rates
}
LAYERS = {
    "data": made_by(rules.prepare_dataset, dataset=STUDY.datasets),
    "sweep": [
        *itertools.chain(*TRIED.values()),
        *made_by(rules.choose_learning_rate, pair=STUDY.swept),
        *made_by(rules.collect_sweep),
    ],
    "train": [*itertools.chain(*TRAINED.values())],
    "features": made_by(rules.extract_features, run=RUNS),
    "metrics": [
        *made_by(rules.measure, run=RUNS),
        *made_by(rules.attack, run=RUNS),
        *made_by(rules.summarise, run=RUNS),
        *made_by(rules.collect),
    ],
    "theory": [*made_by(rules.simulate_central_path, system=STUDY.theory), *made_by(rules.check_theory)],
    "figures": [
        *made_by(rules.figure, figure=STUDY.figures),
        *made_by(rules.table),
        *made_by(rules.claims),
    ],
}
IMAGES = [rules.prepare_dataset.output.data.format(dataset=dataset) for dataset in STUDY.datasets]

# What each training makes, by the folder in which it works until then.
WORKED_IN = {rules.train_network.params.resume.format(run=run): files for run, files in TRAINED.items()}
WORKED_IN |= {
    rules.try_learning_rate.params.resume.format(pair=pair, rate=rate): files for (pair, rate), files in TRIED.items()
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
    for folder in WORKED_IN.keys() - waiting if waiting else [f"{RESULTS}/resume"]:
        shutil.rmtree(folder, ignore_errors=True)


if workflow.is_main_process:
    try:
        if bool(TOUCHES) != bool(ACCEPTS):
            raise InputError(
                "`--touch` and `--config accept=WHY` go together: the files stay, and are said to be what the present "
                "code, settings and environment would make, for a reason that is kept with them."
            )
        RECORDS = Records(
            Path(RESULTS) / "provenance",
            LAYERS,
            kept_by_dvc=[f"{RESULTS}/{name}" for name in ("data", "checkpoints", "features")],
        )
        if RECORDS.alone():
            RECORDS.restore()
            if not LOOKS:
                if not TOUCHES:
                    keep_records()  # of what a Snakemake that was killed had finished
                os.environ["NEURAL_COLLAPSE_PLAN"] = RECORDS.keep_plan(config)
        elif not LOOKS:
            raise InputError("another Snakemake works in this folder; wait until it ends.")
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:  # a full disk, a folder of somebody else's
        sys.exit(f"error: {error.filename or 'a file'}: {error.strerror or error}.")


onstart:
    # The receipts of the jobs say what they read: Snakemake need not read every checkpoint once more to end a job.
    workflow.persistence.max_checksum_file_size = 0
    forget_what_did_not_happen(workflow.dag, RECORDS.made_as_before)


onsuccess:
    if workflow.is_main_process:
        keep_records()
        if mixed := mixture(RECORDS.ran_with()):
            print(f"warning: {mixed}", file=sys.stderr)


onerror:
    if workflow.is_main_process:
        keep_records()
