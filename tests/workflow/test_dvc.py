"""dvc.yaml and the rules say the same: what a layer makes, what it reads, which code and which settings decide it."""

import json
import re

import pytest
import yaml
from conftest import ROOT
from fingerprint import LIBRARY, closure

pytestmark = pytest.mark.xdist_group("workflow")

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
RULE = re.compile(r"^(?:rule|checkpoint) (\w+):\n(.*?)(?=^\S|\Z)", re.M | re.S)
LAYER_OF_RULE = {
    name: path.stem for path in (ROOT / "workflow/rules").glob("*.smk") for name, _ in RULE.findall(path.read_text())
}
# What a rule loads by name, beside what its step imports.
LOADED = {
    "prepare_dataset": ["datasets"],
    "try_learning_rate": ["networks", "datasets"],
    "train_network": ["networks", "datasets"],
    "extract_features": ["networks", "datasets"],
    "attack": ["networks", "datasets"],
    "figure": ["figures"],
}


def names(entries):
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def covered(path, folders):
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def steps_of(layer):
    for name, text in RULE.findall((ROOT / f"workflow/rules/{layer}.smk").read_text()):
        for step in re.findall(r"-m neural_collapse ([a-z-]+)", text):
            yield name, step.replace("-", "_")
        if "{params.images}" in text:
            yield "prepare_dataset", "prepare_dataset"


@pytest.mark.parametrize("layer", STAGES)
def test_a_stage_depends_on_exactly_the_code_of_its_rules(layer):
    depends = [
        path.removeprefix("workflow/neural_collapse/") for path in STAGES[layer]["deps"] if "neural_collapse" in path
    ]
    reached = set(closure("study"))  # which decides every job's settings
    for rule, step in steps_of(layer):
        loaded = [
            f"{package}.{path.stem}"
            for package in LOADED.get(rule, [])
            for path in (LIBRARY / package).glob("[!_]*.py")
        ]
        reached |= set(closure(f"steps.{step}", *loaded))
    files = [
        f"{module.replace('.', '/')}.py" for module in reached if (LIBRARY / f"{module.replace('.', '/')}.py").is_file()
    ]
    files += [
        f"{module.replace('.', '/')}/__init__.py".lstrip("/")
        for module in reached
        if (LIBRARY / module.replace(".", "/")).is_dir()
    ]
    assert not [file for file in files if not covered(file, depends)], f"dvc.yaml: stages.{layer}.deps misses code"
    assert not [path for path in depends if not any(covered(file, [path]) for file in files)], (
        f"stages.{layer}.deps has too much"
    )


def test_every_output_of_every_rule_is_an_output_of_its_stage(completed):
    made = {}
    for file in (completed.path / "results/tiny/provenance").glob("*.json"):
        for job in json.loads(file.read_text())["jobs"]:
            layer = LAYER_OF_RULE[job["record"]["rule"]]
            assert layer == file.stem
            for output in job["outputs"]:
                made[output] = layer
            stage = STAGES[layer]
            own = names(stage["outs"])
            for read in job["record"]["input"]:
                read = read.replace("results/tiny", "results/${study}")
                assert covered(read, names(stage["deps"]) + own), f"{layer} reads {read}"
    assert set(made.values()) == set(STAGES)
    for output, layer in made.items():
        outs = names(STAGES[layer]["outs"])
        assert covered(output.replace("results/tiny", "results/${study}"), outs), f"{output} is not kept by {layer}"
    on_disk = {
        path
        for path in completed.state_of("results/tiny")
        if "/provenance/" not in path and not path.endswith(".gitignore")
    }
    assert on_disk == set(made)


@pytest.mark.parametrize("layer", STAGES)
def test_a_stage_calls_its_layer_and_is_decided_by_the_study(layer):
    assert STAGES[layer]["cmd"] == f"snakemake --cores all {layer}"
    assert STAGES[layer]["params"] == [{"config.yaml": ["study", "studies.${study}"]}]
    assert {"Snakefile", "workflow/rules"} <= set(STAGES[layer]["deps"])
    environments = set(re.findall(r"envs/\w+\.yaml", (ROOT / f"workflow/rules/{layer}.smk").read_text()))
    assert environments <= set(STAGES[layer]["deps"])
    heavy = {"results/${study}/data", "results/${study}/checkpoints", "results/${study}/features"}
    for out in STAGES[layer]["outs"]:
        ((path, options),) = out.items()
        assert options["persist"], f"DVC would delete {path} before Snakemake can look at it"
        assert options.get("cache", True) == (path in heavy)


def test_dvc_shows_metrics_parameters_plots_and_the_graph(study):
    assert "digits-vgg11-mse-seed0" in study.run("dvc", "metrics", "show", "--md")
    assert "features" in study.run("dvc", "dag", "--md")
    study.run("dvc", "plots", "show")
    assert "figure-07.png" in (study.path / "dvc_plots/index.html").read_text()
    study.edit("config.yaml", "digits-vgg11-ce: {learning_rate: 0.02}", "digits-vgg11-ce: {learning_rate: 0.03}")
    assert "digits-vgg11-ce.learning_rate" in study.run("dvc", "params", "diff")


def test_a_study_without_mse_runs_is_complete_for_dvc(study):
    for run in ("vgg11", "resnet18"):
        study.edit("config.yaml", f"      digits-{run}-mse: {{}}\n", "")
    for file in (study.path / "results/tiny/tables").iterdir():
        file.unlink()
    study.run("dvc", "repro")
    assert (study.path / "results/tiny/tables/table-1.csv").read_text().count("\n") == 1, "the header"
