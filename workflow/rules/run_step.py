"""Run one step of the library as a job: the code, and the inputs, that the plan meant, or not at all.

    python -m run_step --code FINGERPRINT MODULE... WORD... --reads FILE... --makes FILE... -- STEP FLAG...

Snakemake decides what to run when it reads the Snakefile; a job may start hours later. What it is to run was planned
for the code of that time, so the job compares the code's fingerprint, and what its user's own files hold
(`own_inputs`), when it starts, imports all that it reaches, and compares again when it ends. A finished job leaves a
*receipt* of what it read and made (`receipts`): Snakemake's own record looks at the inputs only once the job has ended,
and tells a finished job from a failed one by nothing.
"""

import argparse
import contextlib
import gc
import importlib
import os
import sys
from typing import NamedTuple

import gpus
import own_inputs
import receipts
from contents import checksum
from environments import ran_with
from fingerprint import closure, fingerprint, forget, last_touched, recall

from neural_collapse.errors import InputError

# What a step imports is a million objects that live as long as it does: Python's collector would go over them a hundred
# times while they come, and once more at the end, for a third of what an import of torch takes.
_ALLOCATIONS_BETWEEN_COLLECTIONS = 100_000


class Code(NamedTuple):
    """What a job runs, as it was planned."""

    fingerprint: str
    modules: list[str]
    """Of the library: the step, and what it loads by name."""
    words: list[str]
    """Of what is the user's own."""

    @classmethod
    def of(cls, arguments: list[str]) -> "Code":
        planned, *names = arguments
        return cls(planned, [name for name in names if "@" not in name], [name for name in names if "@" in name])

    def changed(self) -> str | None:
        """What is another by now than was planned, in words; None where all is as it was."""
        forget()
        if fingerprint(*self.modules) != self.fingerprint:
            return "the code"
        return next((own_inputs.name_in(word) for word in self.words if not own_inputs.holds(word)), None)

    def last_touched(self) -> int:
        """When any of its files was last written or replaced, in nanoseconds."""
        own = [file.stat().st_ctime_ns for word in self.words for file in own_inputs.files_in(word)]
        return max([last_touched(*self.modules), *own])

    def import_all(self) -> None:
        """Import whatever a step reaches, now or later, so that an edit from here on reaches it no more."""
        for module in closure(*self.modules):
            with contextlib.suppress(ImportError):  # of a package that this job does without
                importlib.import_module(f"neural_collapse.{module}".rstrip("."))
        for word in filter(own_inputs.is_code, self.words):
            with contextlib.suppress(Exception):  # whatever it raises: the step says so
                importlib.import_module(own_inputs.name_in(word))


def main() -> int:
    own, step = _split(sys.argv[1:])
    parser = argparse.ArgumentParser(prog="run_step")
    parser.add_argument("--code", nargs="+", required=True)
    parser.add_argument("--reads", nargs="*", default=[])
    parser.add_argument("--makes", nargs="+", required=True)
    options = parser.parse_args(own)
    ticket = receipts.begin(options.makes)
    read = {path: checksum(path) for path in options.reads}
    code = Code.of(options.code)
    recall()  # most of a job's sources, from whoever planned it
    touched = code.last_touched()
    if changed := code.changed():
        return _refuse(f"{changed} was changed after this job was planned; repeat the command.")
    from neural_collapse.__main__ import main as run

    try:
        with gpus.given(step[0]):  # before anything that may look for a GPU is imported
            code.import_all()
            if code.last_touched() != touched:
                return _refuse("the code was changed while this job started; repeat the command.")
            status = run(step)
    except InputError as error:
        return _refuse(str(error))
    if status:
        return status
    if changed := code.changed():
        return _refuse(f"{changed} was changed while this job ran; repeat the command.")
    changed = [path for path, before in read.items() if not os.path.exists(path) or checksum(path) != before]
    if changed:
        return _refuse(f"{changed[0]} was changed while this job read it; repeat the command.")
    made = {path: checksum(path) for path in options.makes if os.path.exists(path)}
    if not receipts.is_good(options.makes, ticket):
        return _refuse("another job has begun to make the same files since this one began; repeat the command.")
    receipts.write(read, made, ran_with(*code.modules))
    return 0


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


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
