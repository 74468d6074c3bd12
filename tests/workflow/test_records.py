"""The records carried in git: what they rely on in Snakemake, what they restore, and what they refuse."""

import importlib
import inspect
import json
import os
import sys
from pathlib import Path

import pytest
import receipts
import run_step
from contents import checksum
from own_inputs import word_of_code, word_of_file
from records import CARRIED, KNOWN_FORMAT, Records
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord, PersistenceBase
from snakemake.persistence.file import FilePersistence

from neural_collapse.errors import InputError

OUTPUTS = {
    "data": ["results/s/data/d.safetensors"],
    "metrics": ["results/s/metrics.csv"],
    "figures": ["results/s/figures/f.pdf"],
}
IMAGES, TABLE, FIGURE = (outputs[0] for outputs in OUTPUTS.values())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A study's folder in which a chain of three files was made, recorded and saved."""
    monkeypatch.chdir(tmp_path)
    make(IMAGES, "first")
    make(TABLE, "first", IMAGES)
    make(FIGURE, "first", TABLE)
    records().save()
    return tmp_path


def records():
    return Records(Path("results/s/provenance"), OUTPUTS, kept_by_dvc=["results/s/data"])


def snakemake():
    return FilePersistence(path=Path(".snakemake"))


def make(path, params, *inputs, content=None):
    """What a job that ends well, and Snakemake, leave of it."""
    write(path, content or params)
    record(path, params)
    receipts.write({read: checksum(read) for read in inputs}, {path: checksum(path)}, {"numpy": "2"})


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content)


def record(path, params):
    """What Snakemake leaves of a job, however it ended."""
    record = MetadataRecord(rule="r", params=[params], record_format_version=6, endtime=1.0)
    snakemake()._write_record(path, record)


def params(path):
    record = snakemake()._read_record(path)
    return record and record.params[0]


def plan():
    """What Snakemake is given of each file of the chain."""
    records().restore()
    return [params(path) for path in (IMAGES, TABLE, FIGURE)]


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
    assert plan() == ["first"] * 3


def test_what_was_made_here_since_is_kept_until_it_is_saved(folder):
    make(FIGURE, "second", TABLE)
    assert plan() == ["first", "first", "second"], "a killed Snakemake saved nothing, but its finished jobs are done"
    records().save()
    jobs = json.loads((folder / "results/s/provenance/figures.json").read_text())["jobs"]
    assert jobs[0]["record"]["params"] == ["second"]


def test_what_was_made_here_is_recognised_after_a_merge_brought_other_records(folder):
    theirs = (folder / "results/s/provenance/figures.json").read_text().replace("first", "theirs")
    make(IMAGES, "second")
    (folder / "results/s/provenance/figures.json").write_text(theirs)
    assert plan()[0] == "second", "finished, though the Snakemake that made it died before it saved"


def test_a_failed_job_is_not_recorded_as_done(folder):
    receipts.discard([IMAGES])  # as every job does at its start
    record(IMAGES, "failed")
    os.remove(IMAGES)  # as Snakemake does with the outputs of a failed job
    records().save()
    assert plan()[0] == "first"
    assert "failed" not in (folder / "results/s/provenance/data.json").read_text()


def test_an_altered_heavy_file_is_refused_and_a_touched_one_is_not(folder):
    os.utime(IMAGES, (1, 1))
    assert plan() == ["first"] * 3
    write(IMAGES, "firsT")
    os.utime(IMAGES, (1, 1))
    with pytest.raises(InputError, match=r"d\.safetensors.*nowhere else.*dvc checkout --force results/s/data"):
        records().restore()


def test_no_advice_to_keep_what_dvc_has(folder):
    write(IMAGES, "another")
    kept = Path(".dvc/cache/files/md5/b3/2d73e56ec99bc5ec8f83871cde708a")
    write(kept, "another")
    with pytest.raises(InputError, match=r"was made\. `dvc checkout --force"):
        records().restore()


