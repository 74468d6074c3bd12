"""The learning-rate sweep: rates are tried in rounds, divergence is a result, the best rate is chosen."""

import json
import math

import pandas as pd
import pytest
import tiny_training

from neural_collapse.__main__ import main
from neural_collapse.config.sweeps import Sweep
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
    assert table.columns.tolist() == COLUMNS
    assert table.epoch.tolist() == [1, 2, 3, 4] and (table.epochs == 4).all()
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
    accuracies = [*(1 - error for error in errors), None]
    assert chosen == {
        "learning_rates": [rates[best]],
        "trials": [
            {"learning_rate": rate, "epochs": 4, "test_accuracy": accuracy}
            for rate, accuracy in zip(rates, accuracies, strict=True)
        ],
    }

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


COLUMNS = ["learning_rate", "epochs", "epoch", "train_loss", "train_error", "test_error", "diverged"]


def write_tried(path, rate, test_errors, diverged=False):
    epochs = len(test_errors) + diverged
    rows = [(rate, epochs, epoch, 0.1, 0.1, error, False) for epoch, error in enumerate(test_errors, 1)]
    if diverged:
        rows.append((rate, epochs, epochs, None, None, None, True))
    write_csv(path, pd.DataFrame(rows, columns=COLUMNS))
    return str(path)


def chosen(tmp_path, tried, keep):
    choice = tmp_path / "choice.json"
    assert main(["choose-learning-rate", *tried, "--keep", str(keep), "--output", str(choice)]) == 0
    return json.loads(choice.read_text())


@pytest.mark.parametrize(("keep", "rates"), [(1, [0.2]), (2, [0.2, 0.3]), (3, [0.1, 0.2, 0.3]), (4, [0.1, 0.2, 0.3])])
def test_the_last_epoch_decides_of_equals_the_smallest_rates_and_what_diverged_drops_out(keep, rates, tmp_path):
    tried = [
        write_tried(tmp_path / "c.csv", 0.3, [0.5, 0.25]),
        write_tried(tmp_path / "b.csv", 0.2, [0.5, 0.25]),
        write_tried(tmp_path / "a.csv", 0.1, [0.0, 0.5]),
        write_tried(tmp_path / "d.csv", 0.4, [0.1], diverged=True),
    ]
    choice = chosen(tmp_path, tried, keep)
    assert choice["learning_rates"] == rates
    assert [trial["learning_rate"] for trial in choice["trials"]] == [0.1, 0.2, 0.3, 0.4]
    assert [trial["test_accuracy"] for trial in choice["trials"]] == [0.5, 0.75, 0.75, None]


def final_error(rate, epochs):
    """A synthetic curve: the best rate is 1e-2, a short training prefers a larger one, 1e-1 and more diverges."""
    return abs(math.log10(rate) + 2 - 0.5 * math.exp(-epochs / 40)) / 10 + 1 / epochs


DROPS = {12: [4, 8], 38: [13, 25], 116: [38, 77]}  # of 350 epochs after 116 and 233


@pytest.mark.parametrize(
    ("count", "rounds", "epochs"),
    [
        (25, (25, 8, 2), [12, 38, 116]),
        (9, (9, 3), [38, 116]),
        (27, (27, 9, 3), [12, 38, 116]),
        (6, (6, 2), [38, 116]),
        (5, (5,), [116]),
        (2, (2,), [116]),
    ],
)
def test_halving_goes_through_its_rounds_to_a_rate_next_to_the_best(count, rounds, epochs, tmp_path):
    run = {"epochs": 350, "learning_rate_drops": [116, 233], "warmup_epochs": 0, "weight_decay": 5e-4}
    sweep = Sweep("halving", 1e-4, 0.25, count)
    assert sweep.rounds == rounds and len(sweep.rates) == count
    rates = list(sweep.rates)
    for number, (tries, length) in enumerate(zip(rounds, epochs, strict=True), 1):
        settings = sweep.settings(number, run)
        assert settings == run | {"epochs": length, "learning_rate_drops": DROPS[length]}
        assert len(rates) == tries
        tried = [
            write_tried(tmp_path / f"{i}.csv", rate, [final_error(rate, length)] * length, diverged=rate >= 0.1)
            for i, rate in enumerate(rates)
        ]
        rates = chosen(tmp_path, tried, [*rounds, 1][number])["learning_rates"]
    best = min(sweep.rates, key=lambda rate: final_error(rate, 350))
    assert len(rates) == 1 and abs(sweep.rates.index(rates[0]) - sweep.rates.index(best)) <= 1


