"""How a scheduler's job records itself: Snakemake leaves that to the process that submitted it, which may be gone.

Without a record, what ended after its head died would be made once more.
"""

from snakemake.persistence import PersistenceBase
from snakemake_interface_executor_plugins.settings import ExecMode


def record_where_the_job_runs() -> None:
    """Let this process, which a scheduler runs, write Snakemake's record of its job as the main process would."""
    finished = PersistenceBase.finished

    async def recorded(self, job):
        settings = self.dag.workflow.workflow_settings
        mode, settings.exec_mode = settings.exec_mode, ExecMode.DEFAULT
        try:
            await finished(self, job)
        finally:
            settings.exec_mode = mode

    PersistenceBase.finished = recorded
