"""What the page says follows from the numbers, whatever study they are of; how it looks is tested in tests/browser."""

import io
import json
import logging
import re
import shlex
import threading

import numpy as np
import pandas as pd
import progress
import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from synthetic import synthetic_run

from neural_collapse.__main__ import main
from neural_collapse.config.declarations import known_figures
from neural_collapse.errors import InputError
from neural_collapse.figures.claims import claims_table
from neural_collapse.report.contents import answer, curves, last_epochs, number, parts, sentences, spread
from neural_collapse.report.page import prose, render, title_of
from neural_collapse.storage import write_csv


@pytest.mark.parametrize(
    "value, shown",
    [
        *[(0.0, "0"), (100.0, "100"), (0.0123456, "0.0123"), (12345.678, "12,300"), (3.4e-7, "3.40×10⁻⁷")],
        *[(-2e9, "-2.00×10⁹"), (None, "–"), (float("nan"), "–"), (float("inf"), "∞"), ("a", "a")],
    ],
)  # fmt: skip
def test_numbers_have_three_digits(value, shown):
    assert number(value) == shown


def test_several_seeds_are_their_median_and_range_and_missing_values_none():
    assert spread([3.0, 1.0, 2.0]) == "2 (1 to 3)"
    assert spread([2.0, 2.0, np.nan]) == "2" and spread([np.nan]) == "–"


def test_sentences_follow_from_the_numbers():
    reached = synthetic_run("digits", "vgg11", "mse", seed=0, zero_error=20)
    never = synthetic_run("digits", "mynet", "ce", seed=0, zero_error=1e9)
    table = pd.concat([reached, never])
    claims = claims_table(table)
    said = sentences(table, claims)
    assert len(said) == 5
    assert said[0].startswith("2 trainings were looked at: ") and "mynet" in said[0] and "one seed" in said[0]
    assert said[1].startswith("1 of 2 runs came to zero train error")
    last, loss = (table[(table.loss == "mse") & (table.measure == name) & (table.split == "train")].value.iloc[-1]
                  for name in ("loss_perp", "loss"))  # fmt: skip
    assert f"{number(100 * last / loss)} %" in said[3]
    counted = [int(count) for count in re.findall(r"(\d+) (?:hold|fail|can't)", said[4])]
    assert counted == [(claims.verdict == verdict).sum() for verdict in ("holds", "fails", "undecided")]
    assert "None of 1 run came" in sentences(never, claims_table(never))[1]
    assert "No run was trained with MSE loss" in sentences(never, claims_table(never))[3]


def test_a_part_of_collapse_is_only_as_good_as_the_worst_of_its_claims():
    claims = pd.DataFrame({"claim": ["self-duality"] * 3, "verdict": ["holds", "holds", "undecided"]})
    by_name = {part["name"]: part for part in parts(claims)}
    assert by_name["NC3"]["verdict"] == "undecided" and by_name["NC3"]["counts"]["holds"] == 2
    assert by_name["NC1"]["verdict"] == "undecided", "nothing was measured of it"
    assert parts(claims.assign(verdict="holds"))[2]["verdict"] == "holds"
    said = answer(parts(claims))
    assert "class means (NC3)”: seen in 2 and undecided in 1 of 3 cases" in said
    assert said.count("not measured") == 1 and "seen in all 3 cases" in answer(parts(claims.assign(verdict="holds")))


def test_curves_keep_every_value_in_its_place_and_nothing_else():
    table = pd.concat([synthetic_run(seed=seed, count=4) for seed in (0, 1)])
    table = table[~((table.measure == "nc1") & (table.seed == 1) & (table.epoch == table.epoch.max()))]
    found = json.loads(json.dumps(curves(table)))
    values = found["values"]["nc1"]["train"]
    expected = table[(table.measure == "nc1") & (table.split == "train") & (table.seed == 0)].value
    np.testing.assert_allclose(values[0], expected, rtol=1e-4)
    assert values[1][-1] is None and None not in values[1][:-1]
    assert next(iter(found["labels"])) == "nc1"


def test_a_column_of_which_nothing_is_known_is_left_out():
    rows = last_epochs(synthetic_run(loss="ce"))
    assert "L_perp / L" not in rows[0] and rows[0]["seeds"] == "1"


def test_every_figure_has_a_title_and_formulas_are_mathml():
    assert all(len(title_of(figure)) > 8 and "*" not in title_of(figure) for figure in known_figures())
    assert "<math" in prose(":math:`\\omega_j`")


def test_no_value_ends_the_page_early():
    table = synthetic_run("digits", "</script><b>", "ce", count=3)
    page = render(table, claims=claims_table(table))
    assert page.count("</script>") == page.count("<script") and "<b>" not in page.split("<main>")[1].split("claims")[0]


