"""What made each file, carried in git, so that every clone knows what is stale as well as the machine that made it.

Snakemake keeps a record for each output in .snakemake/metadata (rule, parameters, code, inputs) and decides by it and
by the files' times. Times say nothing after a clone, a checkout or a copy. So this module decides by contents, whenever
the Snakefile is read:

1. A file's *entry* is Snakemake's record, the checksums of what its job read, and the checksum of the file. Entries are
   in git, results/<study>/provenance/<layer>.json; those of jobs that ended since wait in .snakemake/records.
2. A file that is there must be what an entry says. If it is not, it was changed behind the records' back: what git
   keeps is made anew; what DVC keeps took long to make, so it is refused until somebody decides.
3. A job's inputs must be what its entry says it read: each input is what its own entry says, be it here or absent.
   Where the chain is broken, the job is stale.
4. Snakemake is then given, as its own records, the entries that hold, and for all others one that fits no job.
"""

import atexit
import contextlib
import getpass
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import receipts
from contents import Memory, checksum, md5
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence

from neural_collapse.errors import InputError
from neural_collapse.locks import HeldElsewhere, exclusive
from neural_collapse.storage import whole_file, write_json

KNOWN_FORMAT = 6  # of Snakemake's records
FORMAT = 7  # of the provenance
CARRIED = ("rule", "code", "shellcmd", "params", "input", "log", "input_checksums")

Entry = dict[str, Any]
"""`record`: what Snakemake recorded of the job (CARRIED); `checksum`: the file's; `ran_with`: versions and device."""


