"""GPUs as jobs get them: on this machine by a slot of one that is free, elsewhere from the scheduler that promised one.

Which GPU a job computes on decides no byte, so a job hears of it by its environment and not by a parameter.
"""

import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from neural_collapse.errors import InputError
from neural_collapse.locks import HeldElsewhere, exclusive

USERS = {
    "train_network": "train",
    "try_learning_rate": "try-learning-rate",
    "extract_features": "extract-features",
    "extract_out_of_distribution": "extract-out-of-distribution",
    "attack": "attack",
}
"""The rules whose jobs compute on a GPU where there is one, and their steps."""

_SHARED_BY, _PROMISED = "NEURAL_COLLAPSE_GPU_JOBS", "NEURAL_COLLAPSE_PROMISED_GPU"
_DEVICES = Path("/dev")


def visible() -> list[str]:
    """The GPUs of this machine that its user leaves to us, as CUDA_VISIBLE_DEVICES would name them."""
    numbered = sorted(_DEVICES.glob("nvidia[0-9]*"))
    count = len(numbered) or int((_DEVICES / "dxg").exists())  # Windows' Linux shows one device for all
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if count == 0 or named is None:
        return [str(number) for number in range(count)]
    return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]


def share(jobs_each: int) -> None:
    """Let the jobs that this process starts take slots: so many share each GPU of this machine."""
    os.environ[_SHARED_BY] = str(jobs_each)


def promise(steps: list[str]) -> None:
    """Let the jobs of these steps fail where they find no GPU, because a scheduler was asked for one."""
    os.environ[_PROMISED] = " ".join(steps)


@contextlib.contextmanager
def given(step: str) -> Iterator[None]:
    """Give a step its GPU while it runs, where it uses one.

    Raises
    ------
    InputError
        Where one was promised, and torch finds none.
    """
    with contextlib.ExitStack() as held:
        if step in os.environ.get(_PROMISED, "").split():
            _check()
        elif step in USERS.values() and (shared := int(os.environ.get(_SHARED_BY, 0))) and (gpus := visible()):
            os.environ["CUDA_VISIBLE_DEVICES"] = held.enter_context(_slot(gpus, shared))
            print(f"on GPU {os.environ['CUDA_VISIBLE_DEVICES']}", flush=True)
        yield


@contextlib.contextmanager
def _slot(gpus: list[str], shared: int) -> Iterator[str]:
    """Hold one of the slots of this user on this machine, of the GPU that has most of them free; wait for one."""
    folder = Path(tempfile.gettempdir(), f"neural-collapse-gpus-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as held:
        while True:
            for slot in range(shared):
                for gpu in gpus:
                    with contextlib.suppress(HeldElsewhere):
                        held.enter_context(exclusive(folder / f"{gpu.replace('/', '-')}.{slot}"))
                        yield gpu
                        return
            time.sleep(0.5)  # another folder's jobs have them all


def _check() -> None:
    import torch

    if torch.cuda.is_available():
        return
    if torch.version.cuda is None:
        why = "its torch is a build for CPUs alone: install the one for CUDA"
    elif not visible():
        why = "the machine shows none: ask the scheduler for one (the resource gpu, and a partition that has them)"
    else:
        why = "the driver is missing, or older than torch's CUDA"
    raise InputError(
        f"this job was promised a GPU, and torch finds none on {socket.gethostname()}; {why}. To compute on CPUs, set "
        "gpu_jobs: 0 in config.yaml."
    )
