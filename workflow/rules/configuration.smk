# The configuration looked at before Snakemake reads it, which passes over keys that are there twice, reads 010 as 8, and
# fails on other files with more than a sentence.

import sys
from pathlib import Path

WORKFLOW = Path(workflow.basedir) / "workflow"
sys.path[:0] = [str(WORKFLOW), str(WORKFLOW / "rules")]

from neural_collapse.config.checks import read_config
from neural_collapse.errors import InputError

if workflow.is_main_process:
    try:
        for file in {*map(str, workflow.configfiles), "config.yaml"}:
            if Path(file).exists():
                read_config(file)
    except InputError as error:
        sys.exit(f"error: {error}")
