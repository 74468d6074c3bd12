"""Weights of networks that were trained elsewhere, and files that are named by a pattern."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from neural_collapse.__main__ import main
from neural_collapse.data.own_files import are_there, digest_of_files, folder_of, found_files, how_many, sha256_of
from neural_collapse.errors import InputError
from neural_collapse.storage import read_json, write_json
from neural_collapse.train.checkpoints import load_network
from neural_collapse.train.elsewhere import load_into, read_weights
from neural_collapse.train.networks import build

SIZE = {"in_channels": 1, "classes": 3, "image_size": 8}
MODEL = """
from torch import nn


class Small(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
        self.head = nn.Linear(4 * 36, classes)

    def forward(self, images):
        return self.head(self.body(images))
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model of a module in the folder that a user works in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_users_models.py").write_text(MODEL)
    network = build("a_users_models:Small", seed=3, **SIZE)
    import a_users_models

    torch.manual_seed(1)
    return network.eval(), a_users_models.Small(3).eval()


@pytest.mark.parametrize(
    "saved",
    [
        lambda state: state,
        lambda state: {"model": state, "epoch": 4, "lr": 0.1},
        lambda state: {"state_dict": {f"module.{name}": value for name, value in state.items()}},
        lambda state: {f"_orig_mod.{name}": value for name, value in state.items()},
    ],
)
def test_a_network_computes_what_the_model_did_that_its_weights_are_of(saved, model, tmp_path):
    network, original = model
    images = torch.randn(5, 1, 8, 8)
    before = network(images)
    torch.save(saved(original.state_dict()), tmp_path / "3.pt")
    weights = read_weights(tmp_path / "3.pt")
    load_into(network, weights, tmp_path / "3.pt")
    assert torch.equal(network(images), original(images)) and not torch.equal(before, original(images))
    assert torch.equal(network.features(images), original.body(images))
    assert weights.epoch == saved(original.state_dict()).get("epoch")


def test_weights_of_another_network_or_none_are_one_sentence(model, tmp_path):
    network, original = model
    state = original.state_dict()
    path = tmp_path / "1.safetensors"
    for changed, words in [
        ({name: value for name, value in state.items() if name != "head.bias"}, "lacks classifier.bias"),
        (state | {"aux.weight": torch.ones(1)}, "aux.weight"),
        (state | {"head.weight": torch.ones(2, 144)}, r"classifier.weight has the shape \(2, 144\), not \(3, 144\)"),
    ]:
        save_file(changed, path)
        with pytest.raises(InputError, match=words):
            load_into(network, read_weights(path), path)
    path.write_bytes(b"\0" * 20)
    with pytest.raises(InputError, match="can't be read"):
        read_weights(path)
    torch.save(original, tmp_path / "whole.pt")  # a pickle of a class, which is not to be run
    with pytest.raises(InputError, match="save the network's state_dict"):
        read_weights(tmp_path / "whole.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(InputError, match="holds no weights"):
        read_weights(tmp_path / "list.pt")


@pytest.fixture
def take(tmp_path, model):
    """Take checkpoints as the workflow does; returns the epochs of those that were written, or what was said."""

    def take(names, saved, capsys):
        (tmp_path / "weights").mkdir()
        for name, content in saved.items():
            torch.save(content, tmp_path / "weights" / name)
        run = {"checkpoints": f"weights/{names}", "network": "a_users_models:Small"}
        write_json("config.json", {"study": "s", "studies": {"s": {"runs": {"digits-mine-ce": run}}}})
        write_json("card.json", {"image": [1, 8, 8], "classes": ["a", "b", "c"]})
        common = ["--config", "config.json", "--study", "s", "--run", "digits-mine-ce-seed0"]
        if main(["find-files", *common, "--output", "files.json"]):
            return capsys.readouterr().err
        made = [f"made{place}.safetensors" for place in range(read_json("files.json", "files")["files"])]
        flags = ["--files", "files.json", "--card", "card.json", "--network", "a_users_models:Small"]
        if main(["take-checkpoints", *common, *flags, "--output", *made]):
            return capsys.readouterr().err
        return [load_network(path)[1] for path in made]

    return take


def test_epochs_come_from_names_or_from_files(take, model, capsys):
    state = model[1].state_dict()
    assert take("{epoch}.pt", {"10.pt": state, "9.pt": state, "other.pt": state}, capsys) == [9, 10]


@pytest.mark.parametrize("names, epochs, expected", [("*.pt", (7, 2), [2, 7]), ("*.pt", (1, 0), [1, 2])])
def test_epochs_of_entries_rise_from_one(take, model, capsys, names, epochs, expected):
    saved = {f"{name}.pt": {"model": model[1].state_dict(), "epoch": e} for name, e in zip("ab", epochs, strict=True)}
    assert take(names, saved, capsys) == expected


def test_several_checkpoints_must_say_their_epochs(take, model, capsys):
    state = model[1].state_dict()
    assert "of which epoch it is, it doesn't say" in take("*.pt", {"a.pt": state, "b.pt": state}, capsys)


def test_a_single_checkpoint_is_epoch_one(take, model, capsys):
    assert take("last.pt", {"last.pt": model[1].state_dict()}, capsys) == [1]


def test_two_files_of_one_epoch_are_refused(take, model, capsys):
    saved = {name: {"model": model[1].state_dict(), "epoch": 3} for name in ("a.pt", "b.pt")}
    assert "are both of epoch 3; keep one" in take("*.pt", saved, capsys)


def test_files_are_found_by_their_pattern_and_told_by_what_they_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/1-train.npy", "a/1-test.npy", "a/02-train.npy", "a/2-test.npy", "a/all.npy", "a[1]/3.npy"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        np.save(path, len(name))
    patterns = ["a/{epoch}-train.npy", "a/{epoch}-test.npy", "a/all.npy"]
    found = found_files(patterns, "run")
    assert {epoch: [path.name for path in paths] for epoch, paths in found.items()} == {
        1: ["1-train.npy", "1-test.npy", "all.npy"],
        2: ["02-train.npy", "2-test.npy", "all.npy"],
    }
    assert how_many(found) == 2 and how_many(found_files(["a/*.npy"], "run")) == 5
    assert list(found_files(["a[1]/{epoch}.npy"], "run")) == [3], "brackets are no pattern"
    assert folder_of("a/b-{epoch}/c/*.npy").as_posix() == "a" and folder_of("a/all.npy").as_posix() == "a/all.npy"
    before = digest_of_files(patterns, sha256_of)
    (tmp_path / "a").rename(tmp_path / "b")
    elsewhere = [pattern.replace("a/", "b/", 1) for pattern in patterns]
    assert not are_there(patterns) and digest_of_files(elsewhere, sha256_of) == before
    (tmp_path / "b/2-test.npy").rename(tmp_path / "b/3-test.npy")
    assert digest_of_files(elsewhere, sha256_of) != before
    with pytest.raises(InputError, match="not both there at epoch 2"):
        found_files(elsewhere, "run")
    np.save(tmp_path / "b/002-train.npy", 1)
    with pytest.raises(InputError, match="are both of epoch 2"):
        found_files(elsewhere[:1], "run")


def test_a_function_of_ones_own_that_builds_no_network_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd_models.py").write_text(
        "from torch import nn\n"
        "def number(classes): return classes\n"
        "def convolution(): return nn.Conv2d(1, 3, 8)\n"
        "def fails(): raise KeyError('no such thing')\n"
        "def large(classes): return nn.Sequential(nn.Flatten(), nn.Linear(100, classes))\n"
    )
    for name, words in {
        "number": "must build a torch.nn.Module, found int",
        "convolution": "does not end in a linear layer",
        "fails": "does not build a network .*no such thing",
        "large": "can't take images of 1 x 8 x 8",
        "none": "has no function none",
    }.items():
        with pytest.raises(InputError, match=words):
            build(f"odd_models:{name}", seed=0, **SIZE)
    assert isinstance(build("vgg11", seed=0, width=0.125, **SIZE), nn.Module)
