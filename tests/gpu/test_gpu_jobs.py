"""Jobs on a GPU: what they leave of its memory, several on one, and what their records say of the device."""

import gc
import subprocess
import sys
from pathlib import Path

import environments
import pytest
import tiny_training
import torch
from on_gpu import DATASET, NEEDS_GPU, SETTINGS, captured
from test_training import history, start

from neural_collapse.data.dataset import write_dataset
from neural_collapse.storage import read_metadata

pytestmark = NEEDS_GPU

ROOT = Path(__file__).parents[2]
MEBIBYTE = 2**20


def memory():
    """Bytes that tensors hold, and that this process holds; without the workspaces that cuBLAS keeps for each stream.

    A graph may have been captured with one of them: it is not to be replayed after this.
    """
    gc.collect()
    torch.cuda.synchronize()
    torch._C._cuda_clearCublasWorkspaces()
    torch.cuda.empty_cache()
    return torch.cuda.memory_allocated(), torch.cuda.memory_reserved()


def test_a_run_returns_its_memory_and_that_of_its_graphs():
    history(captured())  # libraries take what they keep
    before = memory()
    training = captured()
    history(training)
    held = memory()
    assert held[0] > before[0]
    del training
    after = memory()
    assert after[0] == before[0]
    assert after[1] <= before[1]


def test_graphs_of_earlier_learning_rates_are_freed():
    dataset = tiny_training.dataset(train=512, test=30, channels=64)  # a graph of some size, and few steps
    training = start(
        dataset, network_options={"width": 0.5}, epochs=10, batch_size=512, warmup_epochs=10, learning_rate_drops=[]
    )
    without = memory()[1]
    held = []
    for epoch in range(1, 11):  # a learning rate each
        training.train_epoch(epoch)
        held.append(memory()[1])
    assert held[1] - without > 16 * MEBIBYTE, "a graph too small to be seen"
    assert held[-1] - held[1] < (held[1] - without) / 2


@pytest.fixture
def jobs(tmp_path):
    """Trainings by the command line, started together; returns what each left: its last checkpoint, history, state."""
    write_dataset(tmp_path / "data.safetensors", DATASET)

    def run(*names, **changed):
        settings = tiny_training.settings(**SETTINGS | {"precision": "tf32"} | changed)
        started = [subprocess.Popen(command(tmp_path / name, settings), stdout=subprocess.DEVNULL) for name in names]
        assert [process.wait(timeout=300) for process in started] == [0] * len(names)
        return [tmp_path / name for name in names]

    def command(folder, settings):
        return [
            *(sys.executable, "-m", "neural_collapse", "train", *tiny_training.flags(settings)),
            *("--data", folder.parent / "data.safetensors", "--measured-epochs", "2", "--code-version", "x"),
            *("--checkpoints", folder / "checkpoints", "--history", folder / "history.csv"),
            *("--resume", folder / "resume"),
        ]

    return run


@pytest.fixture(autouse=True)
def _library(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "workflow"))


def test_several_jobs_on_one_gpu_give_the_bytes_of_one_alone(jobs):
    (alone,) = jobs("alone")
    for beside in jobs("first", "second", "third"):
        for file in ("checkpoints/00.safetensors", "checkpoints/01.safetensors", "history.csv"):
            assert (beside / file).read_bytes() == (alone / file).read_bytes(), file


def test_a_state_names_its_gpu_and_is_not_continued_on_a_cpu(jobs, monkeypatch):
    (folder,) = jobs("one")
    state = folder / "resume/state.safetensors"
    assert read_metadata(state)["device"] == torch.cuda.get_device_name()
    on_gpu = (folder / "checkpoints/01.safetensors").read_bytes()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    jobs("one")
    assert read_metadata(state)["device"] == "cpu"
    assert (folder / "checkpoints/01.safetensors").read_bytes() != on_gpu, "trained anew, with other roundings"


def test_the_record_of_a_job_names_the_gpu_it_ran_on():
    captured().train_epoch(1)
    ran = environments.ran_with("steps.train", "train.networks.vgg", "train.losses.mse")
    assert ran["device"] == torch.cuda.get_device_name()
    assert ran["torch"] == torch.__version__
