"""Run one step of the library as a job: the code, and the inputs, that the plan meant, or not at all.

    python -m run_step --code FINGERPRINT MODULE... --reads FILE... --makes FILE... -- STEP FLAG...

Snakemake decides what to run when it reads the Snakefile; a job may start hours later. What it is to run was planned
for the code of that time, so the job compares the code's fingerprint when it starts and again when it ends. A finished
job leaves a *receipt* of what it read and made (`receipts`): Snakemake's own record looks at the inputs only once the
job has ended, and tells a finished job from a failed one by nothing.
"""

import argparse
import gc
import os
import sys

import gpus
import receipts
from contents import checksum
from environments import ran_with
from fingerprint import fingerprint, forget

from neural_collapse.errors import InputError

# What a step imports is a million objects that live as long as it does: Python's collector would go over them a hundred
# times while they come, and once more at the end, for a third of what an import of torch takes.
_ALLOCATIONS_BETWEEN_COLLECTIONS = 100_000


def main() -> int:
    own, step = _split(sys.argv[1:])
    parser = argparse.ArgumentParser(prog="run_step")
    parser.add_argument("--code", nargs="+", required=True)
    parser.add_argument("--reads", nargs="*", default=[])
    parser.add_argument("--makes", nargs="+", required=True)
    options = parser.parse_args(own)
    receipts.discard(options.makes)
    read = {path: checksum(path) for path in options.reads}
    if not _is_planned(options.code):
        return _refuse("the code was changed after this job was planned; repeat the command.")
    from neural_collapse.__main__ import main as run

    try:
        with gpus.given(step[0]):
            status = run(step)
    except InputError as error:
        return _refuse(str(error))
    if status:
        return status
    if not _is_planned(options.code):
        return _refuse("the code was changed while this job ran; repeat the command.")
    changed = [path for path, before in read.items() if not os.path.exists(path) or checksum(path) != before]
    if changed:
        return _refuse(f"{changed[0]} was changed while this job read it; repeat the command.")
    made = {path: checksum(path) for path in options.makes if os.path.exists(path)}
    receipts.write(read, made, ran_with(*options.code[1:]))
    return 0


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


def _is_planned(code: list[str]) -> bool:
    planned, *modules = code
    forget()
    return fingerprint(*modules) == planned


def _refuse(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS)
    try:
        status = main()
    except OSError as error:  # a full disk, or a file gone meanwhile
        status = _refuse(f"{error.filename or 'a file'}: {error.strerror or error}.")
    gc.freeze()  # nothing is left to collect
    sys.exit(status)
