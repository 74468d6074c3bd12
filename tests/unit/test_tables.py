import re

import numpy as np
import pandas as pd
import pytest
from synthetic import synthetic_run

from neural_collapse.__main__ import main
from neural_collapse.figures.table_1 import PAPER_TABLE_1, accuracy_table, to_markdown
from neural_collapse.figures.views import write_view
from neural_collapse.storage import write_csv


def test_the_papers_numbers_give_the_papers_median_and_mean():
    improvements = [last - first for first, last in PAPER_TABLE_1.values()]
    assert np.median(improvements) == pytest.approx(0.962, abs=0.005)
    assert np.mean(improvements) == pytest.approx(1.833, abs=0.005)


def test_accuracy_is_read_off_at_both_zero_error_epochs_and_at_the_last():
    table = pd.concat([
        synthetic_run("digits", "vgg11", zero_error=1e9),
        synthetic_run("mnist", "resnet18", zero_error=30),
        synthetic_run("mnist", "resnet18", "ce"),
    ])  # fmt: skip
    train_error = (table.measure == "error") & (table.split == "train") & (table.dataset == "mnist")
    table.loc[train_error & (table.epoch == 30), "value"] = 0.0005
    reached, never = accuracy_table(table).to_dict("records")
    assert reached["network"] == "resnet18"
    assert (reached["epoch_of_99_9_percent"], reached["epoch_of_100_percent"]) == (30, 36)
    accuracy = {epoch: 100 * (1 - 0.05 - 0.5 / (1 + epoch)) for epoch in (30, 36, 100)}
    assert reached["at_99_9_percent"] == pytest.approx(accuracy[30])
    assert reached["at_100_percent"] == pytest.approx(accuracy[36])
    assert reached["improvement"] == pytest.approx(accuracy[100] - accuracy[30])
    assert (reached["paper_at_zero_error"], reached["paper_at_last_epoch"]) == (99.16, 99.70)
    assert pd.isna([never["epoch_of_99_9_percent"], never["improvement"], never["paper_improvement"]]).all()
    assert never["at_last_epoch"] == pytest.approx(accuracy[100])


def test_the_step_writes_the_table_twice(tmp_path):
    write_csv(tmp_path / "metrics.csv", synthetic_run("mnist", "vgg11"))
    outputs = ["--csv", str(tmp_path / "table-1.csv"), "--md", str(tmp_path / "table-1.md")]
    assert main(["table", "--tables", str(tmp_path / "metrics.csv"), *outputs]) == 0
    table = pd.read_csv(tmp_path / "table-1.csv")
    assert table.dataset.tolist() == ["mnist"]
    assert (tmp_path / "table-1.md").read_text() == to_markdown(accuracy_table(synthetic_run("mnist", "vgg11")))


def test_markdown_shows_names_rounded_numbers_and_the_summary():
    lines = to_markdown(accuracy_table(synthetic_run("mnist", "vgg11", zero_error=30))).splitlines()
    assert "| MNIST | VGG11 | 0 | 30 | 93.39 | 30 | 93.39 | 100 | 94.50 | 1.12 | 99.23 | 99.59 | 0.36 |" in lines
    assert lines[-1].startswith("Improvement from 99.9 % to the last epoch: median 1.12, mean 1.12")


def test_markdown_leaves_out_what_no_run_has():
    markdown = to_markdown(accuracy_table(synthetic_run("digits", "vgg11", zero_error=1e9)))
    assert "paper, last epoch" not in markdown and "99.9 % train accuracy |" not in markdown
    assert "| digits | VGG11 | 0 | 100 | 94.50 |" in markdown.splitlines()
    assert markdown.splitlines()[-1].startswith("Improvement from 99.9 % to the last epoch: median –, mean –")


def test_a_page_has_a_dash_where_there_is_no_value(tmp_path):
    never = accuracy_table(synthetic_run("digits", "vgg11", zero_error=1e9))
    write_view(tmp_path / "table.html", never, "Table 1")
    shown = re.findall("<td>(.*?)</td>", (tmp_path / "table.html").read_text())
    assert [value == "–" for value in shown] == never.iloc[0].isna().tolist()


def test_without_an_mse_run_there_is_the_header_alone():
    empty = accuracy_table(synthetic_run(loss="ce"))
    assert empty.empty and list(empty) == list(accuracy_table(synthetic_run()))
    assert to_markdown(empty).splitlines()[-3].startswith("| --- |")
