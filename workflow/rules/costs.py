"""What the jobs of a study take, by `neural_collapse.plan`, for whoever plans jobs without loading torch.

python -m costs RESULTS < CONFIG.json      prints the FLOPs of every job that runs a network
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from neural_collapse.config.runs import load_study
from neural_collapse.config.sizes import DataSize
from neural_collapse.config.study import Study
from neural_collapse.data.sizes import size_of_data
from neural_collapse.errors import InputError

FlopsOfJobs = dict[str, dict[str, float]]
"""Layer -> run (in a sweep, pair and round) -> FLOPs of its job."""


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


def size_if_known(study: Study, name: str, results: Path) -> DataSize | None:
    """The size of a data set that is published, or prepared."""
    try:
        return size_of_data(study, name, results)
    except InputError:
        return None


def main() -> None:
    from neural_collapse import plan

    study = load_study(json.load(sys.stdin))
    sizes = {name: size_if_known(study, name, Path(sys.argv[1])) for name in study.datasets}
    print(json.dumps(plan.flops_of_jobs(study, {name: size for name, size in sizes.items() if size})))


if __name__ == "__main__":
    main()