def test_the_step_refuses_what_is_no_figure_and_no_table_of_claims(tmp_path, capsys):
    write_csv(tmp_path / "runs.csv", synthetic_run(count=3))
    (tmp_path / "picture.png").write_bytes(b"")
    command = ["report", str(tmp_path / "runs.csv"), "--output", str(tmp_path / "page.html")]
    assert main([*command, "--figures", str(tmp_path / "picture.png")]) == 1
    assert main([*command, "--claims", str(tmp_path / "runs.csv")]) == 1
    said = capsys.readouterr().err
    assert "no figure of this name" in said and "not a table of claims" in said and "Traceback" not in said
    assert not (tmp_path / "page.html").exists()


@pytest.fixture
def snakemake(tmp_path):
    """Snakemake's log with our lines in it, in a log file: `tell` an event, and read what was printed."""
    logger, stream = logging.Logger("test"), io.StringIO()
    default = logging.StreamHandler(stream)
    default.name = "DefaultStreamHandler"
    default.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(default)
    progress.print_a_line_a_job(logger, 2, "snakemake --profile profiles/slurm")

    def tell(event=None, message="", **extra):
        logger.info(message, extra={"event": event, **extra})
        return stream.getvalue().splitlines()

    return tell


def test_a_job_has_one_line_and_a_failed_one_the_end_of_its_log(snakemake, tmp_path):
    log = tmp_path / "job.log"
    log.write_text("".join(f"epoch {i}/50\r" for i in range(49)) + "\nerror: the disk is full.\n")
    snakemake(LogEvent.RUN_INFO, stats={"train": 2, "total": 2})
    job = {"rule_name": "train", "wildcards": {}, "output": ["made.csv"], "log": [str(log)]}
    for jobid in (1, 2):
        snakemake(LogEvent.JOB_INFO, jobid=jobid, rule_msg=f"Train run {jobid}", **job)
    snakemake(message="Select jobs to execute...")
    lines = snakemake(LogEvent.JOB_FINISHED, job_id=1)
    assert lines[0] == "2 jobs: 2 train" and lines[1].startswith("[1/2] Train run 1: 0 s") and len(lines) == 2
    *_, command = lines = snakemake(LogEvent.JOB_ERROR, jobid=2)
    assert lines[2] == "FAILED after 0 s: Train run 2" and "    error: the disk is full." in lines
    assert command.endswith("snakemake --profile profiles/slurm -- made.csv") and len(lines) < 30
    assert snakemake(message="warning: mixed")[-1] == "warning: mixed"


@pytest.mark.parametrize(
    "given, again",
    [
        ("--cores 2", "--cores 2"),
        ("--cores 2 --config study=own accept='it is' -- figures", "--cores 2 --config study=own 'accept=it is'"),
        ("figures --cores 2 -R attack measure", "--cores 2"),
        ("-F --profile profiles/slurm all", "--profile profiles/slurm"),
    ],
)
def test_the_command_to_paste_is_the_one_that_was_given_without_targets_and_force(given, again):
    assert progress.command_again(shlex.split(given), ["figures", "all"]) == f"snakemake {again}"


def test_the_time_left_is_by_what_was_seen_and_says_what_was_not(monkeypatch, tmp_path):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    lines = progress.JobLines(logging.StreamHandler(), cores=1, stream=io.StringIO())
    log = tmp_path / "job.log"

    def tell(event, **extra):
        lines.emit(logging.makeLogRecord({"event": event, **extra}))

    tell(LogEvent.RUN_INFO, stats={"train": 3, "figure": 1})
    job = {"rule_name": "train", "rule_msg": "Train", "wildcards": {}, "output": [], "log": [str(log)]}
    tell(LogEvent.JOB_INFO, jobid=1, **job)
    now[0] = 60.0
    assert lines.remaining() == "", "nothing is known yet"
    log.write_text("epoch 30/100: train loss 1\n")
    assert lines.remaining() == "more than 9 min 0 s"  # 140 s of this one, and 200 s of each of the two others
    now[0] = 200.0
    tell(LogEvent.JOB_FINISHED, job_id=1)
    assert lines.remaining() == "more than 6 min 40 s"


def test_a_terminal_that_is_refreshed_while_jobs_end_holds_nobody_up(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "_REFRESHED", 0.001)
    lines = progress.JobLines(logging.StreamHandler(), cores=1, stream=io.StringIO())

    def jobs():
        lines.emit(logging.makeLogRecord({"event": LogEvent.RUN_INFO, "stats": {"train": 200}}))
        job = {"rule_name": "train", "rule_msg": "Train", "wildcards": {}, "output": [], "log": []}
        for jobid in range(200):
            lines.emit(logging.makeLogRecord({"event": LogEvent.JOB_INFO, "jobid": jobid, **job}))
            lines.emit(logging.makeLogRecord({"event": LogEvent.JOB_FINISHED, "job_id": jobid}))
        lines.close()

    thread = threading.Thread(target=jobs, daemon=True)
    thread.start()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_prose_that_is_no_restructured_text_is_refused():
    with pytest.raises(InputError, match="no reStructuredText"):
        prose("A role that is none: :nope:`x`")
