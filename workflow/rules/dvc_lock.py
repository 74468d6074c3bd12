"""DVC writes its list of locks in place: one that is killed meanwhile leaves half a file, with which no `dvc` works."""

import contextlib
import json
import time
from pathlib import Path

_LOCKS = Path(".dvc/tmp/rwlock")


def mend() -> None:
    """Remove DVC's list of locks where it is damaged, but not while somebody may be writing it."""
    with contextlib.suppress(FileNotFoundError):
        try:
            json.loads(_LOCKS.read_text())
        except ValueError:
            if time.time() - _LOCKS.stat().st_mtime > 1:
                _LOCKS.unlink()
