"""Statistics of Snakemake's own report without the jobs whose times nobody knows, such as those of a clone.

Snakemake gives a job without times the end 1970 and a negative run time.
"""

from snakemake.report.html_reporter import Reporter


def leave_out_jobs_without_times() -> None:
    """Replace the reporter's method, once."""
    render = Reporter.render
    if render.__module__ != __name__:

        def render_timed(self):
            self.jobs = [job for job in self.jobs if job.starttime <= job.endtime]
            return render(self)

        Reporter.render = render_timed
