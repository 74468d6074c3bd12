"""Runs that bring their own features or checkpoints: the same rules and the same staleness, and no training."""

import json
import shutil

import numpy as np
import pytest
from conftest import Repository, all_figures_but, throw_away

pytestmark = pytest.mark.xdist_group("own_runs")

SYSTEM = "{classes: 3, examples_per_class: 4, features: 3, spectrum: [1, 2], horizon: 10}"
FEATURES = f"""\
study: mine
studies:
  mine:
    runs:
      wide: {{features: "dumps/wide/{{epoch}}.npz"}}
      blobs-narrow-mse: {{features: ["dumps/narrow/{{epoch}}.npz", dumps/head.npz], weight_decay: 0.005}}
    theory: {{small: {SYSTEM}}}
    leave_out: {all_figures_but("figure-02", "figure-06", "figure-07", "figure-09", "figure-portrait")}
"""
EPOCHS = (1, 5, 20)


def dump(path, noise, seed=0, **changed):
    """Features of three classes, 20 examples each in 8 dimensions, of both splits and without a classifier."""
    draw = np.random.default_rng(seed).normal
    labels = np.arange(60) % 3
    arrays = {}
    for split in ("train", "test"):
        arrays[f"{split}_features"] = 2 * np.eye(3, 8)[labels] + noise * draw(size=(60, 8))
        arrays[f"{split}_labels"] = labels
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays | changed)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A study of features alone, made and taken over by DVC; never to be changed."""
    study = throw_away(tmp_path_factory.mktemp("own") / "repository", FEATURES)
    for epoch in EPOCHS:
        dump(study.path / f"dumps/wide/{epoch:03d}.npz", 1 / epoch)
        dump(study.path / f"dumps/narrow/{epoch}.npz", 2 / epoch)
    classifier = np.eye(3, 8) - np.eye(3, 8).mean(0)
    np.savez(study.path / "dumps/head.npz", weight=classifier, bias=np.zeros(3))
    study.run("git", "init", "-q", "-b", "main")
    (study.path / ".git/info/exclude").write_text("dumps\n")
    study.commit("The workflow")
    study.run("snakemake", "--cores", "2", "all", "report")
    study.run("dvc", "repro", "workflow/dvc.yaml")
    study.run("dvc", "repro")
    study.commit("The results")
    return study


@pytest.fixture
def study(repository, tmp_path):
    study = Repository(tmp_path / "repository")
    shutil.copytree(repository.path, study.path, symlinks=True)
    return study


def test_a_study_of_features_is_measured_drawn_judged_and_reported(repository):
    results = repository.path / "results/mine"
    assert (results / "runs.csv").read_text().splitlines() == [
        "dataset,network,loss,variant,seed,brings,weight_decay",
        "blobs,narrow,mse,plain,0,features,0.005",
        "unknown,wide,unknown,plain,0,features,0.0",
    ]
    table = (results / "metrics.csv").read_text()
    for epoch in EPOCHS:
        assert f"\nblobs,narrow,mse,plain,0,{epoch},train,loss_perp," in table
        assert f"\nunknown,wide,unknown,plain,0,{epoch},test,ncc_error," in table
    assert "wide,unknown,plain,0,1,train,self_duality" not in table, "it has no classifier"
    drawn = {path.name for path in (results / "figures").iterdir()}
    assert drawn == {f"figure-{number}.{kind}" for number in ("02", "06", "07") for kind in ("pdf", "png")}
    assert "robustness" not in {path.stem for path in (results / "robustness").iterdir()}
    page = (results / "report.html").read_text()
    assert "narrow" in page and "wide" in page
    assert json.loads((results / "summary/wide-seed0.json").read_text()).keys() == {
        *("zero_error_epoch", "log10_nc1", "max_angle_means")
    }
    for target, reason in {"figure-09": "of features alone", "figure-portrait": "of features alone"}.items():
        assert reason in repository.run("snakemake", "-n", target, fails=True)


def test_snakemake_and_dvc_find_nothing_to_do_here_and_in_a_clone(repository, tmp_path):
    assert repository.plan() == {}
    assert "up to date" in repository.run("dvc", "status")
    clone = Repository(tmp_path / "clone")
    repository.run("git", "clone", "-q", ".", str(clone.path))
    assert clone.plan() == {}, "the files of features are not there"
    clone.run("dvc", "cache", "dir", "--local", str(repository.path / ".dvc/cache"))
    clone.run("dvc", "checkout")
    assert "up to date" in clone.run("dvc", "status")


def test_another_file_of_features_makes_that_run_stale_and_nothing_else(study):
    path = study.path / "dumps/wide/005.npz"
    path.touch()
    assert study.plan() == {}
    dump(path, 1 / 5, seed=1)
    once = ("find_files", "measure_features", "summarise", "collect", "claims")
    assert study.plan() == dict.fromkeys(once, 1) | {"figure": 2}, "figures 6 and 7 read it"
    assert "dumps/wide" in study.run("dvc", "status")
    before = study.state_of("results/mine/metrics")
    study.run("dvc", "repro", "workflow/dvc.yaml")
    changed = {name for name, state in study.state_of("results/mine/metrics").items() if state != before[name]}
    assert changed == {"results/mine/metrics/wide-seed0.csv", "results/mine/metrics/curves.csv"}
    assert study.plan() == {}
    study.run("dvc", "repro")
    assert "up to date" in study.run("dvc", "status")


def test_an_epoch_more_and_another_place(study):
    shutil.move(study.path / "dumps/wide", study.path / "dumps/elsewhere")
    study.edit("config.yaml", "dumps/wide/", "dumps/elsewhere/")
    assert study.plan() == {}, "where files lie decides nothing"
    dump(study.path / "dumps/elsewhere/50.npz", 0.02)
    study.run("snakemake", "--cores", "1", "results/mine/metrics/wide-seed0.csv")
    assert ",50,train,nc1," in (study.path / "results/mine/metrics/wide-seed0.csv").read_text()


@pytest.mark.parametrize(
    "files, changed, words",
    [
        ({}, {}, "no file is named dumps/bad/{epoch}.npz, for there is no dumps/bad"),
        ({"last": {}}, {}, "{epoch} is a whole number; there is dumps/bad/last.npz"),
        ({"1": {}, "01": {}}, {}, "are both of epoch 1; keep one"),
        ({"1": {"train_features": np.full((60, 8), np.nan)}}, {}, "epoch 1, train data: features: all numbers must be"),
        ({"1": {"train_features": np.ones((5, 8))}}, {}, "epoch 1, train data: features must be numbers of the shape"),
        ({"1": {"weight": np.ones((3, 7))}}, {}, "epoch 1, train data: weight"),
        ({"1": {}, "2": {"weight": np.ones((3, 8))}}, {}, "can't be measured at both epoch 1 and epoch 2"),
    ],
)
def test_a_mistake_in_files_of_features_is_one_sentence(study, files, changed, words):
    study.edit("config.yaml", "      wide:", '      bad: {features: "dumps/bad/{epoch}.npz"}\n      wide:')
    for name, arrays in files.items():
        dump(study.path / f"dumps/bad/{name}.npz", 1, **arrays)
    printed = study.run("snakemake", "--cores", "1", "results/mine/metrics/bad-seed0.csv", fails=True)
    logs = [path.read_text() for path in (study.path / "logs").rglob("bad-seed0.log")]
    said = "\n".join([printed, *logs])
    sentences = [line.strip() for line in said.splitlines() if words in line]
    assert sentences and all(sentence.startswith("error: ") for sentence in sentences)
    assert "Traceback" not in said


MODELS = '''\
from torch import nn


def small(in_channels, num_classes, width=8):
    """Takes digits apart."""
    maps = nn.Sequential(nn.Conv2d(in_channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
    return nn.Sequential(maps, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, num_classes))
'''
CHECKPOINTS = f"""\
study: mine
studies:
  mine:
    measured_epochs: 1
    datasets: {{digits: {{train_per_class: 20}}}}
    networks: {{mine: {{source: "models:small", width: 4}}}}
    training: {{epochs: 1, batch_size: 50, learning_rate: 0.02, precision: float32}}
    runs:
      digits-mine-ce: {{checkpoints: "weights/{{epoch}}.pt"}}
    attack: {{images: 4, iterations: 2}}
    theory: {{small: {SYSTEM}}}
    leave_out: {all_figures_but("figure-07", "figure-portrait")}
