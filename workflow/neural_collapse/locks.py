"""Locks between processes, which end with the process that holds them, however it ends."""

import contextlib
import errno
import fcntl
import os
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

_WITHOUT_FLOCK = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


class HeldElsewhere(Exception):
    """Another process holds the lock. The message follows a sentence's subject: empty, or how to find that process."""


@contextlib.contextmanager
def exclusive(path: str | Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock `path` for a block; its folder must exist.

    The kernel keeps the lock on the file (flock) and drops it with the process. On file systems that have no such locks
    (Lustre without an option, some NFS) every process that wants the lock lays down a *claim*, an empty file whose name
    says host and process, and has the lock if no other claim is there. Claims of processes that are gone from this host
    are removed; of another host's nobody here can tell, so they hold.

    Parameters
    ----------
    path
        A file of the lock's own, made where it is absent.
    wait
        Whether to wait until the lock is free.

    Raises
    ------
    HeldElsewhere
        Where another process holds it and `wait` is False.
    """
    with open(path, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise HeldElsewhere from None
        except OSError as error:
            if error.errno not in _WITHOUT_FLOCK:
                raise
        else:
            yield
            return
    claim = _claim(Path(path), wait)
    try:
        yield
    finally:
        claim.unlink(missing_ok=True)


def _claim(path: Path, wait: bool) -> Path:
    """Lay down our claim: who looks after that sees every other's, so two never hold, though both may give way."""
    ours = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}.held")
    while True:
        ours.touch()
        others = [claim for claim in path.parent.glob(f"{path.name}.*.held") if claim != ours and not _is_left(claim)]
        if not others:
            return ours
        ours.unlink()
        if not wait:
            raise HeldElsewhere(f" ({others[0]} names host and process; delete it if there is none)")
        time.sleep(random.uniform(0.1, 0.3))


def _is_left(claim: Path) -> bool:
    """Whether a claim is of a process of this host that is gone; removes it then."""
    host, process = claim.name.removesuffix(".held").rsplit(".", 1)
    if not host.endswith(f".{socket.gethostname()}"):
        return False
    with contextlib.suppress(PermissionError):  # another user's process is one that is there
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            claim.unlink(missing_ok=True)
            return True
    return False
