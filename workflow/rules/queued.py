"""Jobs that are still in a scheduler's queue though the Snakemake that submitted them was killed."""

import shutil
import subprocess
import sys
import time

from neural_collapse.errors import InputError


def wait_for(jobs: set[str]) -> None:
    """Wait until none of these jobs is in Slurm's queue; of another scheduler's, warn: nobody here can ask it.

    A second job for the same files would find the first one's lock, or write what it writes.
    """
    if not jobs:
        return
    if not shutil.which("squeue"):
        print(
            f"warning: the scheduler's {_named(jobs)} had not ended when Snakemake did; if still in its queue, "
            "stop here and cancel them, or wait for them.",
            file=sys.stderr,
        )
        return
    said = ""
    while queued := jobs & _queue():
        if said != (said := _named(queued)):
            print(
                f"waiting for Slurm's {said}, submitted by a Snakemake that was killed; to do without, `scancel "
                f"{' '.join(sorted(queued))}` elsewhere.",
                file=sys.stderr,
            )
        time.sleep(5)


def _named(jobs: set[str]) -> str:
    return f"job{'s' if len(jobs) > 1 else ''} {', '.join(sorted(jobs))}"


def _queue() -> set[str]:
    """The numbers of the user's jobs, and of each task of an array."""
    asked = subprocess.run(["squeue", "--me", "--noheader", "--array", "--format=%i"], capture_output=True, text=True)
    if asked.returncode:
        raise InputError(f"Slurm's queue can't be looked at ({asked.stderr.strip()}); repeat the command when it can.")
    return set(asked.stdout.split())
