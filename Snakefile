from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/configuration.smk"


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/sweep.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/theory.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/layers.smk"
include: "workflow/rules/targets.smk"


# All but the images: absent ones are made when a job needs them, and make nothing stale.
rule all:
    default_target: True
    input:
        [file for files in TARGETS.values() for file in files if file not in IMAGES],
    message:
        "The study is complete"


rule data:
    input:
        TARGETS["data"],
    message:
        "The layer data is complete"


rule sweep:
    input:
        TARGETS["sweep"],
    message:
        "The layer sweep is complete"


rule train:
    input:
        TARGETS["train"],
    message:
        "The layer train is complete"


rule features:
    input:
        TARGETS["features"],
    message:
        "The layer features is complete"


rule metrics:
    input:
        TARGETS["metrics"],
    message:
        "The layer metrics is complete"


rule theory:
    input:
        TARGETS["theory"],
    message:
        "The layer theory is complete"


rule figures:
    input:
        TARGETS["figures"],
    message:
        "The layer figures is complete"
