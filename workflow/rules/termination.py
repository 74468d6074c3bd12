"""A way round a deadlock of Snakemake: its handler of SIGTERM waits for a lock that its own thread may hold.

The scheduler holds the lock while it finishes jobs, and Python runs a signal's handler in that very thread: the handler
then waits for ever. In a thread of its own it waits until the jobs are finished.
"""

import threading

from snakemake.scheduling.job_scheduler import JobScheduler


def handle_sigterm_in_a_thread() -> None:
    """Replace the scheduler's handler, once, before Snakemake installs it."""
    handler = JobScheduler.exit_gracefully
    if handler.__module__ != __name__:

        def exit_gracefully(self, *arguments):
            threading.Thread(target=handler, args=(self, *arguments)).start()

        JobScheduler.exit_gracefully = exit_gracefully