def test_what_is_dated_in_the_future_is_dated_now_because_what_follows_could_not_be_newer(folder):
    os.utime(TABLE, (4e9, 4e9))
    assert plan() == ["first"] * 3
    assert os.stat(TABLE).st_mtime <= os.stat(FIGURE).st_mtime + 60


@pytest.mark.parametrize("time", [1, 4e9])
def test_an_altered_file_of_git_is_made_again_whatever_its_time_and_what_reads_it_is_not(folder, time):
    write(TABLE, "forged")
    os.utime(TABLE, (time, time))
    assert plan() == ["first", "unknown", "first"], "once the table is what it was, so is the figure"


@pytest.mark.parametrize("absent", [(), (IMAGES,), (IMAGES, TABLE)])
def test_a_layer_made_alone_leaves_what_follows_stale_here_and_in_a_clone(folder, absent):
    make(IMAGES, "second")
    records().save()
    os.rename(".snakemake", "elsewhere")
    for path in absent:
        os.remove(path)
    assert plan() == ["second", "unknown", "first"]


def test_the_records_of_one_layer_alone_are_no_proof(folder):
    """One layer's records and files of another branch: `git checkout other -- results/s/metrics.csv ...`."""
    make(IMAGES, "theirs")
    make(TABLE, "theirs", IMAGES)
    make(FIGURE, "theirs", TABLE)
    records().save()
    theirs = (folder / "results/s/provenance/metrics.json").read_text()
    for path in (IMAGES, TABLE, FIGURE):
        make(path, "first", *{TABLE: [IMAGES], FIGURE: [TABLE]}.get(path, []))
    records().save()
    (folder / "results/s/provenance/metrics.json").write_text(theirs)
    write(TABLE, "theirs")
    assert plan() == ["first", "unknown", "unknown"]


def test_two_entries_merged_line_by_line_are_none(folder):
    provenance = folder / "results/s/provenance/figures.json"
    provenance.write_text(provenance.read_text().replace('"first"', '"merged"'))
    assert plan() == ["first", "first", "unknown"]


def test_a_file_that_no_record_speaks_of_is_never_current(folder):
    provenance = folder / "results/s/provenance/figures.json"
    provenance.write_text(json.dumps({"format": 7, "jobs": []}))
    assert plan()[2] == "unknown"
    records().save()
    assert json.loads(provenance.read_text())["jobs"] == []


def test_an_absent_output_without_a_record_does_not_hide_that_the_others_have_none(folder):
    absent = "results/s/data/e.safetensors"
    (folder / "results/s/provenance/data.json").write_text(json.dumps({"format": 7, "jobs": []}))
    Records(
        Path("results/s/provenance"), OUTPUTS | {"data": [IMAGES, absent]}, kept_by_dvc=["results/s/data"]
    ).restore()
    assert params(IMAGES) == params(absent) == "unknown", "Snakemake asks no job for parameters of which one is missing"


@pytest.mark.parametrize(
    "content", ["<<<<<<< HEAD\n", "{}", "[]", "null", '{"format": 7, "jobs": [3]}', "\x00", "\xff"]
)
def test_provenance_that_is_not_whole_is_one_sentence(folder, content):
    (folder / "results/s/provenance/data.json").write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"data\.json.*git checkout --ours"):
        records().restore()


def test_snakemakes_own_records_are_given_back_when_they_are_lost(folder):
    for path in (IMAGES, TABLE, FIGURE):
        snakemake()._delete_record(path)  # `snakemake --cleanup-metadata`
    assert plan() == ["first"] * 3


def test_a_touch_is_no_record_unless_it_is_accepted(folder):
    record(FIGURE, "touched")
    assert plan()[2] == "first"
    record(FIGURE, "accepted")
    records().accept("a patch release")
    assert plan()[2] == "accepted"
    entry = json.loads((folder / "results/s/provenance/figures.json").read_text())["jobs"][0]
    assert entry["accepted"]["why"] == "a patch release" and entry["accepted"].keys() == {"who", "when", "why"}


