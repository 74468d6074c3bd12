"""How a long step is stopped: by a signal, or by the end of the process that started it."""

import argparse
import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from ..errors import InputError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def stop_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stop-with-parent",
        type=int,
        metavar="PID",
        help="the process that starts this one; stop once it is gone",
    )


@contextlib.contextmanager
def stop_requests(parent: int | None) -> Iterator[Callable[[], None]]:
    """Give a function that raises InputError once SIGTERM or SIGINT arrived, or the process `parent` is gone.

    Until it is called nothing is stopped, so that no step of training and no file is left half done. The parent may
    be gone before this process has imported all it needs, so its number comes from outside.
    """
    received = []
    before = {number: signal.signal(number, lambda *call: received.append(call[0])) for number in _SIGNALS}

    def check() -> None:
        if received:
            raise InputError(f"stopped by {signal.Signals(received[0]).name}; repeat the command to go on.")
        if parent is not None and os.getppid() != parent:
            raise InputError("stopped, because the process that started this one is gone.")

    try:
        check()
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
