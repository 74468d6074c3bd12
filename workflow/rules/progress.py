"""What Snakemake prints while it works: a line a job, and on a terminal what is running and how long it will take.

Snakemake's own lines (eight a job) stay in its log file. A plugin for its log given on the command line (`--logger`)
is left to do as it does. (snakemake-logger-plugin-rich 0.5.1 has no line a job and no time left.)
"""

import contextlib
import logging
import os
import re
import shlex
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from snakemake_interface_logger_plugins.common import LogEvent

_OURS = {LogEvent.JOB_INFO, LogEvent.JOB_FINISHED, LogEvent.JOB_ERROR, LogEvent.RUN_INFO, LogEvent.PROGRESS}
_LEFT_OUT = {LogEvent.SHELLCMD, LogEvent.RESOURCES_INFO, LogEvent.JOB_STARTED, LogEvent.WORKFLOW_STARTED}
_CHATTER = (
    "Select jobs to execute",
    "Execute ",
    "DAG of jobs will be updated",
    "Complete log",
    "Removing output files",
)
_ONCE = {"-f", "--force", "-F", "--forceall", "-R", "--forcerun", "-U", "--until", "-O", "--omit-from"}
_LAST_LINES = 20  # of a failed job's log
_REFRESHED = 0.5  # seconds
_KILLED = (
    "a job was killed, for want of memory most often: run fewer at a time (`--cores`) or find more memory; the same "
    "command goes on where this one was."
)


@dataclass
class Job:
    """A job that runs: its rule, what it says it does, its logs and outputs, and when it began."""

    rule: str
    what: str
    logs: list[str]
    output: list[str]
    started: float

    def last_line(self) -> str:
        """What the job wrote last into its log; nothing if it has none."""
        lines = tail(self.logs[0], 1) if self.logs else []
        return lines[0] if lines else ""

    def expected(self, now: float) -> float | None:
        """How many seconds it will have taken, by how far it says it is ("epoch 12/100"); None if it says nothing."""
        found = re.search(r"\b(\d+)/(\d+)\b", self.last_line())
        return (now - self.started) * int(found[2]) / int(found[1]) if found and int(found[1]) else None


