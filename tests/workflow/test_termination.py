"""SIGTERM ends Snakemake whenever it comes, also while it finishes a job."""

import threading
from types import SimpleNamespace

from snakemake.scheduling.job_scheduler import JobScheduler
from termination import handle_sigterm_in_a_thread


def test_a_signal_while_the_scheduler_holds_its_lock_is_heard(monkeypatch):
    monkeypatch.setattr(JobScheduler, "exit_gracefully", JobScheduler.exit_gracefully)
    handle_sigterm_in_a_thread()
    heard = threading.Semaphore(0)
    scheduler = SimpleNamespace(_lock=threading.Lock(), _user_kill=None, _open_jobs=heard)
    with scheduler._lock:  # held by this thread, in which Python would run the handler
        JobScheduler.exit_gracefully(scheduler, 15, None)
        assert scheduler._user_kill is None
    assert heard.acquire(timeout=10) and scheduler._user_kill == "graceful"
