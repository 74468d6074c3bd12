"""The contents of files, each read once: checksums remembered for as long as a file's identity, size and times last."""

import hashlib
import os

Memory = dict[str, list]
"""Path -> [device's number of the file, size, time of content, time of change, checksum]."""


def checksum(path: str, memory: Memory | None = None) -> str:
    """The SHA-256 of a file, in Snakemake's notation.

    A memory spares reading the file again. The time of change (ctime), which no program can set, is part of a file's
    identity there: other content under the old time and size is seen.
    """
    stat = os.stat(path)
    identity = [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    known = None if memory is None else memory.get(path)
    if known is None or known[:4] != identity:
        with open(path, "rb") as file:
            known = [*identity, f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"]
        if memory is not None:
            memory[path] = known
    return known[4]


def md5(path: str) -> str:
    """The name of a file's content in DVC's cache."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