def test_a_full_sweep_is_one_round_of_all_rates_as_the_run_is_set():
    sweep, run = Sweep("full", 1e-4, 0.25, 25), {"epochs": 50, "learning_rate_drops": [22], "warmup_epochs": 5}
    assert sweep.rounds == (25,) and sweep.settings(1, run) == run
    halving = Sweep("halving", 1e-4, 0.25, 9)
    assert halving.settings(1, run) == {"epochs": 5, "learning_rate_drops": [2], "warmup_epochs": 0}
    assert halving.settings(2, run) == {"epochs": 16, "learning_rate_drops": [7], "warmup_epochs": 1}
    assert halving.settings(1, run | {"epochs": 4, "learning_rate_drops": [2]})["epochs"] == 1


def test_where_too_few_rates_go_on_the_places_that_are_left_try_nothing(data, tmp_path):
    tried = [
        write_tried(tmp_path / "a.csv", 0.1, [0.25]),
        *(write_tried(tmp_path / f"{rate}.csv", rate, [], diverged=True) for rate in (1.0, 10.0, 100.0)),
    ]
    assert chosen(tmp_path, tried, 2)["learning_rates"] == [0.1]
    arguments = flags(data)
    place = arguments.index("--learning-rate")
    arguments[place : place + 2] = ["--learning-rate-from", str(tmp_path / "choice.json")]
    outputs = [tmp_path / "round2" / f"{place}.csv" for place in range(2)]
    for place, output in enumerate(outputs):
        resume = ["--resume", str(tmp_path / f"resume/{place}"), "--place", str(place)]
        assert main(["try-learning-rate", *arguments, *resume, "--output", str(output)]) == 0
    assert (pd.read_csv(outputs[0]).learning_rate == 0.1).all()
    assert pd.read_csv(outputs[1]).epoch.tolist() == [0] and not (tmp_path / "resume/1").exists()
    assert chosen(tmp_path, map(str, outputs), 1)["learning_rates"] == [0.1]


def test_the_collected_table_says_for_every_round_what_was_tried_and_kept(tmp_path):
    rounds = [tmp_path / "round1/digits-vgg11-ce.json", tmp_path / "digits-vgg11-ce.json"]
    early = [write_tried(tmp_path / "a.csv", 0.1, [0.5]), write_tried(tmp_path / "b.csv", 0.2, [], diverged=True)]
    late = [write_tried(tmp_path / "c.csv", 0.1, [0.5, 0.25, 0.25])]
    for choice, tried in zip(rounds, (early, late), strict=True):
        assert main(["choose-learning-rate", *tried, "--output", str(choice)]) == 0
    assert main(["collect-sweep", *map(str, rounds), "--output", str(tmp_path / "choices.csv")]) == 0
    assert (tmp_path / "choices.csv").read_text() == (
        "dataset,network,loss,variant,round,epochs,learning_rate,test_accuracy,diverged,kept\n"
        "digits,vgg11,ce,plain,1,1,0.1,0.5,False,True\n"
        "digits,vgg11,ce,plain,1,1,0.2,nan,True,False\n"
        "digits,vgg11,ce,plain,2,3,0.1,0.75,False,True\n"
    )


def test_a_sweep_in_which_every_rate_diverged_is_one_sentence(tmp_path, capfd):
    tried = [write_tried(tmp_path / f"{rate}.csv", rate, [], diverged=True) for rate in (10.0, 100.0)]
    assert main(["choose-learning-rate", *tried, "--output", str(tmp_path / "choice.json")]) == 1
    assert capfd.readouterr().err == "error: every learning rate diverged, from 10 on; try smaller ones.\n"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "learning_rate,test_error\n0.1,0.5\n",
        "learning_rate,epochs,epoch,test_error,diverged\n",
        "learning_rate,epochs,epoch,test_error,diverged\n0.1,3,2,0.5,False\n",  # cut before its last epoch
    ],
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
        ("digits-vgg11-mse.json", '{"learning_rates": [0.1], "trials": [{"learning_rate": 0.1}]}'),
        ("digits-vgg11.json", '{"learning_rates": [0.1], "trials": []}'),
    ],
)
def test_a_choice_that_can_not_be_collected_is_one_sentence(name, text, tmp_path, capfd):
    choice = tmp_path / name
    if text is not None:
        choice.write_text(text)
    assert main(["collect-sweep", str(choice), "--output", str(tmp_path / "choices.csv")]) == 1
    error = capfd.readouterr().err
    assert error.startswith(f"error: {choice}: not a file of `choose-learning-rate`") and error.count("\n") == 1


@pytest.mark.parametrize("text", [None, "{}", "[0.1]", "no JSON", '{"learning_rates": []}', '{"learning_rates": [-1]}'])
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
    error = capfd.readouterr().err
    assert error.startswith(f"error: {choice}: ") and error.count("\n") == 1
