# Every file that is kept, layer by layer, and the records of how it was made.

import shutil

IMAGES = [f"{RESULTS}/data/{dataset}.safetensors" for dataset in STUDY.datasets]
TRIED = [(pair, rate) for pair in STUDY.swept for rate in STUDY.sweep_rates]
TRAINED = {
    run: [
        f"{RESULTS}/checkpoints/{run}/{file}"
        for file in [*(f"{i:02d}.safetensors" for i in range(STUDY.measured_epochs)), "history.csv"]
    ]
    for run in RUNS
}
LAYERS = {
    "data": [
        *IMAGES,
        *(f"{RESULTS}/datasets/{dataset}.{kind}" for dataset in STUDY.datasets for kind in ("json", "origin.json")),
    ],
    "sweep": [
        *(f"{RESULTS}/sweep/{pair}/{rate}.csv" for pair, rate in TRIED),
        *(f"{RESULTS}/sweep/{pair}.json" for pair in STUDY.swept),
        f"{RESULTS}/sweep/choices.csv",
    ],
    "train": [file for files in TRAINED.values() for file in files],
    "features": of_every_run("features", "safetensors"),
    "metrics": [
        *of_every_run("metrics", "csv"),
        *of_every_run("robustness", "csv"),
        *of_every_run("summary", "json"),
        f"{RESULTS}/metrics.csv",
    ],
    "theory": [f"{RESULTS}/theory/{system}.csv" for system in STUDY.theory],
    "figures": [f"{RESULTS}/figures/{figure}.{kind}" for figure in STUDY.figures for kind in ("pdf", "png")]
    + [f"{RESULTS}/tables/table-1.{kind}" for kind in ("csv", "md")]
    + [f"{RESULTS}/claims.csv"],
}

# What each training makes, by the folder in which it works until then.
WORKED_IN = {f"{RESULTS}/resume/{run}": files for run, files in TRAINED.items()}
WORKED_IN |= {f"{RESULTS}/resume/{pair}/{rate}": [f"{RESULTS}/sweep/{pair}/{rate}.csv"] for pair, rate in TRIED}

# Whoever only looks may do so while another Snakemake works, and leaves the records to that one.
LOOKS = workflow.output_settings.dryrun or {
    *("--dag", "--d3dag", "--rulegraph", "--filegraph", "--summary", "-S", "--detailed-summary", "-D"),
    *("--report", "--lint", "--list", "--list-rules", "-l", "--list-target-rules", "--lt"),
} & set(sys.argv)

if workflow.is_main_process:
    try:
        RECORDS = Records(
            Path(RESULTS) / "provenance",
            LAYERS,
            kept_by_dvc=[f"{RESULTS}/{name}" for name in ("data", "checkpoints", "features")],
        )
        if RECORDS.alone():
            RECORDS.restore()
        elif not LOOKS:
            raise InputError("another Snakemake works in this folder; wait until it ends.")
    except InputError as error:
        sys.exit(f"error: {error}")


def keep_records():
    """Save the records, and remove the folder in which a training worked once it has made everything."""
    RECORDS.save()
    waiting = {folder for folder, files in WORKED_IN.items() if not all(map(RECORDS.is_made, files))}
    for folder in WORKED_IN.keys() - waiting if waiting else [f"{RESULTS}/resume"]:
        shutil.rmtree(folder, ignore_errors=True)


onsuccess:
    if workflow.is_main_process:
        keep_records()


onerror:
    if workflow.is_main_process:
        keep_records()
