"""Extraction and attack stop once the process that started them is gone, and then write nothing."""

import pytest
import tiny_training

from neural_collapse.__main__ import main
from neural_collapse.data.dataset import write_dataset
from neural_collapse.steps import _stopping
from neural_collapse.train import networks
from neural_collapse.train.checkpoints import write_checkpoint

PARENT = 4711
STEPS = {
    "extract-features": "--loss mse --seed 0",
    "extract-out-of-distribution": "--outside others={data}",
    "attack": "--dataset d --network n --loss mse --seed 0 --images 2 --iterations 1 --overshoot 0.02 --epochs all",
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_left_behind_never_writes_over_a_newer_output(step, tmp_path, monkeypatch, capsys):
    write_dataset(tmp_path / "data.safetensors", tiny_training.dataset())
    architecture = {"name": "vgg11", "in_channels": 1, "classes": 3, "image_size": 8, "options": {"width": 0.0625}}
    fixed = {key: value for key, value in architecture.items() if key != "options"}
    network = networks.build(**fixed, seed=0, **architecture["options"])
    checkpoints = [str(tmp_path / f"{i}.safetensors") for i in range(2)]
    for i, path in enumerate(checkpoints):
        write_checkpoint(path, network, epoch=1 + i, architecture=architecture)
    output = tmp_path / "output.csv"
    data = str(tmp_path / "data.safetensors")
    command = [step, "--data", data, *STEPS[step].replace("{data}", data).split(), "--threads", "1"]
    command += ["--checkpoints", *checkpoints, "--output", str(output), "--stop-with-parent", str(PARENT)]

    def parent_is_gone_at(look):
        looks = iter(range(100))
        monkeypatch.setattr(_stopping.os, "getppid", lambda: PARENT if next(looks) < look else 1)

    parent_is_gone_at(100)
    assert main(command) == 0
    output.write_text("newer")
    for look in range(4):  # at the start, before each of two checkpoints, before the output is written
        parent_is_gone_at(look)
        assert main(command) == 1
        assert capsys.readouterr().err.endswith("error: stopped, because the process that started this one is gone.\n")
        assert output.read_text() == "newer"
