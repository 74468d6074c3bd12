"""workflow/dvc.yaml and the rules say the same: what a layer makes and reads, which code and settings decide it."""

import json
import re
import shutil

import numpy as np
import pytest
import yaml
from conftest import ROOT, all_figures_but
from fingerprint import LIBRARY, closure

pytestmark = pytest.mark.xdist_group("workflow")

STAGES = yaml.safe_load((ROOT / "workflow/dvc.yaml").read_text())["stages"]
OWN = STAGES.pop("own")
RESULTS = "results/${item.study}"
RULE = re.compile(r"^(?:rule|checkpoint) (\w+):\n(.*?)(?=^\S|\Z)", re.M | re.S)
LAYER_OF_RULE = {
    name: path.stem for path in (ROOT / "workflow/rules").glob("*.smk") for name, _ in RULE.findall(path.read_text())
}
# What a rule loads by name, beside what its step imports.
LOADED = {
    "prepare_dataset": ["data.sources"],
    "try_learning_rate": ["train.networks", "train.losses"],
    "train_network": ["train.networks", "train.losses"],
    "extract_features": ["train.networks", "train.losses"],
    "extract_out_of_distribution": ["train.networks"],
    "attack": ["train.networks"],
    "figure": ["figures"],
}


def names(entries):
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def covered(path, folders):
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def steps_of(layer):
    for name, text in RULE.findall((ROOT / f"workflow/rules/{layer}.smk").read_text()):
        for step in re.findall(r'STEP\s*\+ "([a-z-]+)', text):
            yield name, step.replace("-", "_")
        if "{params.images}" in text:
            yield "prepare_dataset", "prepare_dataset"


