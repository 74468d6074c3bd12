"""The code fingerprint sees statements and nothing else, follows imports and nothing else, on every Python."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from fingerprint import LIBRARY, closure, fingerprint, forget, last_touched
from own_inputs import places_of_module, word_of_code


@pytest.fixture
def library(tmp_path):
    """Write a small library of the given sources; each test has its own folder, so nothing is remembered."""

    def write(**sources):
        root = tmp_path / f"version{len(list(tmp_path.iterdir()))}" / "package"
        for name, source in {"__init__": "", **sources}.items():
            path = root / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
        return root

    return write


SOURCE = '''
"""A module."""
import math

class A:
    """A class."""
    x: int = 1

    def f(self, a, *, b=2.5):
        """A method."""
        return f"{a!r:>{self.x}} {math.pi:.3f}" + "b" "c", 1e400, 3j, b"\\x00", ...

async def g(y): # comment
    async for z in y: yield lambda *args, **k: {**k, "z": [z for z in args if z]}
'''


def test_the_fingerprint_is_the_same_on_every_python(library):
    assert fingerprint("m", library=library(m=SOURCE)) == "56dc4919d65007a7"


def test_comments_docstrings_and_formatting_do_not_count(library):
    other = SOURCE.replace('"""A module."""', "# gone").replace("A method.", "Another.").replace("b=2.5", "b = 2.50")
    other = other.replace('"""A class."""', "").replace(": yield", ":\n        yield")
    assert fingerprint("m", library=library(m=SOURCE)) == fingerprint("m", library=library(m=other))


RECALL = """
import sys
import fingerprint
fingerprint.{how}()
if "{how}" == "recall":
    fingerprint._parsed = None
print(fingerprint.fingerprint("steps.portrait"), fingerprint.SOURCES.exists())
"""


def test_a_job_recalls_what_its_planner_read(tmp_path):
    def process(how):
        command = [sys.executable, "-c", RECALL.format(how=how)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout

    planned = fingerprint("steps.portrait")
    assert process("remember") == f"{planned} False\n"
    assert process("recall") == f"{planned} True\n", "every source was read by the process before"


@pytest.mark.parametrize(
    "old, new", [("2.5", "2.6"), ("a!r", "a!s"), ("x: int = 1", "y: int = 1"), ("if z", "if y"), ("math", "cmath")]
)
def test_a_changed_statement_counts(library, old, new):
    assert old in SOURCE
    assert fingerprint("m", library=library(m=SOURCE)) != fingerprint("m", library=library(m=SOURCE.replace(old, new)))


def test_the_closure_follows_every_form_of_import(library):
    root = library(
        a="from . import b\nfrom .c import thing\nimport package.d",
        b="def f():\n    from .sub.e import g",
        c="",
        d="import numpy",
        sub__in____init__="",
        sub__in__e="from ..f import h",
        f="",
        unreached="",
    )
    assert closure("a", library=root) == ["", "a", "b", "c", "d", "f", "sub", "sub.e"]


def test_what_a_definition_does_not_speak_of_does_not_count(library):
    def of(helper, *, constant="K = 1", imported="import math", unused="def unused(): return 1"):
        return fingerprint(
            "steps__in__s".replace("__in__", "."),
            library=library(
                steps__in__s="from ..a import f\ndef run(options): return f(options)",
                steps__in____init__="",
                a=f"{imported}\nfrom .b import g, h\n{constant}\ndef f(x): return g(x) + math.pi",
                b=f"{unused}\ndef g(x): return helper(x)\ndef h(x): return 0\n{helper}",
            ),
        )

    helper = "def helper(x): return x"
    plain = of(helper)
    assert of(helper, constant="K = 2", unused="def unused(): return 2") == plain
    assert of("def helper(x): return -x") != plain, "a helper of a helper"
    assert of(helper, imported="import cmath as math") != plain, "another library under the same name"
    assert of(helper + "\nhelper.__doc__ = 'x'") != plain, "a statement that defines nothing may do anything"
    assert of(helper, constant="K = print(1)\nprint(K)") != plain


def test_a_step_reaches_what_it_computes_with_and_nothing_after_it():
    trained = closure("steps.train", "train.networks.vgg", "train.losses.mse")
    assert {"train.training", "train.losses.mse", "train.networks.vgg", "steps.train"} <= set(trained)
    assert not {"train.networks.resnet", "train.losses.ce", "config.runs"} & set(trained)
    assert not [module for module in trained if module.startswith(("features", "metrics", "theory", "figures"))]
    measured = closure("steps.measure")
    assert {"metrics.measures", "metrics.decomposition", "features.moments"} <= set(measured)
    assert not [module for module in measured if module.startswith(("train", "theory", "figures"))]
    drawn = closure("steps.figure", "figures.figure_07")
    assert not {"metrics.measures", "figures.figure_02", "train.training"} & set(drawn)


def test_what_configuration_computes_of_data_counts(tmp_path):
    """Of `config`, which checks settings and so decides no byte, one module computes what a preparation writes."""
    library = shutil.copytree(LIBRARY, tmp_path / LIBRARY.name)
    before = fingerprint("steps.prepare_dataset", library=library)
    forget()
    counts = library / "config/imbalance.py"
    counts.write_text(counts.read_text().replace("math.floor", "math.ceil"))
    assert fingerprint("steps.prepare_dataset", library=library) != before


def test_an_edit_that_was_put_back_shows_in_when_a_file_was_last_touched(library):
    root = library(m="import package.n", n="X = 1")
    before, stat = last_touched("m", library=root), (root / "n.py").stat()
    time.sleep(0.02)
    for text in ("X = 2", "X = 1"):
        (root / "n.py").write_text(text)
    os.utime(root / "n.py", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert last_touched("m", library=root) > before


def test_every_step_stands_alone_in_its_closure():
    for step in LIBRARY.joinpath("steps").glob("[!_]*.py"):
        others = {name for name in closure(f"steps.{step.stem}") if re.match(r"steps\.[a-z]", name)}
        others.remove(f"steps.{step.stem}")
        assert not others, f"{step.stem} reaches {others}"


def test_a_module_of_ones_own_is_followed_to_what_it_imports_from_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net").mkdir()
    Path("datasets").mkdir()  # of the same name as a package that is installed
    files = {
        "net/__init__.py": "from .fast import build\nimport numpy, datasets\n",
        "net/fast.py": "import blocks\nbuild = blocks.build\n",
        "blocks.py": "build = 1  # one\n",
        "unrelated.py": "build = 2\n",
    }
    for name, text in files.items():
        Path(name).write_text(text)
    word = word_of_code("net.fast")
    assert [str(place) for place in places_of_module("net.fast")] == ["blocks.py", "net"]
    Path("blocks.py").write_text("build = 1\n")
    Path("unrelated.py").write_text("build = 3\n")
    assert word_of_code("net.fast") == word
    Path("blocks.py").write_text("build = 2\n")
    assert word_of_code("net.fast") != word
    Path("blocks.py").write_text("build = 1\n")
    Path("net/fast.py").rename("net/faster.py")
    assert word_of_code("net.fast") != word, "another file may be imported in its place"
    assert word_of_code("numpy") is None
