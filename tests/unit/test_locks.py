"""One process at a time, on file systems with and without locks of the kernel's."""

import errno
import fcntl
import os
import socket
import subprocess
import sys

import pytest
from fingerprint import LIBRARY

from neural_collapse.locks import HeldElsewhere, exclusive

HOLD = """
import errno, fcntl, sys
if {without}:
    def flock(*_):
        raise OSError(errno.ENOSYS, "no such call")
    fcntl.flock = flock
from neural_collapse.locks import exclusive
with exclusive(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(params=["with flock", "without"])
def without(request, monkeypatch):
    """Whether the file system lacks flock, here and in `holder`."""
    if request.param == "without":

        def flock(*_):
            raise OSError(errno.ENOSYS, "no such call")

        monkeypatch.setattr(fcntl, "flock", flock)
    return request.param == "without"


@pytest.fixture
def holder(without, tmp_path):
    """A process that holds the lock until it reads a line."""
    command = [sys.executable, "-c", HOLD.format(without=without), tmp_path / "lock"]
    environment = os.environ | {"PYTHONPATH": str(LIBRARY.parent)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_is_held_by_one_process_and_free_after_it(holder, tmp_path):
    with pytest.raises(HeldElsewhere), exclusive(tmp_path / "lock"):
        pass
    holder.communicate("go on\n")
    with exclusive(tmp_path / "lock"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_killed_process_leaves_no_lock(holder, tmp_path):
    holder.kill()
    holder.wait()
    with exclusive(tmp_path / "lock"):
        pass


def test_who_waits_gets_the_lock_once_it_is_free(holder, tmp_path):
    command = [sys.executable, "-c", "import time, sys; time.sleep(0.5); print(file=sys.stdout)"]
    with subprocess.Popen(command, stdout=holder.stdin), exclusive(tmp_path / "lock", wait=True):
        assert holder.wait(10) == 0


@pytest.mark.parametrize("without", ["without"], indirect=True)
def test_another_hosts_claim_holds_and_is_named(without, tmp_path):
    claim = tmp_path / f"lock.not-{socket.gethostname()}.1.held"
    claim.touch()
    with pytest.raises(HeldElsewhere, match=claim.name), exclusive(tmp_path / "lock"):
        pass


def test_other_errors_are_not_taken_for_a_missing_lock(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="disk"), exclusive(tmp_path / "lock"):
        pass
