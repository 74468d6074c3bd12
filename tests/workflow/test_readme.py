"""The documents' examples work as they stand there: a network, a data set, a measure and a figure of one's own."""

import re

import pandas as pd
import pytest
from conftest import ROOT

pytestmark = pytest.mark.xdist_group("workflow")

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "docs/extending.md").read_text(), re.M | re.S)


def test_a_network_a_data_set_a_measure_and_a_figure_can_be_added(study):
    for language, block in BLOCKS:
        if language == "python":
            path = study.path / re.match(r"# (\S+)\n", block).group(1)
            path.write_text(block)
        elif language == "yaml":
            study.edit("config.yaml", "(?=      digits-vgg11-mse)", block)
    assert study.plan()["train_network"] == 2, "new runs concern nobody else's training"
    patch = next(block for language, block in BLOCKS if language == "diff")
    (study.path / "measure.patch").write_text(patch)
    study.run("git", "apply", "--unidiff-zero", "--recount", "measure.patch")
    assert study.plan()["train_network"] == 2, "a new measure trains nothing"
    study.run("snakemake", "--cores", "2")
    metrics = pd.read_csv(study.path / "results/tiny/metrics.csv")
    found = set(zip(metrics.dataset, metrics.network, strict=True))
    assert {("wine", "mlp3"), ("digits", "mlp2")} <= found
    ratios = metrics[metrics.measure.isin(["signal_to_noise", "trace_ratio"])]
    products = ratios.groupby(["dataset", "network", "loss", "epoch", "split"]).value.prod()
    assert len(products) == 5 * 2 * 2 and products.between(1 - 1e-12, 1 + 1e-12).all()
    assert (study.path / "results/tiny/figures/figure-margin.png").stat().st_size > 10_000


def test_no_number_is_left_to_be_filled_in():
    prose = re.sub(r"^```.*?^```", "", (ROOT / "README.md").read_text(), flags=re.M | re.S)
    assert not re.findall(r"\b[A-Z]+_[A-Z_]{2,}\b|^[A-Z]{4,}$", prose, re.M)


def test_the_documented_commands_exist(study):
    commands = next(
        block for block in (ROOT / "README.md").read_text().split("```") if "python -m neural_collapse --help" in block
    )
    help_text = study.run("env", "PYTHONPATH=workflow", "python", "-m", "neural_collapse", "--help")
    for step in set(re.findall(r"-m neural_collapse ([a-z-]+)", commands)) - {"--help"}:
        assert f"    {step}" in help_text
    listed = {path.stem.replace("_", "-") for path in (ROOT / "workflow/neural_collapse/steps").glob("[!_]*.py")}
    assert all(f"    {step}" in help_text for step in listed)
