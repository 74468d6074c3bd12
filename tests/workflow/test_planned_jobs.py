"""`python -m neural_collapse plan` counts the jobs that Snakemake plans."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from neural_collapse.config.checks import read_config
from neural_collapse.config.runs import load_study
from neural_collapse.plan import plan

REPOSITORY = Path(__file__).parents[2]
LAYER_OF_RULE = {
    "prepare_dataset": "data",
    "try_learning_rate": "sweep",
    "choose_learning_rate": "sweep",
    "collect_sweep": "sweep",
    "train_network": "train",
    "extract_features": "features",
    "extract_out_of_distribution": "features",
    "measure": "metrics",
    "measure_out_of_distribution": "metrics",
    "attack": "metrics",
    "summarise": "metrics",
    "portrait": "metrics",
    "collect": "metrics",
    "list_runs": "metrics",
    "simulate_central_path": "theory",
    "simulate_unconstrained_features": "theory",
    "check_theory": "theory",
    "figure": "figures",
    "table": "figures",
    "claims": "figures",
}


@pytest.mark.parametrize("study", ["quick", "bottleneck", "out_of_distribution", "paper", "sweep"])
def test_counts_the_jobs_of_every_layer(study, tmp_path):
    # fmt: off
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--snakefile", f"{REPOSITORY}/Snakefile",
               "--configfile", f"{REPOSITORY}/config.yaml", "--config", f"study={study}", "--directory", str(tmp_path)]
    # fmt: on
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    planned = Counter()
    for rule, count in re.findall(r"^(\w+) +(\d+)$", output[output.rindex("Job stats:") :], re.M):
        if rule not in ("all", "total"):
            planned[LAYER_OF_RULE[rule]] += int(count)
    costs = plan(load_study(read_config(REPOSITORY / "config.yaml"), study), tmp_path)
    assert planned == Counter({cost.layer: cost.jobs for cost in costs})
