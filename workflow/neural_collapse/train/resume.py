"""The working folder of one training: what a killed training left there, the next one continues."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..locks import HeldElsewhere, exclusive
from ..storage import read_arrays, read_metadata, whole_file, write_arrays
from .checkpoints import write_checkpoint
from .training import EpochRecord, Training


class WorkingFolder:
    """Holds a training's state and its checkpoints.

    Every file in it is written whole, so a training killed at any moment leaves a state to continue from.
    All stay when the training is complete: until Snakemake has recorded its results, it may delete them.

    Parameters
    ----------
    folder: `locked` by this process.
    identity: everything that decides the result, as JSON values. A state of another identity is never continued.
    measured: the epochs whose networks are kept, in ascending order.
    """

    def __init__(self, folder: Path, identity: dict[str, object], measured: list[int]):
        self.folder = folder
        self.identity = json.loads(json.dumps(identity))
        self.measured = measured
        self._state = folder / "state.safetensors"

    def restore(self, training: Training) -> list[EpochRecord]:
        """Bring the training to where the last one was killed; returns the epochs behind it, none at the start."""
        if not self._state.exists():
            return []
        found, arrays = read_metadata(self._state), read_arrays(self._state)
        history = [EpochRecord(int(epoch), *values) for epoch, *values in arrays.pop("history").tolist()]
        changed = [key for key in self.identity if found.get(key) != self.identity[key]]
        if not all(self._checkpoint(epoch).exists() for epoch in self.measured if epoch <= len(history)):
            changed.append("checkpoints are missing")
        if changed:
            print(f"{self.folder}: starting afresh; its state does not fit: {', '.join(changed)}.", flush=True)
            self._state.unlink()
            return []
        training.restore(arrays)
        return history

    def keep(self, training: Training, history: list[EpochRecord]) -> None:
        """Write the network if this epoch is measured, and the state to continue from."""
        epoch = len(history)
        if epoch in self.measured:
            write_checkpoint(self._checkpoint(epoch), training.network, epoch=epoch, architecture=training.architecture)
        arrays = training.state() | {"history": np.array([astuple(record) for record in history])}
        write_arrays(self._state, arrays, self.identity)

    def publish(self, checkpoints: Path) -> None:
        """Give the measured networks their final names in `checkpoints` as well."""
        for epoch in self.measured:
            source = self._checkpoint(epoch)
            with whole_file(checkpoints / source.name) as temporary:
                _copy(source, temporary)

    def _checkpoint(self, epoch: int) -> Path:
        return self.folder / f"{self.measured.index(epoch):02d}.safetensors"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a working folder for this process; the lock ends with the process, however it ends.

    Raises
    ------
    InputError
        Where another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(exclusive(folder / "lock"))
        except HeldElsewhere as holder:
            raise InputError(
                f"{folder}: another training is at work in this folder{holder}; wait for it, or stop it."
            ) from None
        yield


def _copy(source: Path, target: Path) -> None:
    """A second name for the same file where the file system has such, which takes neither time nor space."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
