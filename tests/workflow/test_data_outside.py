"""Data out of distribution are passed once: other scores are measured again, and neither trained nor extracted."""

import re

import pytest

pytestmark = pytest.mark.xdist_group("staleness")

LIBRARY = "workflow/neural_collapse"
RUN = "digits-vgg11-mse-seed0"
TABLE = f"results/tiny/metrics/out_of_distribution/{RUN}.csv"


def test_a_changed_score_measures_again_and_neither_trains_nor_extracts(study):
    study.edit("config.yaml", "    networks:", "    out_of_distribution: [patches]\n    networks:")
    passed = {"extract_out_of_distribution": 3, "measure_out_of_distribution": 3}
    drawn = {"figure": 1, "claims": 1}
    study.edit("config.yaml", "figure-out-of-distribution, ", "")
    assert study.plan() == {"prepare_dataset": 1, "collect": 1} | passed | drawn, "nothing that was there is made again"
    study.run("snakemake", "--cores", "2", TABLE)
    assert study.plan(TABLE) == {}
    measures = (study.path / LIBRARY / "metrics/out_of_distribution.py").read_text()
    (study.path / LIBRARY / "metrics/out_of_distribution.py").write_text(
        re.sub("NCI_ALPHA = .*", "NCI_ALPHA = 0", measures)
    )
    assert study.plan(TABLE) == {"measure_out_of_distribution": 1}
    with open(study.path / LIBRARY / "data/sources/patches.py", "a") as file:
        file.write("\nassert True\n")
    assert study.plan(TABLE)["prepare_dataset"] == 1
    assert "train_network" not in study.plan(TABLE) and "extract_features" not in study.plan(TABLE)


def test_a_study_that_names_none_says_what_is_missing(study):
    said = study.run("snakemake", "-n", "figure-out-of-distribution", fails=True)
    assert "shows data out of distribution, of which the study tiny names none; write `out_of_distribution`" in said
