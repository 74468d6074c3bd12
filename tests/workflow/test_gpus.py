"""GPUs shared out on one machine, and promised by a scheduler."""

import contextlib
import shutil

import gpus
import pytest
import torch
from conftest import Repository

from neural_collapse.errors import InputError

# A job that has its GPU waits for one that has the other, so that no training is over before the next one starts.
MEET = "[time.sleep(0.1) for _ in range(1200) if len(list(folder.glob('met-*'))) < 2]"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A pretended machine; called with its number of GPUs, and what CUDA_VISIBLE_DEVICES leaves of them."""
    monkeypatch.setattr(gpus, "_DEVICES", tmp_path)
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(tmp_path))

    def make(count: int, visible: str | None = None):
        for number in range(count):
            (tmp_path / f"nvidia{number}").touch()
        (tmp_path / "nvidiactl").touch()
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible or "")  # so that what a job sets does not outlive its test
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES")

    return make


@pytest.mark.parametrize(
    "count, named, visible",
    [
        (0, None, []),
        (0, "0", []),
        (2, None, ["0", "1"]),
        (3, "2,0", ["2", "0"]),
        (2, "", []),
        (1, "-1", []),
        (1, "MIG-1/3/0", ["MIG-1/3/0"]),
    ],
)
def test_what_the_user_leaves_to_us_is_visible(machine, count, named, visible):
    machine(count, named)
    assert gpus.visible() == visible


@pytest.mark.parametrize("shared, expected", [(1, ["5", "3"]), (2, ["5", "3", "5", "3"])])
def test_jobs_spread_over_the_gpus_and_wait_for_a_slot(machine, monkeypatch, shared, expected):
    machine(6, "5,3")
    with contextlib.ExitStack() as jobs:
        assert [jobs.enter_context(gpus._slot(gpus.visible(), shared)) for _ in expected] == expected

        def end_of_the_first(_):
            jobs.pop_all().close()

        monkeypatch.setattr(gpus.time, "sleep", end_of_the_first)
        with gpus._slot(gpus.visible(), shared) as gpu:
            assert gpu == "5"


def test_a_step_that_uses_a_gpu_is_given_one_and_another_is_not(machine, monkeypatch, capsys):
    machine(2)
    monkeypatch.setenv("NEURAL_COLLAPSE_GPU_JOBS", "1")
    with gpus.given("measure"):
        assert "CUDA_VISIBLE_DEVICES" not in gpus.os.environ
    with gpus.given("train"):
        assert gpus.os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    assert capsys.readouterr().out == "on GPU 0\n"


@pytest.mark.xdist_group("workflow")
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_trainings_that_run_side_by_side_are_on_both_gpus(fresh, tmp_path):
    study = Repository(tmp_path / "repository", TMPDIR=str(tmp_path))
    shutil.copytree(fresh.path, study.path, symlinks=True)
    study.edit("workflow/rules/gpus.py", r'Path\("/dev"\)', f'Path("{tmp_path}")')
    study.edit("workflow/rules/gpus.py", r"(\n +)yield gpu", rf"\1(folder / f'met-{{gpu}}').touch()\1{MEET}\1yield gpu")
    for device in ("nvidia0", "nvidia1"):
        (tmp_path / device).touch()
    histories = [f"results/tiny/checkpoints/digits-vgg11-{loss}-seed0/history.csv" for loss in ("mse", "ce")]
    study.run("snakemake", "--cores", "4", *histories)
    on = {log.read_text().splitlines()[0] for log in study.path.glob("logs/tiny/train/*.log")}
    assert on == {"on GPU 0", "on GPU 1"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_job_that_was_promised_a_gpu_and_finds_none_says_so(machine, monkeypatch):
    machine(0)
    monkeypatch.setenv("NEURAL_COLLAPSE_PROMISED_GPU", "train attack")
    with gpus.given("extract-features"):
        pass
    with (
        pytest.raises(InputError, match=r"torch finds none on .*gpu_jobs: 0"),
        gpus.given("attack"),
    ):
        pass