def test_nothing_altered_is_accepted(folder):
    write(FIGURE, "forged")
    record(FIGURE, "accepted")
    records().accept("no reason")
    assert plan()[2] == "unknown"


def test_the_file_of_a_job_that_nobody_saw_end_is_not_accepted(folder):
    """Its Snakemake was killed, the job went on with other settings, and these were put back before a touch."""
    assert plan() == ["first"] * 3
    snakemake()._mark_incomplete(FIGURE, None)
    write(FIGURE, "other settings")
    receipts.write({TABLE: checksum(TABLE)}, {FIGURE: checksum(FIGURE)}, {})
    touching = records()
    touching.restore()
    snakemake()._unmark_incomplete(FIGURE)  # as `snakemake --touch` does
    record(FIGURE, "first")
    touching.accept("a patch release")
    assert plan() == ["first", "first", "unknown"]


@pytest.fixture
def step(folder, monkeypatch):
    """A job that makes the table: `run_step` around a step of the test's own."""

    def run(work, *words):
        monkeypatch.setattr("neural_collapse.__main__.main", work)
        code = [run_step.fingerprint("steps.collect"), "steps.collect", *words]
        arguments = ["--code", *code, "--reads", IMAGES, "--makes", TABLE, "--", "collect"]
        monkeypatch.setattr("sys.argv", ["run_step", *arguments])
        return run_step.main()

    return run


def test_a_job_that_outlives_its_snakemake_gives_no_receipt_once_another_has_made_the_file(step, capsys):
    def newer(_):
        write(TABLE, "newer")
        return 0

    def older(_):
        assert step(newer) == 0
        write(TABLE, "older")
        return 0

    assert step(older) == 1 and "another job has begun to make the same files" in capsys.readouterr().err
    record(TABLE, "newer")
    assert plan() == ["first", "unknown", "unknown"], "the older table is not what the newer job made"
    assert step(newer) == 0
    record(TABLE, "newer")
    assert plan() == ["first", "newer", "unknown"]


def test_code_that_is_edited_and_put_back_while_a_job_imports_it_fails_that_job(step, monkeypatch, capsys):
    times = iter([1, 2])
    monkeypatch.setattr("run_step.last_touched", lambda *modules: next(times))
    assert step(lambda _: pytest.fail("it ran")) == 1
    assert "the code was changed while this job started; repeat the command." in capsys.readouterr().err


@pytest.mark.parametrize("name, word_of", [("models", word_of_code), ("my weights.pth", word_of_file)])
def test_a_users_own_file_that_is_edited_while_a_job_waits_or_runs_fails_that_job(step, name, word_of, capsys):
    file = Path("models.py" if name == "models" else name)
    file.write_text("build = 1")
    planned = word_of(name)
    assert step(lambda _: 0, planned) == 0
    file.write_text("build = 2")
    assert step(lambda _: pytest.fail("it ran"), planned) == 1
    assert f"{name} was changed after this job was planned; repeat the command." in capsys.readouterr().err
    file.write_text("build = 1")
    assert step(lambda _: file.write_text("build = 2") - 9, planned) == 1
    assert f"{name} was changed while this job ran; repeat the command." in capsys.readouterr().err


def test_a_users_own_module_is_imported_before_an_edit_can_reach_the_job(step, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "models", raising=False)
    models = Path("models.py")
    models.write_text("build = 1")

    def edited_and_put_back(_):
        models.write_text("build = 2")
        built = importlib.import_module("models").build
        models.write_text("build = 1")
        return built - 1

    assert step(edited_and_put_back, word_of_code("models")) == 0
    monkeypatch.delitem(sys.modules, "models")


def test_a_second_snakemake_is_told_and_a_dead_ones_locks_are_cleared(folder):
    (folder / ".snakemake/locks/0.input.lock").write_text(FIGURE)
    first, second = records(), records()
    assert first.alone() and not os.path.exists(".snakemake/locks")
    assert not second.alone()
