"""Every script in examples/ runs as it stands, is short, and ends in a table and a figure."""

import runpy
from pathlib import Path

import matplotlib.image
import pandas as pd
import pytest
import torch

import neural_collapse.vision  # noqa: F401 (torchvision may be beside a CPU build of torch)

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_ends_in_a_table_and_a_figure(example, tmp_path, monkeypatch):
    assert len(example.read_text().splitlines()) < 25
    monkeypatch.chdir(tmp_path)
    # A figure of everything that is measured, and one of MSE alone: the others are drawn elsewhere.
    monkeypatch.setattr("neural_collapse.figures.all.known_figures", lambda: ["figure-02", "figure-07"])
    torch.manual_seed(0)
    runpy.run_path(str(example))
    assert len(pd.read_csv("table.csv")) > 0
    assert matplotlib.image.imread("figures/figure-07.png").std() > 0.01
