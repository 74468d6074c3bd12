"""Fail where DVC's cache lacks a file of a study: on a full disk `dvc repro` by itself ends well.

python workflow/rules/in_cache.py STUDY
"""

import json
import os
import subprocess
import sys


def main(study: str) -> int:
    look = ["dvc", "data", "status", "--json"]
    lacking = json.loads(subprocess.run(look, capture_output=True, check=True).stdout).get("not_in_cache", [])
    lacking = [path for path in lacking if path.startswith(f"results/{study}/") and os.path.exists(path)]
    if lacking:
        print(
            f"error: {', '.join(lacking)}: DVC's cache did not take it, for a full disk perhaps; make room and repeat "
            "the command.",
            file=sys.stderr,
        )
    return bool(lacking)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
