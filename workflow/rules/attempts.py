"""Logs that outlive an attempt: Snakemake removes a job's log whenever it starts the job, a repetition included.

What a first attempt wrote says why there was a second one, and on a cluster each attempt is a process of its own.
"""

from snakemake.jobs import Job


def keep_logs_of_earlier_attempts() -> None:
    """Let a job that starts leave its log where it is, to append to: `onstart` removes those of earlier runs."""
    remove = Job.remove_existing_output
    if remove.__module__ == __name__:
        return

    async def remove_existing_output(self):
        logs, self._log = self.log, []
        try:
            await remove(self)
        finally:
            self._log = logs

    Job.remove_existing_output = remove_existing_output
