"""`snakemake --lint` complains of nothing but what common.smk answers."""

import re

import pytest

pytestmark = pytest.mark.xdist_group("workflow")


def test_every_complaint_of_the_linter_is_answered(fresh):
    printed = fresh.run("snakemake", "--lint", fails=True)
    found = re.findall(r"^    \* (.+)", printed, re.M)
    complaints = {re.sub(r" in line.*|Environment variable \S+", "", line) for line in found}
    assert complaints == {
        ' = CONFIG["data_root used but not asserted with envvars directive',
        " used but not asserted with envvars directive",
        "Mixed rules and functions in same snakefile.:",
        "Path composition with '+'",
    }
