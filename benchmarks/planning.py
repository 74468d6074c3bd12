"""How long Snakemake plans a large study, beside the same by another commit.

    python benchmarks/planning.py [--seeds 1 12] [--against COMMIT]

Dry runs of the paper's study, as each commit's config.yaml has it, with so many seeds and nothing made yet: user
seconds and peak memory of a process each, one commit after the other. On two cores of an AMD EPYC, `--seeds 12
--against 2dbe926` (which lists names, asks for 51 files of each training, and has fewer jobs in its sweeps) printed:

    seeds workflow       jobs   user s ms a job     MB
       12 here           2367     12.5      5.3    328
       12 2dbe926        2197     21.0      9.6    341

and beside many other processes, which alone made it 14.8 and 22.9 s, `--seeds 63 --against 2dbe926` printed:

       63 here          10017     53.2      5.3    851
       63 2dbe926        9847    296.3     30.1    978
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def plan(snakefile: Path, config: Path, folder: Path) -> tuple[int, float, float]:
    """The jobs of a dry run, its user seconds, and its peak memory in MB."""
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", snakefile, "--configfile", config]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([*command, "--directory", folder], stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        output.seek(0)
        printed = output.read()
    if status:
        sys.exit(printed)
    return int(re.findall(r"^total +(\d+)$", printed, re.M)[-1]), used.ru_utime, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 12], help="seeds of each run")
    parser.add_argument("--against", metavar="COMMIT", help="plan with this commit's workflow, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workflows = {"here": ROOT}
        if options.against:
            workflows[options.against] = folder / "other"
            subprocess.run(
                ["git", "worktree", "add", "-q", "--detach", folder / "other", options.against], cwd=ROOT, check=True
            )
        try:
            print(f"{'seeds':>5} {'workflow':<12} {'jobs':>6} {'user s':>8} {'ms a job':>8} {'MB':>6}")
            for seeds in options.seeds:
                for label, root in workflows.items():
                    settings = yaml.safe_load((root / "config.yaml").read_text()) | {"study": "paper"}
                    settings["studies"]["paper"]["seeds"] = list(range(seeds))
                    config = folder / "config.yaml"
                    config.write_text(yaml.safe_dump(settings, sort_keys=False))
                    work = folder / f"work-{seeds}-{root.name}"
                    work.mkdir()
                    jobs, seconds, memory = plan(root / "Snakefile", config, work)
                    each = 1000 * seconds / jobs
                    print(f"{seeds:>5} {label:<12} {jobs:>6} {seconds:>8.1f} {each:>8.1f} {memory:>6.0f}", flush=True)
        finally:
            if options.against:
                subprocess.run(["git", "worktree", "remove", "--force", folder / "other"], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
