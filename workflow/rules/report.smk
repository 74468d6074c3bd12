# The page of a study. It is no product (git ignores it, and it is no part of `all`): whoever wants it asks for it.

import subprocess

if "--report" in sys.argv:
    from report_times import leave_out_jobs_without_times

    leave_out_jobs_without_times()


def results_commit():
    """The commit that the study's results are of, and whether they were changed since; nothing outside of git."""
    git = ["git", "-C", str(WORKFLOW.parent)]
    try:
        last = [*git, "log", "-1", "--format=commit %h of %cs", "--", RESULTS]
        commit = subprocess.run(last, capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", RESULTS], capture_output=True, text=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{commit or 'no commit'}, changed since" if changed else commit


def about_study():
    study = CONFIG["studies"][STUDY.name]
    about = {"study": STUDY.name, "description": study.get("description", ""), "commit": results_commit()}
    return json.dumps(about)


rule report:
    input:
        tables=tables_of_every_run(),
        figures=[rules.figure.output.png.format(figure=figure) for figure in STUDY.figures],
        claims=rules.claims.output.csv,
        checks=rules.check_theory.output,
        cards=cards_of_runs(),
        portraits=[rules.portrait.output[0].format(run=run) for run in portrayed_runs(STUDY)],
        runs=rules.list_runs.output,
        # What the tables beside the page hold.
        beside=[*rules.collect.output, *rules.table.output, *rules.collect_sweep.output],
        # Words and looks of the page: an input of the report alone.
        words=[
            str(path)
            for path in sorted((WORKFLOW / "neural_collapse" / "report").rglob("*.*"))
            if path.suffix != ".pyc"
        ],
    output:
        f"{RESULTS}/report.html",
    log:
        f"{LOGS}/report.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        about=lambda wildcards: about_study(),
        # The records of git, and the receipts of jobs that ended since.
        records=f"{PLACE}/provenance .snakemake/receipts",
        code=code("report"),
        environment=pins("steps.report"),
    message:
        "Make the page of the study, {output}"
    shell:
        STEP + "report {input.tables} --figures {input.figures} --claims {input.claims} "
        "--checks {input.checks} --cards {input.cards} --portraits {input.portraits} --runs {input.runs} --records {params.records} "
        "--about {params.about:q} --output {output} > {log} 2>&1"
