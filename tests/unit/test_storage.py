"""Files are whole or absent, the same bytes every time, and a damaged one is named in one sentence."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neural_collapse.errors import InputError
from neural_collapse.storage import read_arrays, read_metadata, whole_file, write_arrays, write_csv, write_rows

WRITE = """
import numpy as np
from neural_collapse.storage import write_arrays
arrays = {name: np.arange(6.0).reshape(2, 3) for name in "abcdef"}
write_arrays("PATH", arrays, {key: [key, 1] for key in "zyxwvu"})
"""


def test_arrays_and_metadata_read_back_and_have_the_same_bytes_in_every_process(tmp_path):
    digests = set()
    for process in range(3):
        path = str(tmp_path / f"{process}.safetensors")
        environment = {**os.environ, "PYTHONHASHSEED": str(process), "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", WRITE.replace("PATH", path)], check=True, env=environment)
        digests.add(hashlib.sha256(Path(path).read_bytes()).hexdigest())
    assert len(digests) == 1
    np.testing.assert_array_equal(read_arrays(path)["c"], np.arange(6.0).reshape(2, 3))
    assert read_metadata(path)["x"] == ["x", 1]
    (tmp_path / "other").touch()
    assert os.stat(path).st_mode == os.stat(tmp_path / "other").st_mode, "a group shares these files"


def test_rows_are_written_as_the_same_table_is(tmp_path):
    generator = np.random.default_rng(0)
    values = [
        *(generator.normal(size=500) * 10.0 ** generator.integers(-320, 300, 500)),
        0.0,
        -0.0,
        3.0,
        1e16,
        np.nan,
        np.inf,
    ]
    rows = [("a, b", place, float(value), place % 2 == 0) for place, value in enumerate(values)]
    columns = ["text", "count", "value", "flag"]
    write_csv(tmp_path / "table.csv", pd.DataFrame(rows, columns=columns))
    write_rows(tmp_path / "rows.csv", columns, rows)
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "table.csv").read_bytes()


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("damage", ["truncated", "altered", "missing"])
def test_a_damaged_file_is_one_sentence(tmp_path, damage):
    path = tmp_path / "features.safetensors"
    write_arrays(path, {"a": np.zeros(1000)})
    content = path.read_bytes()
    path.write_bytes({"truncated": content[:-9], "altered": b"\xff" * 8 + content[8:], "missing": b""}[damage])
    if damage == "missing":
        path.unlink()
    with pytest.raises(InputError, match=r"features\.safetensors") as error:
        read_arrays(path)
    assert "\n" not in str(error.value)
