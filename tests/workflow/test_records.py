"""The records carried in git: what they rely on in Snakemake, what they restore, and what they refuse."""

import inspect
import json
import os
from pathlib import Path

import pytest
from records import CARRIED, KNOWN_FORMAT, Records
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord, PersistenceBase
from snakemake.persistence.file import FilePersistence

from neural_collapse.errors import InputError

OUTPUTS = {"data": ["results/s/data/d.safetensors"], "figures": ["results/s/figures/f.pdf"]}
IMAGES, FIGURE = OUTPUTS["data"][0], OUTPUTS["figures"][0]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A study's folder in which both outputs were made, recorded and saved."""
    monkeypatch.chdir(tmp_path)
    for path in (IMAGES, FIGURE):
        make(path, "first")
    records().save()
    return tmp_path


def records():
    return Records(Path("results/s/provenance"), OUTPUTS, kept_by_dvc=["results/s/data"])


def snakemake():
    return FilePersistence(path=Path(".snakemake"))


def make(path, params):
    """What Snakemake leaves of a finished job."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(params)
    record = MetadataRecord(rule="r", params=[params], record_format_version=6, endtime=os.stat(path).st_mtime)
    snakemake()._write_record(path, record)


def params(path):
    record = snakemake()._read_record(path)
    return record and record.params


def test_snakemake_keeps_records_as_expected():
    assert RECORD_FORMAT_VERSION == KNOWN_FORMAT
    assert set(CARRIED) < set(MetadataRecord.model_fields)
    for method in ("_read_record", "_write_record", "_delete_record", "_filter_incomplete_keys", "_clear_cache"):
        assert hasattr(FilePersistence, method)
    assert "finished" in dict(inspect.getmembers(PersistenceBase))


def test_another_format_is_refused(folder, monkeypatch):
    monkeypatch.setattr("records.RECORD_FORMAT_VERSION", 7)
    with pytest.raises(InputError, match=r"format 7.*requirements"):
        records()


def test_a_clone_gets_the_records_and_nothing_of_the_machine(folder):
    saved = (folder / "results/s/provenance/data.json").read_text()
    assert str(folder) not in saved and "endtime" not in saved
    os.rename(".snakemake", "elsewhere")
    os.remove(IMAGES)
    records().restore()
    assert params(IMAGES) == ["first"] and params(FIGURE) == ["first"]


def test_what_was_made_here_since_is_kept_until_it_is_saved(folder):
    make(FIGURE, "second")
    records().restore()
    assert params(FIGURE) == ["second"], "a killed Snakemake saved nothing, but its finished jobs are done"
    records().save()
    jobs = json.loads((folder / "results/s/provenance/figures.json").read_text())["jobs"]
    assert jobs[0]["record"]["params"] == ["second"]


def test_a_failed_job_is_not_recorded_as_done(folder):
    make(IMAGES, "failed")
    os.remove(IMAGES)  # as Snakemake does with the outputs of a failed job
    records().save()
    assert params(IMAGES) == ["first"]
    assert "failed" not in (folder / "results/s/provenance/data.json").read_text()


def test_an_altered_file_is_refused_and_a_touched_one_is_not(folder):
    os.utime(IMAGES, (1, 1))
    records().restore()
    with open(IMAGES, "a") as file:
        file.write("x")
    with pytest.raises(InputError, match=r"d\.safetensors.*dvc checkout --force results/s/data"):
        records().restore()


def test_a_file_that_no_record_speaks_of_is_never_current(folder):
    provenance = folder / "results/s/provenance/figures.json"
    provenance.write_text(json.dumps({"format": 6, "jobs": []}))
    records().restore()
    assert params(FIGURE) == ["unknown"]
    records().save()
    assert json.loads(provenance.read_text())["jobs"] == []


def test_marks_of_a_merge_are_one_sentence(folder):
    (folder / "results/s/provenance/data.json").write_text("<<<<<<< HEAD\n")
    with pytest.raises(InputError, match=r"data\.json.*git checkout --ours"):
        records().restore()


def test_a_second_snakemake_is_told_and_a_dead_ones_locks_are_cleared(folder):
    (folder / ".snakemake/locks/0.input.lock").write_text(FIGURE)
    first, second = records(), records()
    assert first.alone() and not os.path.exists(".snakemake/locks")
    assert not second.alone()