class JobLines(logging.Handler):
    """Prints what Snakemake tells its log, a line a job; on a terminal with a bar below."""

    def __init__(self, default: logging.Handler, cores: int, stream=None, again: str = "snakemake --cores all"):
        super().__init__()
        self.filters = list(default.filters)
        self._default = default.formatter
        self._state = threading.RLock()
        self._cores = max(1, cores)
        self._again = again
        self.console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._running: dict[int, Job] = {}
        self._took: dict[str, list[float]] = {}
        self._waiting: Counter[str] = Counter()
        self._done, self._total, self._begun = 0, 0, time.monotonic()
        # Refreshed by `_tick`: rich's own thread takes its lock and then ours, and `emit` takes them the other way.
        self._live = Live(get_renderable=self._view, console=self.console, auto_refresh=False, transient=True)
        self._ended = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        try:
            with self._state:
                if event in _OURS:
                    getattr(self, f"_{event.value}")(record)
                    if self._live.is_started:
                        self._live.refresh()
                elif event not in _LEFT_OUT and not record.getMessage().startswith(_CHATTER):
                    self._say(self._default.format(record), "yellow" if record.levelno >= logging.WARNING else None)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        self._ended.set()
        with contextlib.suppress(Exception), self._state:
            self._live.stop()
        super().close()

    def _tick(self) -> None:
        while not self._ended.wait(_REFRESHED):
            with self._state:
                self._live.refresh()

    def _run_info(self, record: logging.LogRecord) -> None:
        self._waiting = Counter({rule: count for rule, count in record.stats.items() if rule != "total"})
        self._total = sum(self._waiting.values())
        self._say(f"{self._total} jobs: " + ", ".join(f"{count} {rule}" for rule, count in self._waiting.items()))
        if self.console.is_terminal:
            self._live.start()
            threading.Thread(target=self._tick, daemon=True).start()

    def _job_info(self, record: logging.LogRecord) -> None:
        what = record.rule_msg or f"{record.rule_name} {' '.join(record.wildcards.values())}"
        job = Job(record.rule_name, what, list(record.log or []), list(record.output or []), time.monotonic())
        self._running[record.jobid] = job

    def _job_finished(self, record: logging.LogRecord) -> None:
        job = self._running.pop(record.job_id, None)
        if job is None:
            return
        took = time.monotonic() - job.started
        self._took.setdefault(job.rule, []).append(took)
        self._waiting[job.rule] -= 1
        self._done += 1
        rest = self.remaining()
        left = f", {rest} left" if rest and not self.console.is_terminal and self._done < self._total else ""
        self._say(f"[{self._done}/{self._total}] {job.what}: {duration(took)}{left}")

    def _progress(self, record: logging.LogRecord) -> None:
        self._total = max(self._total, record.total)  # a checkpoint may have added jobs

    def _job_error(self, record: logging.LogRecord) -> None:
        job = self._running.pop(record.jobid, None)
        if job is None:
            return
        self._say(f"FAILED after {duration(time.monotonic() - job.started)}: {job.what}", "bold red")
        for log in job.logs:
            self._say(f"  the end of {log}:")
            for line in tail(log, _LAST_LINES):
                self._say(f"    {line}")
        if job.output:
            self._say(f"  once it is mended: {self._again} -- {job.output[0]}")

    def _say(self, text: str, style: str | None = None) -> None:
        if "CalledProcessError in file" in text:  # of a failed job, of which its log says more if it could
            text = _KILLED if re.search(r"SIGKILL|status 137\b", text) else ""
        if text:
            self.console.print(Text(text, style=style or ""))

    def remaining(self) -> str:
        """How long the rest takes, by how long jobs of each rule took here and how far running ones say they are.

        Empty while too little is known; "more than" where nothing is known of some rule.
        """
        now, seconds, unknown = time.monotonic(), 0.0, False
        running = list(self._running.values())
        means = {rule: sum(took) / len(took) for rule, took in self._took.items()}
        for rule, count in self._waiting.items():
            of_rule = [job for job in running if job.rule == rule]
            expected = [found for job in of_rule if (found := job.expected(now)) is not None]
            mean = means.get(rule) or (sum(expected) / len(expected) if expected else None)
            if mean is None:
                unknown |= count > 0
                continue
            seconds += mean * max(0, count - len(of_rule))
            seconds += sum(max(0.0, (job.expected(now) or mean) - (now - job.started)) for job in of_rule)
        if seconds < 1:
            return ""
        return ("more than " if unknown else "about ") + duration(seconds / min(self._cores, max(1, len(running))))

    def _view(self) -> Group:
        now, width = time.monotonic(), max(20, self.console.width - 1)
        lines = [
            Text(f"  {job.what} ({duration(now - job.started)})  {job.last_line()}"[:width], style="dim")
            for job in self._running.values()
        ]
        bar = Table.grid(padding=(0, 1))
        rest = self.remaining()
        so_far = f"{self._done}/{self._total} jobs, {duration(now - self._begun)}"
        words = f"{so_far}, {rest} left" if rest else so_far
        bar.add_row(ProgressBar(total=max(1, self._total), completed=self._done, width=min(30, width // 3)), words)
        return Group(*lines, bar)


def tail(path: str, count: int) -> list[str]:
    """The last lines of a log that may be growing, without a progress bar's earlier states."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 20_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in re.split(r"[\r\n]+", text) if line.strip()][-count:]


def duration(seconds: float) -> str:
    """Such as 8 s, 3 min 20 s or 5 h 12 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, whole = divmod(whole, 60)
    return f"{minutes} min {whole} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def command_again(words: Iterable[str], targets: Iterable[str]) -> str:
    """A command of Snakemake's without its targets, and without what would make anew what is current."""
    kept, once = ["snakemake"], False
    for word in words:
        if word.startswith("-"):
            once = word in _ONCE
        if not once and word not in {"--", *targets}:
            kept.append(word)
    return shlex.join(kept)


def print_a_line_a_job(logger: logging.Logger, cores: int | None, again: str) -> None:
    """Put `JobLines` in the place of Snakemake's default handler, where that one prints."""
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            ours = JobLines(handler, cores or 1, handler.stream, again)
            logger.removeHandler(handler)
            logger.addHandler(ours)
