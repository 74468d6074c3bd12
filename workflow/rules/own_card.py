"""Write down what a file or folder of the user's own holds: DVC's stages depend on this, and not on what a clone lacks.

python workflow/rules/own_card.py KEY
"""

import hashlib
import json
import os
import sys
from pathlib import Path


def main(key: str) -> None:
    path = Path(json.loads(Path("workflow/params.yaml").read_text())["own"][key]["path"])
    inside = [Path(folder, name) for folder, _, names in os.walk(path, followlinks=True) for name in names]
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(inside):
        if file.is_file() and file.parent.name != "__pycache__":
            with open(file, "rb") as opened:
                content = hashlib.file_digest(opened, "sha256").hexdigest()
            digest.update(f"{content} {file.relative_to(path).as_posix()}\n".encode(errors="surrogateescape"))
    Path(f"workflow/own/{key}.json").write_text(json.dumps({"sha256": digest.hexdigest()}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
