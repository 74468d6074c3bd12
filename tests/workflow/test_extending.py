"""Whatever docs/extending.md shows is done as it stands there: one file or function, at most one line of configuration.

What was made before becomes stale only where the addition changes it.
"""

import re

import pytest
from conftest import ROOT, Repository

pytestmark = pytest.mark.xdist_group("staleness")

SECTIONS = {
    re.match(r"\*\*An? ([a-z ]+)\*\*", section)[1]: re.findall(r"^```(\w+)\n(.*?)^```", section, re.M | re.S)
    for section in re.split(r"^(?=\*\*An? )", (ROOT / "docs/extending.md").read_text(), flags=re.M)[1:]
}

# What each addition may touch: new files, lines added to files of the library, lines of the configuration; and the
# trainings and measurements it makes stale, of the three runs there were, beside the one new run's.
ADDITIONS = {
    "network": (1, 0, 1, {"train_network": 1, "extract_features": 1, "measure": 1}),
    "data set": (1, 0, 1, {"train_network": 1, "extract_features": 1, "measure": 1}),
    "loss": (1, 0, 1, {"train_network": 1, "extract_features": 1, "measure": 1}),
    "measure": (0, 1, 0, {"measure": 3}),
    "figure": (1, 0, 0, {}),
    "training setting": (0, 2, 0, {"train_network": 3, "extract_features": 3, "measure": 3}),
}


def add(study: Repository, kind: str) -> tuple[int, int, int]:
    """Do what the page shows; returns how many files are new, and how many lines of library and configuration."""
    for language, block in SECTIONS[kind]:
        if language == "python":
            path = study.path / re.match(r"# (\S+)\n", block)[1]
            assert path.parent.is_dir() and not path.exists()
            path.write_text(block)
        elif language == "yaml":
            study.edit("config.yaml", "(?=      digits-vgg11-mse)", block)
        else:
            (study.path / "addition.patch").write_text(block)
            study.run("git", "apply", "--unidiff-zero", "--recount", "addition.patch")
            (study.path / "addition.patch").unlink()
    new = study.run("git", "ls-files", "--others", "--exclude-standard", "workflow/neural_collapse").split()
    added = {
        file: int(count)
        for count, _, file in map(str.split, study.run("git", "diff", "--numstat").splitlines())
        if file == "config.yaml" or file.startswith("workflow/neural_collapse/")
    }
    configured = added.pop("config.yaml", 0)
    return len(new), sum(added.values()), configured


def test_every_kind_of_addition_is_shown_and_tested():
    assert set(SECTIONS) == set(ADDITIONS)


@pytest.mark.parametrize("kind", ADDITIONS)
def test_an_addition_touches_little_and_makes_stale_what_it_changes(kind, study):
    *touched, stale = ADDITIONS[kind]
    assert add(study, kind) == tuple(touched)
    planned = study.plan()
    expensive = {
        rule: jobs for rule, jobs in planned.items() if rule in ("train_network", "extract_features", "measure")
    }
    assert expensive == stale
    assert planned, "an addition is made without further ado"


def test_what_is_added_works(study):
    for kind in ADDITIONS:
        add(study, kind)
    study.run("snakemake", "--cores", "2")
    metrics = (study.path / "results/tiny/metrics.csv").read_text()
    for run in ("digits,mlp2,ce", "wine,resnet18,mse", "digits,vgg11,hinge"):
        assert f"\n{run}," in metrics
    assert ",signal_to_noise," in metrics
    assert (study.path / "results/tiny/figures/figure-margin.png").stat().st_size > 10_000