@pytest.mark.parametrize("layer", STAGES)
def test_a_stage_depends_on_exactly_the_code_of_its_rules(layer):
    depends = [
        path.removeprefix("workflow/neural_collapse/") for path in STAGES[layer]["deps"] if "neural_collapse" in path
    ]
    reached = set(closure("config.runs", "__main__"))  # which decides every job's settings
    for rule, step in steps_of(layer):
        loaded = [
            f"{package}.{path.stem}"
            for package in LOADED.get(rule, [])
            for path in (LIBRARY / package.replace(".", "/")).glob("[!_]*.py")
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
    assert not [file for file in files if not covered(file, depends)], f"stages.{layer}.deps misses code"
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
                read = read.replace("results/tiny", RESULTS)
                assert covered(read, names(stage["deps"]) + own), f"{layer} reads {read}"
    assert set(made.values()) == set(STAGES)
    for output, layer in made.items():
        outs = names(STAGES[layer]["outs"])
        assert covered(output.replace("results/tiny", RESULTS), outs), f"{output} is not kept by {layer}"
    on_disk = {
        path
        for path in completed.state_of("results/tiny")
        if "/provenance/" not in path and not path.endswith(".gitignore")
    }
    assert on_disk == set(made)


@pytest.mark.parametrize("layer", STAGES)
def test_a_stage_calls_its_layer_and_is_decided_by_the_study(layer):
    assert STAGES[layer]["matrix"] == STAGES["data"]["matrix"]
    assert STAGES[layer]["cmd"] == f"snakemake --cores all {layer} --config study=${{item.study}}"
    assert STAGES[layer]["params"] == [{"config.yaml": ["studies.${item.study}"]}]
    assert {"Snakefile", "workflow/rules"} <= set(STAGES[layer]["deps"])
    environments = set(re.findall(r"envs/\w+\.yaml", (ROOT / f"workflow/rules/{layer}.smk").read_text()))
    assert environments <= set(STAGES[layer]["deps"])
    heavy = {f"{RESULTS}/{name}" for name in ("data", "checkpoints", "features")}
    for out in STAGES[layer]["outs"]:
        ((path, options),) = out.items()
        assert options["persist"], f"DVC would delete {path} before Snakemake can look at it"
        assert options.get("cache", True) == (path in heavy)


def test_the_page_is_no_product(study):
    page = study.path / "results/tiny/report.html"
    before = study.state_of()
    study.run("snakemake", "--cores", "1", "report")
    assert "tiny" in page.read_text()
    assert "up to date" in study.run("dvc", "status"), "DVC does not know of it"
    assert study.plan("report") == {} and study.plan() == {}
    study.run("snakemake", "--cores", "1")
    assert {path: content for path, content in study.state_of().items() if path not in before}.keys() == {
        "results/tiny/report.html"
    }
    assert study.run("git", "status", "--porcelain", "results") == ""
    caption = "workflow/neural_collapse/report/captions/figure-07.rst"
    study.edit(caption, "variability collapse", "VARIABILITY collapse")
    assert study.plan() == {} and study.plan("report") == {"report": 1}
    assert "Nothing to be done" in study.run("snakemake", "-n", "figure-07", "table-1")


@pytest.mark.parametrize(
    "target, sentence",
    [
        ("figure-11", "figure-11: is left out of the study tiny"),
        ("figure-7", "did you mean `figure-07`?"),
        ("results/other/metrics.csv", "is of no study of config.yaml; there are tiny"),
    ],
)
def test_a_target_that_is_none_of_the_study_gets_one_sentence(fresh, target, sentence):
    said = fresh.run("snakemake", "-n", target, fails=True)
    assert sentence in said and "Traceback" not in said


def test_every_committed_study_is_kept_by_dvc():
    committed = {path.parent.name for path in ROOT.glob("results/*/provenance")}
    named, *kept = STAGES["data"]["matrix"]["study"]
    assert named == "${study}"
    assert set(kept) == committed
    assert len((ROOT / "workflow/dvc.yaml").read_text().splitlines()) < 230


MINI = f"""\
  mini:
    measured_epochs: 2
    datasets:
      digits: {{train_per_class: 10}}
    training: {{epochs: 2, batch_size: 50, learning_rate: 0.02, precision: float32}}
    networks:
      vgg11: {{width: 0.0625}}
    runs:
      digits-vgg11-mse: {{}}
    attack: {{images: 2, iterations: 1}}
    leave_out: {all_figures_but("figure-07")}
    theory:
      small: {{classes: 3, examples_per_class: 4, features: 3, spectrum: [1, 2], horizon: 10}}
"""


def test_every_study_keeps_its_data_whichever_was_made_last(study, tmp_path):
    """Two studies made in turn, pushed; a clone pulls both, and a garbage collection spares both."""
    study.edit("config.yaml", "study: tiny\nstudies:\n", f"study: mini\nstudies:\n{MINI}")
    study.edit("workflow/dvc.yaml", '"\\$\\{study\\}"]', '"${study}", tiny]')
    study.run("dvc", "repro")
    assert "up to date" in study.run("dvc", "status")
    study.edit("config.yaml", "study: mini", "study: tiny")
    study.edit("workflow/dvc.yaml", '"\\$\\{study\\}", tiny]', '"${study}", mini]')
    before = contents(study)
    study.run("dvc", "repro")
    assert contents(study) == before
    assert "up to date" in study.run("dvc", "status")
    study.run("dvc", "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    study.run("dvc", "push")
    study.commit("Two studies")
    clone = type(study)(tmp_path / "clone")
    study.run("git", "clone", "-q", ".", str(clone.path))
    clone.run("dvc", "pull")
    assert contents(clone) == before
    assert "up to date" in clone.run("dvc", "status")
    for name in ("tiny", "mini"):
        assert "Nothing to be done" in clone.run("snakemake", "-n", "--config", f"study={name}")
    study.run("dvc", "gc", "--workspace", "--force")
    for name in ("tiny", "mini"):
        shutil.rmtree(study.path / f"results/{name}/checkpoints")
    study.run("dvc", "checkout")
    assert contents(study) == before


def contents(repository):
    return {path: content for path, (_, content) in repository.state_of().items()}


def test_dvc_repro_ends_with_a_look_whether_its_cache_took_all(study):
    # (Seen with a full disk in the cache's place: DVC 3.67 locks the stages, and would end with status 0.)
    look = ["python", "workflow/rules/in_cache.py", "tiny"]
    assert " ".join(look[:2]) in (study.path / "dvc.yaml").read_text()
    assert study.run(*look) == ""
    shutil.rmtree(study.path / ".dvc/cache")
    message = study.run(*look, fails=True)
    assert re.fullmatch("error: results/tiny/[^ ]*, .*make room and repeat the command.\n", message)
    shutil.rmtree(study.path / "results/tiny/checkpoints")
    assert "checkpoints" not in study.run(*look, fails=True), "absent is not lacking"


def test_dvc_repro_makes_the_named_study_alone(study):
    study.edit("config.yaml", "study: tiny\nstudies:\n", f"study: tiny\nstudies:\n{MINI}")
    study.edit("workflow/dvc.yaml", '"\\$\\{study\\}"]', '"${study}", mini]')
    study.run("dvc", "repro")
    assert not (study.path / "results/mini").exists()


def test_dvc_follows_a_users_own_data_where_they_are(study, tmp_path):
    def write(seed):
        images = np.random.default_rng(seed).integers(0, 256, (30, 8, 8), dtype=np.uint8)
        split = {"images": images, "labels": np.arange(30) % 3}
        arrays = {f"{name}_{key}": value for name in ("train", "test") for key, value in split.items()}
        np.savez(study.path / "my data.npz", **arrays)

    write(seed=0)
    (study.path / ".git/info/exclude").write_text("*.npz\n")
    study.edit("config.yaml", "      digits: {", "      mine: {source: arrays, path: my data.npz}\n      digits: {")
    study.edit("config.yaml", "(?=      digits-vgg11-mse)", "      mine-vgg11-ce: {batch_size: 10}\n")
    study.run("snakemake", "-n")  # names them to DVC
    study.run("dvc", "repro", "workflow/dvc.yaml:data@tiny")
    assert "up to date" in study.run("dvc", "status", "workflow/dvc.yaml:data@tiny")
    study.commit("Data of my own")
    card = study.path / "results/tiny/datasets/mine.json"
    before = card.read_bytes()
    write(seed=1)
    assert "my data.npz" in study.run("dvc", "status")
    study.run("dvc", "repro", "workflow/dvc.yaml:data@tiny")
    assert card.read_bytes() != before
    assert "up to date" in study.run("dvc", "status", "workflow/dvc.yaml:data@tiny")
    study.commit("Other data of my own")
    clone = type(study)(tmp_path / "clone")
    study.run("git", "clone", "-q", ".", str(clone.path))
    clone.run("dvc", "cache", "dir", "--local", str(study.path / ".dvc/cache"))
    clone.run("dvc", "checkout")
    assert "up to date" in clone.run("dvc", "status", "workflow/dvc.yaml:data@tiny")
    assert clone.plan("data") == {}


def test_dvc_shows_metrics_parameters_plots_and_the_graph(study):
    assert "digits-vgg11-mse-seed0" in study.run("dvc", "metrics", "show", "--md")
    assert "features@tiny" in study.run("dvc", "dag", "--md")
    study.run("dvc", "plots", "show")
    assert "digits-vgg11-mse" in (study.path / "dvc_plots/index.html").read_text()
    study.edit("config.yaml", "digits-vgg11-ce: {learning_rate: 0.02}", "digits-vgg11-ce: {learning_rate: 0.03}")
    assert "digits-vgg11-ce.learning_rate" in study.run("dvc", "params", "diff")


def test_a_study_without_mse_runs_is_complete_for_dvc(study):
    for run in ("vgg11", "resnet18"):
        study.edit("config.yaml", f"      digits-{run}-mse: {{}}\n", "")
    for file in (study.path / "results/tiny/tables").iterdir():
        file.unlink()
    study.run("dvc", "repro")
    assert (study.path / "results/tiny/tables/table-1.csv").read_text().count("\n") == 1, "the header"
