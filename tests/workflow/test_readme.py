"""README says nothing that is not so: its commands exist, and its numbers are filled in."""

import re

import pytest
from conftest import ROOT

pytestmark = pytest.mark.xdist_group("workflow")


def test_no_number_is_left_to_be_filled_in():
    prose = re.sub(r"^```.*?^```", "", (ROOT / "README.md").read_text(), flags=re.M | re.S)
    assert not re.findall(r"\b[A-Z]+_[A-Z_]{2,}\b|^[A-Z]{4,}$", prose, re.M)


def test_the_documented_commands_exist(study):
    commands = next(
        block for block in (ROOT / "README.md").read_text().split("```") if "python -m neural_collapse --help" in block
    )
    help_text = study.run("env", "PYTHONPATH=workflow", "python", "-m", "neural_collapse", "--help")
    for step in set(re.findall(r"-m neural_collapse ([a-z-]+)", commands)) - {"--help"}:
        assert f"    {step}" in help_text
    listed = {path.stem.replace("_", "-") for path in (ROOT / "workflow/neural_collapse/steps").glob("[!_]*.py")}
    assert all(f"    {step}" in help_text for step in listed)
