import json

import pandas as pd
import pytest
from synthetic import synthetic_run

from neural_collapse.__main__ import main
from neural_collapse.errors import InputError
from neural_collapse.metrics.runs import COLUMNS, family, title
from neural_collapse.metrics.tables import read_tables, runs, summarise, zero_error_epoch
from neural_collapse.storage import write_csv


def run_with_train_errors(errors):
    rows = [("digits", "vgg11", "mse", "plain", 0, epoch, "train", "error", error) for epoch, error in errors.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.mark.parametrize(
    ("errors", "near", "exact"),
    [
        ({1: 0.5, 2: 0.001, 5: 0.0}, 2, 5),
        ({1: 0.5, 2: 0.0, 5: 0.3}, 2, 2),  # the first time, though it un-happens
        ({5: 0.0, 1: 0.5, 2: 0.0011}, 5, 5),
        ({1: 0.5, 2: 0.0011}, None, None),
        ({1: 0.5, 2: float("nan"), 5: 0.0005}, 5, None),
    ],
)
def test_zero_error_epoch_is_the_first_measured_one_that_qualifies(errors, near, exact):
    run = run_with_train_errors(errors)
    assert zero_error_epoch(run) == near
    assert zero_error_epoch(run, 0.0) == exact


def test_collecting_keeps_every_value_whatever_the_order_of_the_files(tmp_path):
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path, loss in zip(paths, ("mse", "ce"), strict=True):
        write_csv(path, synthetic_run(loss=loss, noise=0.3))
    for name, given in (("forward", paths), ("backward", paths[::-1])):
        assert main(["collect", *map(str, given), "--output", str(tmp_path / f"{name}.csv")]) == 0
    assert (tmp_path / "forward.csv").read_bytes() == (tmp_path / "backward.csv").read_bytes()
    together = read_tables([tmp_path / "forward.csv"])
    expected = pd.concat([synthetic_run(loss="ce", noise=0.3), synthetic_run(loss="mse", noise=0.3)])
    pd.testing.assert_frame_equal(
        together, expected.sort_values(COLUMNS[:-1], ignore_index=True), check_dtype=False, check_exact=True
    )
    assert main(["summarise", str(paths[0]), "--output", str(tmp_path / "summary.json")]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["zero_error_epoch"] == 30


def test_summary_holds_the_last_values_and_none_for_what_never_was():
    run = synthetic_run(zero_error=1e9)
    run.loc[(run.measure == "robustness") & (run.epoch == 100), "value"] = float("nan")
    summary = summarise(run[run.measure != "self_duality"])
    assert summary["zero_error_epoch"] is None
    assert summary["test_error"] == pytest.approx(0.05 + 0.5 / 101)
    assert "self_duality" not in summary


def test_runs_come_in_the_papers_order():
    names = [
        ("digits", "vgg11"), ("mnist", "efficientnet_b0"), ("mnist", "densenet40"), ("cifar10", "vgg11"),
        ("mnist", "resnet18"), ("fashionmnist", "vgg11"), ("mnist", "vgg11"),
    ]  # fmt: skip
    table = pd.concat([synthetic_run(*name, epochs=1) for name in names])
    assert [(run.dataset, run.network) for run, _ in runs(table)] == [
        ("mnist", "vgg11"), ("mnist", "resnet18"), ("mnist", "densenet40"), ("mnist", "efficientnet_b0"),
        ("fashionmnist", "vgg11"), ("cifar10", "vgg11"), ("digits", "vgg11"),
    ]  # fmt: skip


def test_names():
    assert [family(name) for name in ("vgg11", "vit_b_16", "resnext50_32x4d")] == ["vgg", "vit", "resnext"]
    assert [title(name) for name in ("densenet40", "cifar10", "digits")] == ["DenseNet40", "CIFAR10", "digits"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset,network\na,b\n", "no loss,variant,seed,epoch,split,measure,value; the columns"),
        ("", "can't be read as a table"),
        (",".join(COLUMNS) + "\na,b,mse,plain,0,1,train,nc1,much\n", "can't be read as a table .*much"),
        (
            ",".join(COLUMNS) + "\na,b,mse,plain,0,1,train,nc1,1\na,b,mse,plain,0,1,train,nc1,2\n",
            "a-b-mse-seed0: nc1 .* twice",
        ),
    ],
)
def test_a_file_that_is_no_table_is_named_in_one_sentence(tmp_path, text, message):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_tables([path])
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.csv: there is no such file"):
        read_tables([tmp_path / "absent.csv"])
