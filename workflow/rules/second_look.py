"""What was planned for the sake of a checkpoint is forgotten where that comes out as it was.

After a checkpoint Snakemake looks again at what is stale, but it never takes a reason back: a training that was planned
because the images would be made anew stays planned although they are the same. (A dry run can't know, and counts it.)
"""

from collections.abc import Callable, Iterable

from snakemake.dag import DAG
from snakemake.jobs import Job


def forget_what_did_not_happen(dag: DAG, made_as_before: Callable[[Iterable[str]], bool]) -> None:
    """Let a plan be looked at anew after each checkpoint whose outputs are what they were before.

    Parameters
    ----------
    dag: the plan, before it is carried out.
    made_as_before: whether the files that a job has just made are what was recorded of them.
    """
    update = dag.update_checkpoint_dependencies
    same: set[Job] = set()

    async def look_again(jobs: list[Job] | None = None) -> bool:
        new = {job for job in jobs or () if job.is_checkpoint and made_as_before(job.output)}
        same.update(new)
        # What runs, or ran, for a reason of its own, and what follows that, does so whatever a checkpoint made.
        own = [job for job in dag.jobs if job not in same and not dag.reason(job).derived]
        for job in {*dag.bfs(dag.depending, *new)} - new - {*dag.bfs(dag.depending, *own)}:
            dag.reason(job).clear()
        return await update(jobs)

    dag.update_checkpoint_dependencies = look_again
