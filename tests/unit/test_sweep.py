"""The learning-rate sweep: every rate is tried, divergence is a result, the best rate is chosen."""

import json

import pandas as pd
import pytest
import tiny_training

from neural_collapse.__main__ import main
from neural_collapse.data.dataset import write_dataset
from neural_collapse.storage import write_csv


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "squares.safetensors"
    write_dataset(path, tiny_training.dataset())
    return path


def flags(data, **changed):
    settings = tiny_training.settings(**{"epochs": 4, "learning_rate_drops": [2, 3]} | changed)
    return ["--data", str(data), *tiny_training.flags(settings), "--threads", "1", "--code-version", "1"]


def test_a_sweep_finishes_names_what_diverged_and_is_trained_from(data, tmp_path, capfd):
    rates = [0.0001, 0.05, 1e30]
    tried = [tmp_path / f"{rate}.csv" for rate in rates]
    for rate, path in zip(rates, tried, strict=True):
        arguments = [*flags(data, learning_rate=rate), "--resume", str(tmp_path / f"resume/{rate}")]
        assert main(["try-learning-rate", *arguments, "--output", str(path)]) == 0
    table = pd.read_csv(tried[1])
    assert table.columns.tolist() == ["learning_rate", "epoch", "train_loss", "train_error", "test_error", "diverged"]
    assert table.epoch.tolist() == [1, 2, 3, 4]
    assert (table.learning_rate == 0.05).all()
    assert not table.diverged.any()
    diverged = pd.read_csv(tried[2])
    assert diverged.diverged.tolist() == [True]
    assert diverged[["train_loss", "train_error", "test_error"]].isna().all(axis=None)
    assert "the training diverged in epoch 1" in capfd.readouterr().out

    choice = tmp_path / "choice.json"
    assert main(["choose-learning-rate", *map(str, tried), "--output", str(choice)]) == 0
    chosen = json.loads(choice.read_text())
    errors = [pd.read_csv(path).test_error.iloc[-1] for path in tried[:2]]
    best = errors.index(min(errors))
    assert chosen == {"learning_rate": rates[best], "test_accuracy": 1 - errors[best], "diverged": [1e30]}

    arguments = flags(data)
    place = arguments.index("--learning-rate")
    arguments[place : place + 2] = ["--learning-rate-from", str(choice)]
    arguments += ["--measured-epochs", "2", "--resume", str(tmp_path / "resume/run")]
    arguments += ["--checkpoints", str(tmp_path / "run"), "--history", str(tmp_path / "run/history.csv")]
    assert main(["train", *arguments]) == 0
    history = pd.read_csv(tmp_path / "run/history.csv")
    assert history.learning_rate.max() == rates[best]
    assert history.test_error.iloc[-1] == errors[best]  # the sweep trained the same network
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "00.safetensors",
        "01.safetensors",
        "history.csv",
    ]


def test_a_single_training_that_diverges_fails_with_one_sentence(data, tmp_path, capfd):
    arguments = [*flags(data, learning_rate=1e30), "--measured-epochs", "2"]
    arguments += ["--checkpoints", str(tmp_path / "run"), "--history", str(tmp_path / "run/history.csv")]
    assert main(["train", *arguments, "--resume", str(tmp_path / "resume")]) == 1
    error = capfd.readouterr().err
    assert error.startswith("error: the training diverged in epoch 1: at learning rate 5e+29 its loss is no longer")
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def write_tried(path, rate, test_errors, diverged=False):
    rows = [(rate, epoch, 0.1, 0.1, error, False) for epoch, error in enumerate(test_errors, 1)]
    if diverged:
        rows.append((rate, len(rows) + 1, None, None, None, True))
    columns = ["learning_rate", "epoch", "train_loss", "train_error", "test_error", "diverged"]
    write_csv(path, pd.DataFrame(rows, columns=columns))
    return str(path)


def test_the_last_epoch_decides_and_of_equals_the_smallest_rate(tmp_path):
    tried = [
        write_tried(tmp_path / "c.csv", 0.3, [0.5, 0.25]),
        write_tried(tmp_path / "b.csv", 0.2, [0.5, 0.25]),
        write_tried(tmp_path / "a.csv", 0.1, [0.0, 0.5]),
        write_tried(tmp_path / "d.csv", 0.4, [0.1], diverged=True),
    ]
    assert main(["choose-learning-rate", *tried, "--output", str(tmp_path / "choice.json")]) == 0
    chosen = json.loads((tmp_path / "choice.json").read_text())
    assert chosen == {"learning_rate": 0.2, "test_accuracy": 0.75, "diverged": [0.4]}


def test_a_sweep_in_which_every_rate_diverged_is_one_sentence(tmp_path, capfd):
    tried = [write_tried(tmp_path / f"{rate}.csv", rate, [], diverged=True) for rate in (10.0, 100.0)]
    assert main(["choose-learning-rate", *tried, "--output", str(tmp_path / "choice.json")]) == 1
    assert capfd.readouterr().err == "error: every learning rate diverged, from 10 on; try smaller ones.\n"


@pytest.mark.parametrize(
    "text", [None, "", "learning_rate,test_error\n0.1,0.5\n", "learning_rate,test_error,diverged\n"]
)
def test_a_rate_that_was_not_tried_is_one_sentence(text, tmp_path, capfd):
    tried = tmp_path / "0.1.csv"
    if text is not None:
        tried.write_text(text)
    assert main(["choose-learning-rate", str(tried), "--output", str(tmp_path / "choice.json")]) == 1
    error = capfd.readouterr().err
    assert error.startswith(f"error: {tried}: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("digits-vgg11-mse.json", None),
        ("digits-vgg11-mse.json", "{}"),
        ("digits-vgg11-mse.json", "no JSON"),
        ("choice.json", '{"learning_rate": 0.1, "test_accuracy": 0.5, "diverged": []}'),
    ],
)
def test_a_choice_that_can_not_be_collected_is_one_sentence(name, text, tmp_path, capfd):
    choice = tmp_path / name
    if text is not None:
        choice.write_text(text)
    assert main(["collect-sweep", str(choice), "--output", str(tmp_path / "choices.csv")]) == 1
    error = capfd.readouterr().err
    assert error.startswith(f"error: {choice}: not a file of `choose-learning-rate`") and error.count("\n") == 1


@pytest.mark.parametrize("text", [None, "{}", "[0.1]", "no JSON"])
def test_a_choice_that_is_none_is_one_sentence(text, data, tmp_path, capfd):
    choice = tmp_path / "choice.json"
    if text is not None:
        choice.write_text(text)
    arguments = flags(data)
    place = arguments.index("--learning-rate")
    arguments[place : place + 2] = ["--learning-rate-from", str(choice)]
    for name in ("checkpoints", "history", "resume"):
        arguments += [f"--{name}", str(tmp_path / name)]
    assert main(["train", *arguments, "--measured-epochs", "2"]) == 1
    assert "not a file of `choose-learning-rate`" in capfd.readouterr().err
