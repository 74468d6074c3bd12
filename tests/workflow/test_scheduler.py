"""SIGTERM ends Snakemake whenever it comes, and Snakemake rests while jobs run."""

import threading
from dataclasses import dataclass
from types import SimpleNamespace

from scheduler import handle_sigterm_in_a_thread, look_again_once_at_a_time
from snakemake.scheduling.job_scheduler import JobScheduler


def test_a_signal_while_the_scheduler_holds_its_lock_is_heard(monkeypatch):
    monkeypatch.setattr(JobScheduler, "exit_gracefully", JobScheduler.exit_gracefully)
    handle_sigterm_in_a_thread()
    heard = threading.Semaphore(0)
    scheduler = SimpleNamespace(_lock=threading.Lock(), _user_kill=None, _open_jobs=heard)
    with scheduler._lock:  # held by this thread, in which Python would run the handler
        JobScheduler.exit_gracefully(scheduler, 15, None)
        assert scheduler._user_kill is None
    assert heard.acquire(timeout=10) and scheduler._user_kill == "graceful"


def test_looks_at_the_queue_do_not_add_up(monkeypatch):
    monkeypatch.setattr(JobScheduler, "_schedule_reevalutation", JobScheduler._schedule_reevalutation)
    look_again_once_at_a_time()
    looks = threading.Semaphore(0)
    scheduler = Scheduler(looks)
    for _ in range(2):  # once the look has come, there may be another
        for _ in range(5):  # jobs that end meanwhile
            JobScheduler._schedule_reevalutation(scheduler, 0.1)
        assert looks.acquire(timeout=10)
        assert not looks.acquire(timeout=0.3)


@dataclass(eq=False)
class Scheduler:
    _open_jobs: threading.Semaphore
