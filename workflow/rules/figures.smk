def files_of_figure(figure):
    """The files a figure reads: those of the runs it shows, of the simulated systems, or the table of theory it names."""
    declared = declared_by(figure)
    reads = declared["READS"]
    if reads == "theory":
        tables = [declared["TABLE"]] if "TABLE" in declared else STUDY.theory
        return [f"{RESULTS}/theory/{table}.csv" for table in tables]
    suffix = "json" if reads == "portraits" else "csv"
    layers = {
        "robustness": ["metrics", "robustness"],
        "out_of_distribution": ["metrics", "metrics/out_of_distribution"],
        "portraits": ["metrics/portraits"],
        "settings": ["metrics"],
        "codes": ["metrics"],
    }.get(reads, [reads])
    tables = [f"{RESULTS}/{layer}/{run}.{suffix}" for layer in layers for run in shown_runs(figure, STUDY.runs)]
    tables += rules.list_runs.output * (reads in ("settings", "codes"))
    return tables + cards_of_runs() * (reads == "codes")


CAPTIONS = WORKFLOW / "neural_collapse" / "report" / "captions"


def caption(figure):
    """Of its own file, and what holds of every figure with a panel a network."""
    declared = declared_by(figure)
    grid = declared["READS"] in ("metrics", "robustness") and not declared.get("NEEDS_LAYERS")
    files = [CAPTIONS / f"{name}.rst" for name in (figure, *["panels"] * grid)]
    return "\n".join(file.read_text() for file in files if file.exists())


def title_of(figure):
    """What Snakemake's report calls a figure: the bold beginning of its caption or, without one, its name."""
    bold = re.match(r"\*\*(.*?)\*\*", caption(figure), re.S)
    return " ".join(bold[1].split()) if bold else figure


MSE_RUNS = [run for run in STUDY.runs if run.loss == "mse"]


rule figure:
    input:
        lambda wildcards: files_of_figure(wildcards.figure),
    output:
        pdf=report(
            f"{RESULTS}/figures/{{figure}}.pdf",
            caption="../report/figure.rst",
            category="Figures",
            labels=lambda wildcards: {"figure": title_of(wildcards.figure), "format": "PDF"},
        ),
        png=report(
            f"{RESULTS}/figures/{{figure}}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels=lambda wildcards: {"figure": title_of(wildcards.figure), "format": "PNG"},
        ),
    log:
        f"{LOGS}/figures/{{figure}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        # A function of the output, so that other words do not draw the figure again.
        caption=lambda wildcards, output: caption(wildcards.figure),
        code=lambda wildcards: code("figure", f"figures.{wildcards.figure.replace('-', '_')}"),
        environment=pins("steps.figure"),
    message:
        "Draw {wildcards.figure}"
    shell:
        STEP + "figure --figure {wildcards.figure} --tables {input} "
        "--pdf {output.pdf} --png {output.png} > {log} 2>&1"


# Without a run of its loss, table 1 is a header: DVC wants the file whatever the study.
rule table:
    input:
        [f"{RESULTS}/metrics/{run}.csv" for run in MSE_RUNS or STUDY.runs],
    output:
        csv=f"{RESULTS}/tables/table-1.csv",
        md=f"{RESULTS}/tables/table-1.md",
        html=report(
            f"{RESULTS}/tables/table-1.html",
            caption="../neural_collapse/report/captions/table-1.rst",
            category="Tables",
            labels={"table": "Table 1: test accuracy"},
        ),
    log:
        f"{LOGS}/tables/table-1.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code("table"),
        environment=pins("steps.table"),
    message:
        "Tabulate Table 1"
    shell:
        STEP + "table --tables {input} --csv {output.csv} --md {output.md} --html {output.html} > {log} 2>&1"


rule claims:
    input:
        tables=tables_of_every_run(),
        cards=cards_of_runs(),
        runs=rules.list_runs.output,
        checks=f"{RESULTS}/theory/checks.csv",
    output:
        csv=f"{RESULTS}/claims.csv",
        html=report(
            f"{RESULTS}/tables/claims.html",
            caption="../neural_collapse/report/captions/claims.rst",
            category="Tables",
            labels={"table": "The papers' claims"},
        ),
    log:
        f"{LOGS}/claims.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code("claims"),
        environment=pins("steps.claims"),
    message:
        "Check the paper's claims"
    shell:
        STEP + "claims --tables {input.tables} --cards {input.cards} --checks {input.checks} "
        "--runs {input.runs} "
        "--output {output.csv} --html {output.html} > {log} 2>&1"
