"""Ways round two faults of Snakemake's scheduler."""

import threading

from snakemake.scheduling.job_scheduler import JobScheduler


def handle_sigterm_in_a_thread() -> None:
    """Replace the scheduler's handler of SIGTERM, once, before Snakemake installs it: it can wait for ever.

    It takes the lock that the scheduler holds while it finishes jobs, and Python runs a signal's handler in that very
    thread. In a thread of its own the handler waits until the jobs are finished.
    """
    handler = JobScheduler.exit_gracefully
    if handler.__module__ != __name__:

        def exit_gracefully(self, *arguments):
            threading.Thread(target=handler, args=(self, *arguments)).start()

        JobScheduler.exit_gracefully = exit_gracefully


def look_again_once_at_a_time() -> None:
    """Let the scheduler plan one more look at its jobs at a time.

    Each look plans another for a second later, because the limit on jobs a second may then allow more. Every job that
    ends makes it look as well, so that looks that plan each other add up: after a hundred jobs to a hundred a second.
    """
    planned = set()

    def plan_another_look(self, delay):
        def look():
            planned.discard(self)
            self._open_jobs.release()

        if self not in planned:
            planned.add(self)
            threading.Timer(delay, look).start()

    JobScheduler._schedule_reevalutation = plan_another_look