class Records:
    """The records of one study.

    Parameters
    ----------
    provenance
        The folder of the entries in git.
    outputs
        The files each layer makes.
    kept_by_dvc
        The folders whose files are in DVC's cache and not in git.
    state
        Snakemake's own folder.
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
        self._kept_by_dvc = tuple(f"{folder}/" for folder in kept_by_dvc)
        self._state = state
        self._snakemake = FilePersistence(path=state)
        self._waiting = state / "records" / f"{provenance.parent.name}.json"
        self._contents = state / "records" / "contents.json"
        self._incomplete: set[str] = set()
        self._restored: dict[str, str] = {}

    def alone(self) -> bool:
        """Whether no other Snakemake works in this folder; from then on until this process ends, none can start.

        Of a killed process nothing stays that could hold anybody up. Snakemake's own lock files do stay, and are
        cleared here: nobody is left who could hold them.
        """
        self._waiting.parent.mkdir(parents=True, exist_ok=True)
        lock = exclusive(self._waiting.parent / "lock")
        try:
            lock.__enter__()
        except HeldElsewhere:
            return False
        atexit.register(lock.__exit__, None, None, None)
        shutil.rmtree(self._state / "locks", ignore_errors=True)
        return True

    def submitted(self) -> set[str]:
        """The scheduler's names of the jobs that a Snakemake submitted which did not see them end."""
        return self._snakemake._get_external_jobids(self._all_outputs())

    def keep_plan(self, config: dict[str, Any]) -> str:
        """Write down the configuration that a run is planned with; returns the file, which the next run replaces.

        In its own order, which is that of the flags of a job.
        """
        path = self._state / "records" / "plan.json"
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(config))
        return str(path.absolute())

    def restore(self) -> None:
        """Give Snakemake the records of what holds, and of nothing else.

        Raises
        ------
        InputError
            Where a file that DVC keeps is there, but is neither what was recorded nor made here since.
        """
        memory: Memory = _read_json(self._contents)
        self._take_receipts()
        entries = self._entries(memory)
        self._restored = {path: entry["checksum"] for path, entry in entries.items()}
        altered = {path for path, entry in entries.items() if self._is_altered(path, entry, memory)}
        heavy = [path for path in self._all_outputs() if path in altered and path.startswith(self._kept_by_dvc)]
        write_json(self._contents, memory)
        if heavy:
            raise InputError(self._refusal(heavy))
        _bring_to_the_present(self._all_outputs())
        for outputs in self._outputs.values():
            # One output without a record, and Snakemake asks for none of the others of its job.
            begun = any(path in entries or os.path.exists(path) for path in outputs)
            for path in outputs:
                entry = entries.get(path)
                if entry is not None and path not in altered and self._chain_holds(entry, entries, memory):
                    self._project(path, entry["record"])
                elif begun:
                    self._project(path, None)
                else:
                    self._snakemake._delete_record(path)
        self._snakemake._clear_cache()
        write_json(self._contents, memory)

    def save(self) -> None:
        """Write the entry of every output to the provenance, where they changed."""
        memory: Memory = _read_json(self._contents)
        self._take_receipts()
        entries = self._entries(memory)
        for layer, outputs in self._outputs.items():
            jobs: dict[str, dict] = {}
            for path in outputs:
                if path in entries:
                    entry = entries[path]
                    job = jobs.setdefault(json.dumps(entry["record"], sort_keys=True), {"outputs": {}, **entry})
                    job["outputs"][path] = entry["checksum"]
            for job in jobs.values():
                del job["checksum"]
                job["seal"] = _seal(job)
            _write_if_changed(self._provenance / f"{layer}.json", {"format": FORMAT, "jobs": [*jobs.values()]})
        write_json(self._waiting, {})
        write_json(self._contents, memory)

    def accept(self, why: str) -> None:
        """Take Snakemake's new record of each file that is as it was made.

        What changed since is said to change nothing. `snakemake --touch` writes such records. Who accepted, when and
        why stays in the entry until it is made anew.
        """
        memory: Memory = _read_json(self._contents)
        for receipt in receipts.found():
            if self._incomplete & receipt["outputs"].keys():  # their Snakemake, killed, had other settings perhaps
                receipts.discard(receipt["outputs"])
        entries, waiting = self._entries(memory), _read_json(self._waiting)
        for path in self._all_outputs():
            record = self._snakemake._read_record(path)
            if record is None or record.endtime is None or path not in entries:
                continue
            if self._is_altered(path, entries[path], memory):
                continue
            new = {name: record[name] for name in CARRIED} | {
                "input_checksums": entries[path]["record"]["input_checksums"]
            }
            if new["params"] != entries[path]["record"]["params"] or new["code"] != entries[path]["record"]["code"]:
                accepted = {"who": getpass.getuser(), "when": time.strftime("%Y-%m-%d"), "why": why}
                waiting[path] = {**entries[path], "record": new, "accepted": accepted}
        write_json(self._waiting, waiting)
        self.save()

    def ran_with(self) -> list[dict[str, str]]:
        """What each job of the study ran with: versions of the packages that decide its bytes, and its device."""
        return [entry.get("ran_with", {}) for entry in self._entries(_read_json(self._contents)).values()]

    def made_as_before(self, paths: Iterable[str]) -> bool:
        """Whether files are what the entries said of them when this Snakemake began; a touch leaves some absent."""
        return all(not os.path.exists(path) or self._restored.get(path) == checksum(path) for path in paths)

    def is_made(self, path: str) -> bool:
        """Whether a file is there, and not by a job that was killed before it was recorded."""
        return os.path.exists(path) and path not in self._incomplete

    def _all_outputs(self) -> Iterator[str]:
        for outputs in self._outputs.values():
            yield from outputs

    def _take_receipts(self) -> None:
        """Make entries of the jobs that ended well since the last look."""
        waiting = _read_json(self._waiting)
        ours = set(self._all_outputs())
        self._snakemake._clear_cache()  # Snakemake's own object has written to the disk since
        self._incomplete = self._snakemake._filter_incomplete_keys(ours)
        taken = []
        for receipt in receipts.found():
            made = receipt["outputs"]
            records = {path: self._snakemake._read_record(path) for path in made}
            # Without a time of its own a record is one of `_project`: Snakemake was killed before it recorded the job.
            if made.keys() <= ours and all(record and record.endtime is not None for record in records.values()):
                for path, record in records.items():
                    content = {name: record[name] for name in CARRIED} | {"input_checksums": receipt["inputs"]}
                    waiting[path] = {"record": content, "checksum": made[path], "ran_with": receipt["ran_with"]}
                taken.append(made)
        write_json(self._waiting, waiting)
        for made in taken:
            receipts.discard(made)

    def _entries(self, memory: Memory) -> dict[str, Entry]:
        """The entry of each output: of those that wait here and in git, the one that says what lies on the disk."""
        carried, waiting = self._carried(), _read_json(self._waiting)
        entries = {}
        for path in self._all_outputs():
            candidates = [entries_of[path] for entries_of in (waiting, carried) if path in entries_of]
            if candidates:
                fitting = [entry for entry in candidates if not self._is_altered(path, entry, memory)]
                entries[path] = (fitting or candidates)[0]
        return entries

    def _carried(self) -> dict[str, Entry]:
        found = {}
        for path in sorted(self._provenance.glob("*.json")):
            try:
                content = json.loads(path.read_text())
                jobs = content["jobs"] if content["format"] == FORMAT else []
                for job in jobs:
                    if job.get("seal") == _seal(job):  # else put together from two, by a merge perhaps
                        entry = {name: value for name, value in job.items() if name not in ("outputs", "seal")}
                        found |= {output: {**entry, "checksum": sum} for output, sum in job["outputs"].items()}
            except (ValueError, KeyError, TypeError, AttributeError):
                raise InputError(
                    f"{path}: not whole, perhaps for a merge; take either side's (`git checkout --ours {path}`, or "
                    "`git checkout HEAD` where there was none): what it does not speak of is made anew."
                ) from None
        return found

    def _is_altered(self, path: str, entry: Entry, memory: Memory) -> bool:
        return self.is_made(path) and checksum(path, memory) != entry["checksum"]

    def _chain_holds(self, entry: Entry, entries: dict[str, Entry], memory: Memory) -> bool:
        return all(
            self._content(path, entries, memory) == read for path, read in entry["record"]["input_checksums"].items()
        )

    def _content(self, path: str, entries: dict[str, Entry], memory: Memory) -> str | None:
        """The content of an input: what its entry says, which an altered or absent file will be once it is made."""
        if path in entries:
            return entries[path]["checksum"]
        return checksum(path, memory) if os.path.exists(path) else None

    def _project(self, path: str, content: dict[str, Any] | None) -> None:
        """Give Snakemake a record, or one that fits no job: a file without any it takes for current."""
        content = {"rule": "unknown", "params": ["unknown"]} if content is None else content
        record = MetadataRecord(record_format_version=KNOWN_FORMAT, incomplete=False, **content)
        if self._snakemake._read_record(path) != record:
            self._snakemake._write_record(path, record)

    def _refusal(self, paths: list[str]) -> str:
        others = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        folder = next(folder for folder in self._kept_by_dvc if paths[0].startswith(folder)).rstrip("/")
        only_here = [path for path in paths if not _in_dvc_cache(path)]
        keep = f"{only_here[0]} is nowhere else: move it away if you want to keep it. Then " if only_here else ""
        return (
            f"{paths[0]}{others}: not what the records of this commit say was made. {keep}"
            f"`dvc checkout --force {folder}` brings what was; or delete what differs, and it is made again once a job "
            "needs it."
        )


def _bring_to_the_present(paths: Iterable[str]) -> None:
    """Date files of the future now: what is made of them later would be older, and Snakemake would delete it."""
    now = time.time()
    for path in paths:
        with contextlib.suppress(OSError):  # absent, or somebody else's
            if os.stat(path).st_mtime > now:
                os.utime(path)


def _in_dvc_cache(path: str) -> bool:
    name = md5(path)
    return Path(".dvc/cache/files/md5", name[:2], name[2:]).exists()


def _seal(job: dict[str, Any]) -> str:
    """A checksum over a job's entry: two lines of two true entries, merged, are not a third."""
    content = {name: value for name, value in job.items() if name != "seal"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _read_json(path: Path) -> dict[str, Any]:
    """A file of our own under .snakemake; empty where it is not there, or damaged."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_if_changed(path: Path, value: dict) -> None:
    text = json.dumps(value, indent=2, sort_keys=True) + "\n"
    if not path.exists() or path.read_text() != text:
        write_json(path, value)