"""
# What anyone's loop looks like: what is saved is neither by our names nor alone.
LOOP = """\
import numpy as np, torch
from sklearn.datasets import load_digits
from models import small

torch.manual_seed(0)
torch.set_num_threads(1)
digits = load_digits()
images = torch.from_numpy(digits.images[:, None].astype(np.float32) / 16)
labels = torch.from_numpy(digits.target)
model = small(1, 10, width=4)
optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(3):
    for batch in torch.randperm(len(labels)).split(64):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimiser.step()
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    saved = {"state_dict": state, "epoch": epoch, "optimiser": optimiser.state_dict()}
    torch.save(saved, f"weights/{epoch}.pt")
"""


@pytest.fixture(scope="module")
def trained_elsewhere(tmp_path_factory):
    """A study of a network that a loop of its own has trained, made; never to be changed."""
    study = throw_away(tmp_path_factory.mktemp("checkpoints") / "repository", CHECKPOINTS)
    (study.path / "models.py").write_text(MODELS)
    (study.path / "weights").mkdir()
    study.run("python", "-c", LOOP)
    study.run("git", "init", "-q", "-b", "main")
    (study.path / ".git/info/exclude").write_text("weights\n")
    study.commit("The workflow")
    study.run("snakemake", "--cores", "2")
    return study


@pytest.fixture
def brought(trained_elsewhere, tmp_path):
    study = Repository(tmp_path / "repository")
    shutil.copytree(trained_elsewhere.path, study.path, symlinks=True)
    return study


RUN = "digits-mine-ce-seed0"


def test_checkpoints_of_ones_own_loop_are_measured_and_attacked(trained_elsewhere):
    results = trained_elsewhere.path / "results/mine"
    assert trained_elsewhere.plan() == {}
    assert len(list((results / f"checkpoints/{RUN}").glob("*.safetensors"))) == 3, "as many as there are"
    table = (results / f"metrics/{RUN}.csv").read_text()
    errors = {int(row.split(",")[5]): float(row.split(",")[-1]) for row in table.splitlines() if ",train,error," in row}
    assert list(errors) == [1, 2, 3], "epochs from 0 are counted from 1"
    assert errors[3] < errors[1], "standardised otherwise than in the loop, yet it learned"
    assert ",test,robustness," in (results / f"robustness/{RUN}.csv").read_text()
    assert (results / "figures/figure-portrait.pdf").is_file()


def test_a_checkpoint_a_comment_and_the_networks_code(brought):
    brought.edit("models.py", "Takes digits apart.", "Takes them apart.")
    assert brought.plan() == {}
    brought.edit("models.py", "nn.ReLU", "nn.GELU")
    of_run = {f"take_checkpoints_of_{RUN}": 1, "extract_features": 1, "attack": 1}
    assert of_run.items() <= brought.plan().items()
    brought.edit("models.py", "nn.GELU", "nn.ReLU")
    assert brought.plan() == {}
    shutil.copy(brought.path / "weights/2.pt", brought.path / "weights/1.pt")
    assert ({"find_files": 1} | of_run).items() <= brought.plan().items()
    shutil.rmtree(brought.path / "weights")
    assert brought.plan() == {}, "as in a clone"


@pytest.mark.parametrize(
    "old, new, words",
    [
        (
            "width: 4",
            "width: 5",
            "not the weights of this network: 0.0.weight has the shape (4, 1, 3, 3), not (5, 1, 3, 3)",
        ),
        ("models:small", "models:large", "models:large: the module models has no function large"),
        ("models:small", "model:small", "model:small: the module model can't be imported (No module named 'model')"),
        ("width: 4", "depth: 4", "models:small: does not build a network (small() got an unexpected keyword argument"),
        ("weights/{epoch}.pt", "weights/*.txt", "no file is named weights/*.txt"),
    ],
)
def test_a_mistake_about_checkpoints_is_one_sentence(brought, old, new, words):
    brought.edit("config.yaml", old.replace("{", r"\{").replace("}", r"\}"), new)
    (brought.path / "results/mine/datasets" / f"{RUN}.origin.json").unlink()
    printed = brought.run("snakemake", "--cores", "1", f"results/mine/checkpoints/{RUN}/00.safetensors", fails=True)
    logs = [path.read_text() for path in (brought.path / "logs/mine/train").glob(f"{RUN}.log")]
    said = "\n".join([printed, *logs])
    assert any(line.startswith("error: ") and words in line for line in said.splitlines())
    assert "Traceback" not in said


def test_files_that_change_before_they_are_looked_at_leave_no_card(brought):
    """As where they are edited while the job waits: it was told what it would find."""
    command = ("find-files", "--study", "mine", "--run", RUN, "--output", "card.json", "--content", "0" * 64)
    printed = brought.run("python", "-m", "neural_collapse", *command, PYTHONPATH="workflow", fails=True)
    assert "its files were changed after this was planned; repeat the command." in printed
    assert not (brought.path / "card.json").exists()


def test_dvc_follows_the_module_and_the_weights_of_a_network(brought):
    stage = "workflow/dvc.yaml:train@mine"
    brought.run("dvc", "repro", "-q", stage)
    brought.edit("models.py", "nn.ReLU", "nn.GELU")
    assert "models.py" in brought.run("dvc", "status")
    brought.run("dvc", "repro", "-q", stage)
    assert brought.plan("train") == {}
    assert "up to date" in brought.run("dvc", "status", stage)
    brought.edit("config.yaml", 'source: "models:small"', 'weights: weights/2.pt, source: "models:small"')
    brought.run("snakemake", "-n")
    named = json.loads((brought.path / "workflow/params.yaml").read_text())["own"]
    assert "weights/2.pt" in {own["path"] for own in named.values()}


def test_a_networks_function_is_trained_too(brought):
    brought.edit("config.yaml", "(?=      digits-mine-ce)", "      digits-mine-mse: {}\n")
    brought.run("snakemake", "--cores", "1", "results/mine/metrics/digits-mine-mse-seed0.csv")
    brought.edit("models.py", "Takes digits apart.", "Takes them apart.")
    target = "results/mine/metrics/digits-mine-mse-seed0.csv"
    assert brought.plan(target) == {}
    brought.edit("models.py", "nn.ReLU", "nn.GELU")
    assert brought.plan(target) == dict.fromkeys(("train_network", "extract_features", "measure"), 1)
