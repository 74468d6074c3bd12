"""What the jobs of a study take, by `neural_collapse.plan`, for whoever plans jobs without loading torch.

python -m costs RESULTS < CONFIG.json      prints the FLOPs of every job that runs a network
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from neural_collapse.config.runs import DataSize, Study, load_study
from neural_collapse.data.sizes import size_of_data
from neural_collapse.errors import InputError

FlopsOfJobs = dict[str, dict[str, float]]
"""Layer -> run (in a sweep, pair) -> FLOPs of its job."""


def flops_of_jobs(config: dict[str, Any], results: Path) -> FlopsOfJobs:
    """Ask a process of its own, which loads torch and builds every network: half a minute for the paper's.

    Raises
    ------
    InputError
        Where this environment has no torch.
    """
    asked = subprocess.run(
        [sys.executable, "-m", "costs", str(results)],
        input=json.dumps(config),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
        capture_output=True,
    )
    if asked.returncode:
        raise InputError(f"what jobs take can't be counted here ({(asked.stderr.splitlines() or ['?'])[-1]}).")
    return json.loads(asked.stdout)


def known_sizes(study: Study, results: Path) -> dict[str, DataSize]:
    """The sizes of the data sets that are published, or prepared."""
    sizes = {}
    for name in study.datasets:
        try:
            sizes[name] = size_of_data(study, name, results)
        except InputError:
            continue
    return sizes


def main() -> None:
    from neural_collapse import plan

    study = load_study(json.load(sys.stdin))
    print(json.dumps(plan.flops_of_jobs(study, known_sizes(study, Path(sys.argv[1])))))


if __name__ == "__main__":
    main()
