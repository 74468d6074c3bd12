"""What a machine does to a step that works well: a full disk, a place where nothing can be written, no memory."""

import contextlib
import re
import resource

import pytest
import torch
from valid_files import COMMANDS, call

import neural_collapse.storage

pytest_plugins = ["valid_files"]

WRITING = {name: command for name, command in COMMANDS.items() if "out" in command}
each_that_writes = pytest.mark.parametrize("command", WRITING.values(), ids=WRITING)


@contextlib.contextmanager
def no_room():
    """A disk that takes no file of more than a few bytes, as far as this process can tell."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refused(command, folder):
    """The one sentence in which a command ends; it has written nothing but what a training may continue from."""

    def written():
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "work" not in path.parts}

    before = written()
    status, errors = call(command)
    assert status == 1 and "Traceback" not in errors, errors
    assert written() == before
    *_, sentence = errors.splitlines()
    assert sentence.startswith("error: "), errors
    return sentence


@each_that_writes
def test_a_full_disk_is_one_sentence_and_leaves_no_half_file(command, files):
    with no_room():
        sentence = refused(command, files)
    assert "File too large" in sentence


@each_that_writes
def test_a_place_where_nothing_can_be_written_is_one_sentence(command, files):
    assert "own.npz" in refused(re.sub(r"\bout(?=[./]| |$)", "own.npz/out", command), files)


@pytest.mark.parametrize("name", ["measure", "extract", "train"])
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=["of Python", "of a GPU", "of torch"],
)
def test_too_little_memory_is_one_sentence(error, name, files, monkeypatch):
    def full(*_, **__):
        raise error

    monkeypatch.setattr(neural_collapse.storage, "safe_open", full)
    assert refused(COMMANDS[name], files) == "error: there is not enough memory for data of this size."


def test_more_memory_than_there_is_is_one_sentence_of_torch_as_well(files, monkeypatch):
    """With the very words of the torch that is installed."""

    def full(*_, **__):
        torch.empty(2**60)

    monkeypatch.setattr(neural_collapse.storage, "safe_open", full)
    assert "not enough memory" in refused(COMMANDS["train"], files)
