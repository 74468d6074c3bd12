"""A setting as an axis of a study: adding a value to a grid makes what is new, and nothing else."""

import shutil

import pytest
from conftest import Repository

pytestmark = pytest.mark.xdist_group("staleness")

FIGURE = "results/tiny/figures/figure-settings.png"


def test_a_value_added_to_a_grid_trains_that_run_alone(fresh, tmp_path):
    study = Repository(tmp_path / "repository")
    shutil.copytree(fresh.path, study.path, symlinks=True)
    study.edit("config.yaml", r"      digits-resnet18-mse: \{\}\n", "")
    study.edit("config.yaml", r"      digits-vgg11-ce: .*\n", "")
    study.edit(
        "config.yaml",
        "    runs:",
        "    grid: {dataset.train_per_class: [20], weight_decay: [0.0005, 1e-05]}\n    runs:",
    )
    study.run("snakemake", "--cores", "1", FIGURE)
    assert study.plan(FIGURE) == {}
    study.edit("config.yaml", "1e-05", "1e-05, 0.02")
    once = ("train_network", "extract_features", "measure", "list_runs", "figure")
    assert study.plan(FIGURE) == dict.fromkeys(once, 1)
    study.edit("config.yaml", r"\[20\]", "[20, 30]")
    trained = dict.fromkeys(("train_network", "extract_features", "measure"), 4)
    assert study.plan(FIGURE) == {"prepare_dataset": 1, "list_runs": 1, "figure": 1} | trained
    assert "figure-settings: shows what differs with a setting" in Repository(fresh.path).run(
        "snakemake", "-n", "figure-settings", fails=True
    )
