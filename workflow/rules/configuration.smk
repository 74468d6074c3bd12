# The configuration looked at before Snakemake reads it, which passes over keys that are there twice, reads 010 as 8, and
# fails on other files with more than a sentence.

import gc
import sys
from pathlib import Path

# A plan is millions of objects that stay: to look for garbage among them, as often as Python does, is a fifth of planning.
gc.set_threshold(100_000)

# As a module of another workflow, this one lies elsewhere than the Snakefile that was called, and so does its configuration.
WORKFLOW = Path(workflow.current_basedir.get_path_or_uri(secret_free=False)).parent
IS_MODULE = not workflow.modifier.is_main_snakefile()
if not (WORKFLOW / "neural_collapse").is_dir():
    sys.exit("error: the library is not beside the rules: a module needs a clone of the whole repository, by its path.")
sys.path[:0] = [str(WORKFLOW), str(WORKFLOW / "rules")]

from neural_collapse.config.checks import read_config
from neural_collapse.errors import InputError

if workflow.is_main_process and not IS_MODULE:
    try:
        for file in {*map(str, workflow.configfiles), "config.yaml"}:
            if Path(file).exists():
                read_config(file)
    except InputError as error:
        sys.exit(f"error: {error}")
