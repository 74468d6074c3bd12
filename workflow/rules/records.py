"""Snakemake's records of what made each file, carried in git so that every clone knows what is stale.

Snakemake keeps one record for each output in .snakemake/metadata: the rule, its parameters and code, and the checksums
of its inputs. They are saved to results/<study>/provenance/<layer>.json after a run, and restored from there when
another commit's provenance is found. What depends on the machine (times, job numbers) stays behind.

The provenance also names the content of every output that DVC keeps. What lies on the disk must be that, or be absent,
or have been made here since; anything else was changed behind the records' back and is refused. A file that no record
speaks of (left from a run that was removed once, say) is made anew.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence

from neural_collapse.errors import InputError
from neural_collapse.storage import write_json

KNOWN_FORMAT = 6
CARRIED = ("rule", "code", "shellcmd", "params", "input", "log", "input_checksums")


class Records:
    """The records of one study.

    Arguments:
        provenance: the folder of the records in git.
        outputs: the files each layer makes.
        kept_by_dvc: the folders whose files are in DVC's cache and not in git.
        state: Snakemake's own folder.
    """

    def __init__(
        self,
        provenance: Path,
        outputs: dict[str, list[str]],
        kept_by_dvc: list[str],
        state: Path = Path(".snakemake"),
    ):
        if RECORD_FORMAT_VERSION != KNOWN_FORMAT:
            raise InputError(
                f"This Snakemake writes records of format {RECORD_FORMAT_VERSION}, the workflow carries format "
                f"{KNOWN_FORMAT}: install the version that envs/requirements.txt names."
            )
        self._provenance = provenance
        self._outputs = outputs
        self._kept_by_dvc = kept_by_dvc
        self._state = state
        self._memory = state / "records" / f"{provenance.parent.name}.json"
        self._snakemake = FilePersistence(path=state)
        self._lock = None

    def alone(self) -> bool:
        """Whether no other Snakemake works in this folder; from then on until this process ends, none can start.

        The kernel drops the lock with the process that holds it, so a killed one leaves nothing behind. Snakemake's own
        lock files do stay behind, and are cleared here: nobody is left who could hold them.
        """
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        self._lock = open(self._memory.parent / "lock", "a")  # noqa: SIM115 (held until the process ends)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(self._state / "locks", ignore_errors=True)
        return True

    def restore(self) -> None:
        """Take over the records in git where they are not the ones last seen here, and check the disk against them.

        Raises InputError where a file that DVC keeps is neither absent, nor what was recorded, nor made here since.
        """
        if not self._provenance.is_dir():
            return
        memory, digest = self._remember(), self._digest()
        carried = self._carried()
        if memory["provenance"] != digest:
            for path in self._all_outputs():
                self._put(path, carried.get(path))
            memory["provenance"] = digest
        self._forget_failed_jobs(carried)
        self._mistrust_strangers()
        self._check(carried, memory)
        write_json(self._memory, memory)

    def save(self) -> None:
        """Write the records of every output that was made to the provenance, where they changed."""
        carried, memory = self._carried(), self._remember()
        self._forget_failed_jobs(carried)
        for layer, outputs in self._outputs.items():
            jobs: dict[str, dict] = {}
            for path in outputs:
                record = self._snakemake._read_record(path)
                if record is not None and record.rule is not None:
                    content = {name: record[name] for name in CARRIED}
                    key = json.dumps(content, sort_keys=True)
                    job = jobs.setdefault(key, {"outputs": {}, "record": content})
                    job["outputs"][path] = self._checksum(path, carried, memory)
            _write_if_changed(self._provenance / f"{layer}.json", {"format": KNOWN_FORMAT, "jobs": [*jobs.values()]})
        memory["provenance"] = self._digest()
        write_json(self._memory, memory)

    def is_made(self, path: str) -> bool:
        """Whether a file is there, and not by a job that was killed before it was recorded."""
        return os.path.exists(path) and not self._snakemake._filter_incomplete_keys([path])

    def _all_outputs(self) -> Iterator[str]:
        for outputs in self._outputs.values():
            yield from outputs

    def _digest(self) -> str:
        files = sorted(self._provenance.glob("*.json"))
        return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()

    def _carried(self) -> dict[str, dict]:
        """The record of each output in the provenance, its own checksum added."""
        found = {}
        for path in self._provenance.glob("*.json"):
            try:
                jobs = json.loads(path.read_text())["jobs"]
            except json.JSONDecodeError:
                raise InputError(
                    f"{path}: not whole, perhaps for a merge; take either side's (`git checkout --ours {path}`), "
                    "and what it does not speak of is made anew."
                ) from None
            for job in jobs:
                for output, checksum in job["outputs"].items():
                    found[output] = {"checksum": checksum, **job["record"]}
        return found

    def _remember(self) -> dict:
        """What this folder last saw: the provenance's digest, and size, time and checksum of the files on the disk."""
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return json.loads(self._memory.read_text())
        return {"provenance": None, "files": {}}

    def _put(self, path: str, carried: dict | None) -> None:
        if carried is None:
            self._snakemake._delete_record(path)
        else:
            content = {name: carried[name] for name in CARRIED}
            record = MetadataRecord(record_format_version=KNOWN_FORMAT, incomplete=False, **content)
            self._snakemake._write_record(path, record)
        self._snakemake._clear_cache()

    def _forget_failed_jobs(self, carried: dict[str, dict]) -> None:
        """Snakemake records a failed job like a finished one and deletes its output: take the earlier record back.

        Without this, the changed parameters of the failed job would count as done, and what depends on it as current.
        """
        for path in self._all_outputs():
            record = self._snakemake._read_record(path)
            if record is not None and record.endtime is not None and not os.path.exists(path):
                self._put(path, carried.get(path))

    def _mistrust_strangers(self) -> None:
        """Give files without a record one that fits no job: Snakemake takes a file without a record for current."""
        for path in self._all_outputs():
            if self._snakemake._read_record(path) is None and os.path.exists(path):
                record = MetadataRecord(record_format_version=KNOWN_FORMAT, incomplete=False, params=["unknown"])
                self._snakemake._write_record(path, record)
        self._snakemake._clear_cache()

    def _check(self, carried: dict[str, dict], memory: dict) -> None:
        for folder in self._kept_by_dvc:
            kept = [path for path in self._all_outputs() if path.startswith(f"{folder}/")]
            changed = [path for path in kept if not self._as_recorded(path, carried.get(path), memory)]
            if changed:
                others = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
                raise InputError(
                    f"{changed[0]}{others}: not what the records of this commit say was made; "
                    f"run `dvc checkout --force {folder}` to get what was, or delete it to make it anew."
                )

    def _as_recorded(self, path: str, carried: dict | None, memory: dict) -> bool:
        if carried is None or not self.is_made(path):
            return True
        record = self._snakemake._read_record(path)
        made_here = record is not None and record.endtime == os.stat(path).st_mtime
        return made_here or _remembered_checksum(path, memory) == carried["checksum"]

    def _checksum(self, path: str, carried: dict[str, dict], memory: dict) -> str | None:
        """The content of a file that DVC keeps; git itself knows the content of the others."""
        if not path.startswith(tuple(f"{folder}/" for folder in self._kept_by_dvc)):
            return None
        if not os.path.exists(path):  # an absent file is still what it was recorded to be
            return carried[path]["checksum"] if path in carried else None
        return _remembered_checksum(path, memory)


def _remembered_checksum(path: str, memory: dict) -> str:
    """The SHA-256 of a file, computed again only where its size or time changed."""
    stat = os.stat(path)
    known = memory["files"].get(path)
    if known is None or known[:2] != [stat.st_size, stat.st_mtime_ns]:
        with open(path, "rb") as file:
            known = [stat.st_size, stat.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest()]
        memory["files"][path] = known
    return known[2]


def _write_if_changed(path: Path, value: dict) -> None:
    if not path.exists() or json.loads(path.read_text()) != value:
        write_json(path, value)
