"""The curves of trainings, live in TensorBoard, where config.yaml says `tensorboard: true`.

They are read off the lines that a training writes into its log, here and on a cluster: no job hears of it, so it can
change no byte and makes nothing stale.
"""

import atexit
import re
import shutil
import threading
import time
from importlib.util import find_spec
from pathlib import Path

from neural_collapse.errors import InputError

_EVERY = 2.0  # seconds
_BEGUN = re.compile(r"0 of \d+ epochs are done")
_EPOCH = re.compile(r"epoch (\d+)/(\d+): (.+)")
_VALUE = re.compile(r"([a-z][a-z ]*) ([-+.\deE]+)(%?)(?:, |$)")


class LiveCurves:
    """What is added to `logs`, a folder of the logs of trainings, as scalars below `folder`, a run a log."""

    def __init__(self, logs: list[Path], folder: Path):
        self._logs, self._folder = logs, folder
        self._read = {path: path.stat().st_size for path in self._found()}  # these ended before
        self._writers = {}

    def _found(self) -> list[Path]:
        return [path for folder in self._logs for path in folder.rglob("*.log")]

    def poll(self) -> None:
        """Write what the logs say since the last time."""
        found = self._found()
        self._read = {path: self._read.get(path, 0) for path in found}  # one that begins anew was away
        for path in found:
            with path.open("rb") as file:
                file.seek(self._read[path])
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[path] += len(whole)
            for line in whole.decode(errors="replace").splitlines():
                self._show(path, line)
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _show(self, path: Path, line: str) -> None:
        logs = next(folder for folder in self._logs if path.is_relative_to(folder))
        folder = self._folder / path.relative_to(logs).with_suffix("")
        if _BEGUN.match(line):
            if writer := self._writers.pop(folder, None):
                writer.close()
            shutil.rmtree(folder, ignore_errors=True)  # curves of an earlier training
        elif epoch := _EPOCH.match(line):
            self._write(folder, int(epoch[1]), _VALUE.findall(epoch[3]))
            if epoch[1] == epoch[2]:
                self._writers.pop(folder).close()

    def _write(self, folder: Path, epoch: int, values: list[tuple[str, str, str]]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if folder not in self._writers:
            self._writers[folder] = EventFileWriter(str(folder))
        scalars = [
            Summary.Value(tag=name.replace(" ", "_"), simple_value=float(value) / (100 if percent else 1))
            for name, value, percent in values
        ]
        self._writers[folder].add_event(Event(step=epoch, wall_time=time.time(), summary=Summary(value=scalars)))


def show_live(logs: list[Path], folder: Path) -> None:
    """Show the curves of the trainings that write these logs until this process ends.

    Raises
    ------
    InputError
        Without the package tensorboard.
    """
    if find_spec("tensorboard") is None:
        raise InputError("config.yaml: tensorboard: true needs its package; `pip install tensorboard`, or write false.")
    curves = LiveCurves(logs, folder)
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(_EVERY):
            curves.poll()
        curves.poll()
        curves.close()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()

    @atexit.register
    def end() -> None:
        ended.set()
        thread.join(timeout=10)
