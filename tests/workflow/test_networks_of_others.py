"""Networks of other libraries with trained weights, and networks of features that are no image, in the workflow."""

import shutil

import numpy as np
import pytest
from conftest import Repository, all_figures_but, throw_away
from safetensors.numpy import load_file

pytestmark = pytest.mark.xdist_group("networks_of_others")

RATE = 1e-6  # too small to move any weight by more than rounding
CONFIG = f"""\
study: mine
studies:
  mine:
    measured_epochs: 1
    datasets:
      photos: {{source: arrays, path: photos.npz}}
      vectors: {{source: arrays, path: vectors.npz}}
    networks:
      mobilenet_v3_small: {{width_mult: 0.25, weights: mobilenet.pth}}
      timm_test_resnet: {{weights: timm.safetensors}}
      perceptron2: {{features: 6}}
    training: {{epochs: 1, batch_size: 10, learning_rate: {RATE}, weight_decay: 0, precision: float32}}
    runs:
      photos-mobilenet_v3_small-ce: {{}}
      photos-timm_test_resnet-ce: {{}}
      vectors-perceptron2-mse: {{learning_rate: 0.1, epochs: 30}}
    theory: {{small: {{classes: 3, examples_per_class: 4, features: 3, spectrum: [1, 2], horizon: 10}}}}
    leave_out: {all_figures_but("figure-07")}
"""
SAVE = """\
import torch
from neural_collapse.vision import torchvision
import timm
from safetensors.torch import save_file

torch.manual_seed(7)
model = torchvision.models.mobilenet_v3_small(width_mult=0.25, num_classes=5)
torch.save({"state_dict": model.state_dict()}, "mobilenet.pth")
save_file(timm.create_model("test_resnet", num_classes=3).state_dict(), "timm.safetensors")
"""
CHECKPOINT = "results/mine/checkpoints/{}-seed0/00.safetensors"
METRICS = [
    f"results/mine/metrics/{run}-seed0.csv"
    for run in ("photos-mobilenet_v3_small-ce", "photos-timm_test_resnet-ce", "vectors-perceptron2-mse")
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    study = throw_away(tmp_path_factory.mktemp("others") / "repository", CONFIG)
    random, labels = np.random.default_rng(0), np.arange(30) % 3
    photos = {f"{split}_images": random.integers(0, 256, (30, 32, 32, 3), np.uint8) for split in ("train", "test")}
    vectors = {
        f"{split}_features": 5 * np.eye(3, 4)[labels] + random.normal(size=(30, 4)) for split in ("train", "test")
    }
    truth = {"train_labels": labels, "test_labels": labels}
    np.savez(study.path / "photos.npz", **photos, **truth)
    np.savez(study.path / "vectors.npz", **vectors, **truth)
    study.run("python", "-c", SAVE, PYTHONPATH="workflow")
    study.run("git", "init", "-q", "-b", "main")
    study.commit("The workflow")
    study.run("snakemake", "--cores", "2", *METRICS)
    return study


@pytest.fixture
def study(made, tmp_path):
    study = Repository(tmp_path / "repository")
    shutil.copytree(made.path, study.path, symlinks=True)
    return study


def test_training_starts_from_the_file_of_weights(made):
    import torch

    trained = load_file(made.path / CHECKPOINT.format("photos-mobilenet_v3_small-ce"))
    state = torch.load(made.path / "mobilenet.pth", weights_only=True)["state_dict"]
    name = "features.0.0.weight"
    np.testing.assert_allclose(trained[f"stages.trunk.{name}"], state[name].numpy(), atol=1e-4)
    assert trained["classifier.weight"].shape[0] == 3, "the file's had 5 classes"
    trained = load_file(made.path / CHECKPOINT.format("photos-timm_test_resnet-ce"))
    state = load_file(made.path / "timm.safetensors")
    np.testing.assert_allclose(trained["stages.trunk.conv1.0.weight"], state["conv1.0.weight"], atol=1e-4)


def test_other_weights_train_their_run_alone(study):
    assert study.plan(*METRICS) == {}
    (study.path / "mobilenet.pth").touch()
    assert study.plan(*METRICS) == {}
    study.run("python", "-c", SAVE.replace("manual_seed(7)", "manual_seed(8)"), PYTHONPATH="workflow")
    shutil.copy(study.path / "timm.safetensors", study.path / "kept")
    stale = study.plan(METRICS[0])
    assert stale == dict.fromkeys(("train_network", "extract_features", "measure"), 1)
    assert study.plan(METRICS[2]) == {}
    (study.path / "mobilenet.pth").unlink()
    assert study.plan(METRICS[0]) == {}, "where it is absent, what is recorded holds"


def test_a_perceptron_learns_arrays_of_features(made):
    rows = (made.path / METRICS[2]).read_text().splitlines()
    errors = [float(row.split(",")[-1]) for row in rows if ",30,train,error," in row]
    assert errors == [0.0]


def test_plan_check_asks_the_other_library_before_anything_is_trained(study):
    check = ("python", "-m", "neural_collapse", "plan", "--check")
    assert study.run(*check, PYTHONPATH="workflow") == ""
    study.edit("config.yaml", "width_mult: 0.25", "width_mul: 0.25")
    for command in (check, ("snakemake", "-n")):
        assert "no option named 'width_mul'" in study.run(*command, PYTHONPATH="workflow", fails=True)
    study.edit("config.yaml", "width_mul: 0.25", "width_mult: 0.25")
    study.edit("config.yaml", "(?=      photos-mobilenet)", "      vectors-mobilenet_v3_small-ce: {}\n")
    printed = study.run("snakemake", "-n", fails=True)
    assert "can't take images of 4 x 1 x 1" in printed and "Traceback" not in printed
