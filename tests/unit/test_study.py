"""Every mistake in config.yaml is one sentence: key, value, what is allowed; and the paper study is the paper's."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from neural_collapse.config.checks import read_config
from neural_collapse.config.runs import load_study, settings_of_runs
from neural_collapse.config.sizes import published_size
from neural_collapse.data.preparation import load, prepare
from neural_collapse.errors import InputError

ROOT = Path(__file__).parents[2]
CONFIG = read_config(ROOT / "config.yaml")
SMALL = yaml.safe_load("""
study: small
studies:
  small:
    measured_epochs: 3
    runs:
      digits-vgg11-mse: {epochs: 9, learning_rate: 0.1}
""")


def changed(path, value):
    """SMALL with one key set; a dot separates levels, and a last `+` adds a new key."""
    config = copy.deepcopy(SMALL)
    *levels, last = path.split("/")
    place = config
    for level in levels:
        place = place.setdefault(level, {})
    place[last] = value
    return config


@pytest.mark.parametrize(
    "path, value, words",
    [
        ("study", "quik", ["study", "'quik'", "small"]),
        ("colour", "red", ["'colour'", "known: study"]),
        ("studies/small/epochs", 3, ["studies.small", "'epochs'", "known:"]),
        ("studies/small/runs/digits-resnet19-mse", {}, ["runs.digits-resnet19-mse", "'resnet19'", "resnet18", "vgg11"]),
        ("studies/small/runs/digit-vgg11-mse", {}, ["'digit'", "did you mean 'digits'", "mnist"]),
        ("studies/small/runs/digits-vgg11-mae", {}, ["'mae'", "mse", "ce"]),
        ("studies/small/runs/vgg11", {}, ["'vgg11'", "{dataset}-{network}-{loss}"]),
        ("studies/small/networks/mine", {"width": 1}, ["'mine'", "known:", "vgg11"]),
        ("studies/small/networks/mine", {"source": "vgg11", "depth": 3}, ["networks.vgg11", "'depth'", "width"]),
        ("studies/small/runs/digits-vgg11-mse-a-b", {}, ["'digits-vgg11-mse-a-b'", "-{variant}"]),
        ("studies/small/runs/digits-vgg11-mse-plain", {}, ["'digits-vgg11-mse-plain' is not a run"]),
        ("studies/small/runs/digits-vgg11-mse-A", {}, ["'A'", "small letters"]),
        ("studies/small/runs/digits-vgg11-mse/network", {"depth": 1}, ["mse.network", "'depth'", "width"]),
        ("studies/small/runs/digits-vgg11-mse/network", 3, ["mse.network", "3 is not allowed", "a table or a text"]),
        ("studies/small/runs/digits-vgg11-mse/dataset", {"padding": -1}, ["mse.dataset.padding", "at least 0"]),
        ("studies/small/runs/digits-vgg11-mse/dataset", {"path": "x"}, ["mse.dataset", "'dataset.path'", "known:"]),
        ("studies/small/runs/wide", {"features": "a/1.npz", "epochs": 3}, ["runs.wide", "'epochs'", "weight_decay"]),
        ("studies/small/runs/wide", {"features": "a/1.npz", "seeds": [0, 1]}, ["wide.features", "2 seeds", "{seed}"]),
        ("studies/small/runs/wide", {"features": "{epoch}.npz"}, ["wide.features", "a folder of its own"]),
        ("studies/small/runs/wide", {"features": "a/{step}.npz"}, ["wide.features", "'a/{step}.npz'", "{epoch} once"]),
        ("studies/small/runs/wide", {"features": []}, ["wide.features", "a text or a list"]),
        ("studies/small/runs/wide", {"features": "a/1.npz", "arrays": {"h": "x"}}, ["arrays", "'h'", "features"]),
        ("studies/small/runs/wide", {"checkpoints": "a/1.pt"}, ["'wide'", "{dataset}-{network}-{loss}"]),
        ("studies/small/runs/digits-vgg11-ce", {"arrays": {"bias": "b"}}, ["ce.arrays", "give these as `features`"]),
        ("studies/small/runs/digits-vgg11-ce", {"network": "vgg13"}, ["ce.network", "'vgg13' is no table"]),
        (
            "studies/small/runs/digits-own-ce",
            {"checkpoints": "a/*.pt", "network": "m:"},
            ["network", "'m:'", "models:build"],
        ),
        ("studies/small/networks/own", {"source": "models.build()"}, ["'models.build()'", "known:"]),
        ("studies/small/grid", {"weight_decays": [1]}, ["grid", "'weight_decays'", "did you mean 'weight_decay'"]),
        ("studies/small/grid", {"weight_decay": []}, ["grid.weight_decay", "at least 1 long"]),
        ("studies/small/grid", {"weight_decay": 0.1}, ["grid.weight_decay", "not of type array"]),
        ("studies/small/grid", {"weight_decay": [-1]}, ["grid.weight_decay", "at least 0"]),
        ("studies/small/grid", {"network.width": [0.5, "wide"]}, ["network.width", "'wide'"]),
        ("studies/small/grid", {"network.depth": [1]}, ["network", "'depth'"]),
        ("studies/small/grid", {"loss_options.gamma": [1]}, ["loss_options", "'mse' needs no options"]),
        ("studies/small/grid", {"dataset.source": ["mnist"]}, ["grid", "'dataset.source'"]),
        ("studies/small/grid", {"dataset.train_per_class": ["few"]}, ["train_per_class", "'few'"]),
        ("studies/small/networks/vgg11", {"depth": 3}, ["networks.vgg11", "'depth'", "width"]),
        (
            "studies/small/runs/digits-vgg11-mse/learning_rate",
            -0.1,
            ["learning_rate", "-0.1", "more than 0", "'sweep'"],
        ),
        ("studies/small/runs/digits-vgg11-mse/learning_rate", "fast", ["learning_rate", "'fast'"]),
        ("studies/small/runs/digits-vgg11-mse/epochs", "ten", ["epochs", "'ten'", "integer"]),
        ("studies/small/runs/digits-vgg11-mse/learning_rate_drops", [3, 9], ["learning_rate_drops", "[3, 9]", "9"]),
        ("studies/small/runs/digits-vgg11-mse/warmup_epochs", 9, ["warmup_epochs", "9"]),
        ("studies/small/runs/digits-vgg11-mse/precision", "half", ["precision", "'half'", "bfloat16"]),
        ("studies/small/measured_epochs", 10, ["measured_epochs", "10", "run of 9"]),
        ("studies/small/seeds", [], ["seeds", "at least 1 long"]),
        ("studies/small/datasets/mine", {"source": "arrays"}, []),
        ("studies/small/datasets/digits", {"train_per_class": 0}, ["train_per_class", "0", "at least 1", "'all'"]),
        ("studies/small/out_of_distribution", ["patch"], ["out_of_distribution", "'patch'", "did you mean 'patches'"]),
        ("studies/small/out_of_distribution", ["digits"], ["out_of_distribution: 'digits'", "every run is trained on"]),
        ("studies/small/out_of_distribution", ["left_out"], ["'left_out'", "write `left_out_classes`"]),
        ("studies/small/out_of_distribution", ["mnist"], ["'mnist' are 1x32x32", "'digits' see 1x8x8", "`resize`"]),
        ("studies/small/out_of_distribution", ["folder"], ["out_of_distribution", "'folder'"]),
        ("studies/small/leave_out", ["figure-99"], ["leave_out", "'figure-99'", "figure-02"]),
        ("studies/small/runs/digits-vgg11-mse/learning_rate", float("inf"), ["learning_rate", "inf", "a number"]),
        ("studies/small/runs/digits-vgg11-mse/weight_decay", float("nan"), ["weight_decay", "nan", "number"]),
        ("studies/small/runs/digits-vgg11-mse", None, ["runs.digits-vgg11-mse", "write {}"]),
        ("studies/small/runs", {7: {}}, ["small.runs", "'7' is not a run"]),
        ("studies/small/networks", {11: {"width": 1}}, ["small.networks", "no network named '11'"]),
        ("studies/small/datasets/minst", {"train_per_class": 5}, ["small.datasets", "'minst'", "did you mean 'mnist'"]),
        ("studies/small/datasets/digits", {"path": "d"}, ["digits.path", "`digits` reads no path", "`source: arrays`"]),
        ("studies/small/leave_out", ["figure_02"], ["small.leave_out", "did you mean 'figure-02'"]),
        (
            "studies/small/theory/a",
            {"classes": 3, "examples_per_class": 4, "features": 5, "spectrum": [1], "horizon": 1},
            ["theory.a", "2 numbers", "found 1"],
        ),
        *(
            (
                f"studies/small/theory/{table}",
                {"classes": 3, "examples_per_class": 4, "features": 5, "spectrum": [1, 2], "horizon": 1},
                [f"theory.{table}: theory/{table}.csv is another table"],
            )
            for table in ("checks", "unconstrained_features")
        ),
        ("studies/small/runs/digits-vgg11-scaled_mse", {"epochs": 9}, ["loss_options", "target_value", "found none"]),
        ("studies/small/runs/digits-vgg11-mse/loss_options", {"k": 1}, ["loss_options", "no options", "found k"]),
        ("studies/small/sweep", {"lowest": 1, "highest": 0.1}, ["sweep", "lowest, 1", "highest, 0.1"]),
        ("studies/small/datasets/digits", {"imbalance": 0.5}, ["digits.imbalance", "at least 1"]),
        ("studies/small/datasets/digits", {"imbalance": 141}, ["digits.imbalance", "141 of 140", "the last class"]),
        (
            "studies/small/datasets/digits",
            {"imbalance": 2, "train_per_class": "all"},
            ["digits.imbalance", "`train_per_class`"],
        ),
        ("studies/small/datasets/digits", {"imbalance_profile": "step"}, ["imbalance_profile", "`imbalance`"]),
        (
            "studies/small/datasets/digits",
            {"imbalance": 2, "imbalance_profile": "steps"},
            ["imbalance_profile", "'steps'", "did you mean 'step'"],
        ),
        ("studies/small/datasets/digits", {"label_noise": 1}, ["label_noise", "less than 1"]),
        ("studies/small/datasets/digits", {"left_out_classes": [10]}, ["left_out_classes", "[10]", "from 0 to 9"]),
        ("studies/small/datasets/digits", {"left_out_classes": [*range(9)]}, ["left_out_classes", "two classes"]),
        ("studies/small/networks/vgg11", {"bottleneck": 1}, ["networks.vgg11.bottleneck", "at least 2"]),
        ("studies/small/runs/digits-vgg11-focal", {"epochs": 9}, ["loss_options", "'focal' needs gamma"]),
        (
            "studies/small/runs/digits-vgg11-focal",
            {"epochs": 9, "loss_options": {"gamma": -1}},
            ["loss_options.gamma", "at least 0"],
        ),
        ("data_root", 5, ["data_root", "5", "string"]),
        (
            "studies/small",
            {"grid": {"network.width": [0.5]}, "measured_epochs": 1, "runs": {"digits-vgg11-ce": {"network": "vgg13"}}},
            ["runs.digits-vgg11-ce.network", "'vgg13' is no table of options"],
        ),
        # Of several mistakes the same is named each time.
        ("studies/small", {"runs": {}, "attack": {"images": -1, "epochs": 0}}, ["attack.epochs", "at least"]),
    ],
)
def test_a_mistake_is_one_sentence(path, value, words):
    if not words:  # an entry nobody uses is no mistake
        load_study(changed(path, value))
        return
    with pytest.raises(InputError) as error:
        load_study(changed(path, value))
    message = str(error.value)
    assert message.startswith("config.yaml: ") and "\n" not in message
    for word in words:
        assert word in message


def test_a_data_set_of_ones_own_needs_a_path_and_a_known_source():
    config = changed("studies/small/runs/mine-vgg11-ce", {"epochs": 9})
    for dataset, word in [({"source": "arrays"}, "`path`"), ({"source": "csv"}, "'csv'")]:
        config["studies"]["small"]["datasets"] = {"mine": dataset}
        with pytest.raises(InputError, match=word):
            load_study(config)
    config["studies"]["small"]["datasets"] = {"mine": {"source": "arrays", "path": "mine.npz", "padding": 2}}
    study = load_study(config)
    assert study.datasets["mine"]["path"] == "mine.npz" and study.datasets["mine"]["padding"] == 2


@pytest.mark.parametrize(
    "settings, classes, train, test",
    [
        ({}, 10, 1400, 397),
        ({"imbalance": 10, "imbalance_profile": "step"}, 10, 5 * 140 + 5 * 14, 397),
        ({"imbalance": 100, "train_per_class": 100}, 10, 100 + 59 + 35 + 21 + 12 + 7 + 4 + 2 + 1 + 1, 797),
        ({"label_noise": 0.2}, 10, 1400, 397),
        ({"left_out_classes": [8, 9]}, 8, 1120, 318),  # what is left of 1797 is known but roughly
    ],
)
def test_the_plan_knows_the_size_of_what_is_taken_of_published_data(settings, classes, train, test):
    study = load_study(changed("studies/small/datasets/digits", settings))
    size = published_size(study.datasets["digits"], "")
    assert (size.classes, size.train) == (classes, train) and size.test == pytest.approx(test, abs=2)
    prepared = study.datasets["digits"]
    used = {key: prepared[key] for key in ("train_per_class", "padding", "seed", *settings)}
    if "imbalance" in used:
        used["imbalance_profile"] = prepared["imbalance_profile"]
    dataset = prepare(load("digits"), name="digits", **used)
    assert (len(dataset.class_names), len(dataset.train_labels)) == (classes, train)
    assert len(dataset.test_labels) == pytest.approx(size.test, abs=10)


def test_a_key_that_is_given_twice_is_named_with_its_line(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("study: a\nstudies:\n  a:\n    runs:\n      digits-vgg11-ce: {epochs: 5,\n        epochs: 50}\n")
    with pytest.raises(InputError, match=r"config\.yaml: line 6: the key 'epochs' is there twice; keep one\."):
        read_config(path)


def test_a_missing_or_broken_file_is_one_sentence(tmp_path):
    (tmp_path / "config.yaml").write_text("study: [")
    for name in ("config.yaml", "absent.yaml"):
        with pytest.raises(InputError, match=name) as error:
            read_config(tmp_path / name)
        assert "\n" not in str(error.value)


def test_settings_of_a_run_go_before_the_study_and_both_before_the_defaults():
    config = changed("studies/small/training", {"momentum": 0.8, "epochs": 5})
    run = load_study(config).runs[0]
    assert (run.settings["epochs"], run.settings["momentum"], run.settings["weight_decay"]) == (9, 0.8, 5e-4)
    assert run.settings["learning_rate_drops"] == [3, 6]
    assert run.name == "digits-vgg11-mse-seed0"


def test_numbers_may_be_written_as_everybody_writes_them():
    config = yaml.safe_load(
        "study: a\nstudies: {a: {measured_epochs: 3, runs: {digits-vgg11-ce: {weight_decay: 5e-4}}}}"
    )
    assert load_study(config).runs[0].settings["weight_decay"] == 0.0005


def test_a_whole_number_may_be_written_with_a_point_or_an_exponent():
    config = yaml.safe_load(
        "study: a\nstudies: {a: {measured_epochs: 3.0, seeds: [0.0], "
        "runs: {digits-vgg11-ce: {epochs: 1e1, learning_rate: 1.0, learning_rate_drops: [4.0]}}}}"
    )
    study = load_study(config)
    settings = study.runs[0].settings
    whole = [study.measured_epochs, study.runs[0].seed, settings["epochs"], *settings["learning_rate_drops"]]
    assert whole == [3, 0, 10, 4] and all(isinstance(number, int) for number in whole)
    assert settings["learning_rate"] == 1


def test_the_paper_study_is_the_papers():
    study = load_study(CONFIG, "paper")
    assert len(study.runs) == 30 and {run.loss for run in study.runs} == {"mse", "ce"}
    settings = study.runs[0].settings
    assert (settings["epochs"], settings["batch_size"], settings["momentum"]) == (350, 128, 0.9)
    assert settings["learning_rate_drops"] == [116, 233] and settings["warmup_epochs"] == 0
    assert study.measured_epochs == 50
    assert study.datasets["mnist"]["train_per_class"] == 5000 and study.datasets["svhn"]["train_per_class"] == 4600
    assert study.datasets["mnist"]["padding"] == 2 and study.datasets["stl10"]["padding"] == 0
    # The authors' learning rates lie on their own grid of 25.
    rates = study.sweep.rates
    assert len(rates) == 25 and rates[0] == 1e-4 and rates[-1] == 0.25
    for run in study.runs:
        if run.settings["learning_rate"] != "sweep":
            assert any(abs(run.settings["learning_rate"] / rate - 1) < 1e-6 for rate in rates), run.name


def test_the_sweep_study_sweeps_every_pair_of_the_paper_study():
    sweep, paper = load_study(CONFIG, "sweep"), load_study(CONFIG, "paper")
    assert [run.name for run in sweep.runs] == [run.name for run in paper.runs]
    assert len(sweep.swept) == 30 and sweep.sweep.rounds == (25,) and paper.sweep.rounds == (25, 8, 2)


def test_every_study_and_every_key_of_the_schema_is_described():
    for name in CONFIG["studies"]:
        load_study(CONFIG, name)

    def undescribed(schema, where):
        if isinstance(schema, dict):
            for key, value in schema.get("properties", {}).items():
                if "description" not in value:
                    yield f"{where}.{key}"
            for key, value in schema.items():
                yield from undescribed(value, f"{where}.{key}")

    schema = yaml.safe_load((ROOT / "workflow/neural_collapse/config/config.schema.yaml").read_text())
    assert not list(undescribed(schema, ""))


def test_loading_a_study_loads_neither_torch_nor_torchvision():
    import subprocess
    import sys

    code = (
        "import sys; from neural_collapse.config.checks import read_config; "
        "from neural_collapse.config.runs import load_study; load_study(read_config(sys.argv[1]), 'paper'); "
        "assert not {'torch', 'torchvision', 'pandas'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code, ROOT / "config.yaml"], check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )


def test_a_run_may_have_seeds_of_its_own():
    config = changed("studies/small/seeds", [4, 5])
    config["studies"]["small"]["runs"]["digits-vgg11-ce"] = {"seeds": [7], "epochs": 9, "learning_rate": 0.1}
    names = [run.name for run in load_study(config).runs]
    assert names == ["digits-vgg11-ce-seed7", "digits-vgg11-mse-seed4", "digits-vgg11-mse-seed5"]
    assert "seeds" not in load_study(config).runs[-1].settings


def test_a_grid_makes_every_combination_of_each_run_that_is_no_variant():
    config = changed("studies/small/grid", {"weight_decay": [0.005, 1e-5], "network.width": [0.5, 1]})
    config["studies"]["small"]["runs"]["digits-vgg11-mse-mine"] = {"epochs": 9, "weight_decay": 0.1}
    study = load_study(config)
    found = {run.name: (run.settings["weight_decay"], run.network_options) for run in study.runs}
    assert found == {
        "digits-vgg11-mse-width_0.5_weight_decay_0.005-seed0": (0.005, {"width": 0.5}),
        "digits-vgg11-mse-width_1_weight_decay_0.005-seed0": (0.005, {"width": 1}),
        "digits-vgg11-mse-width_0.5_weight_decay_0.00001-seed0": (1e-5, {"width": 0.5}),
        "digits-vgg11-mse-width_1_weight_decay_0.00001-seed0": (1e-5, {"width": 1}),
        "digits-vgg11-mse-mine-seed0": (0.1, {}),
    }
    assert list(study.datasets) == ["digits"]
    assert "figure-settings" in study.figures
    assert "figure-settings" not in load_study(SMALL).figures


def test_data_are_prepared_once_for_all_runs_that_set_the_same():
    config = changed("studies/small/grid", {"dataset.train_per_class": [20, 40], "weight_decay": [0, 1]})
    config["studies"]["small"]["datasets"] = {"digits": {"padding": 2}}
    study = load_study(config)
    assert list(study.datasets) == ["digits-train_per_class_20", "digits-train_per_class_40"]
    assert [own["train_per_class"] for own in study.datasets.values()] == [20, 40]
    assert {own["padding"] for own in study.datasets.values()} == {2}
    assert {run.data for run in study.runs if "class_20" in run.variant} == {"digits-train_per_class_20"}
    assert {run.dataset for run in study.runs} == {"digits"}


def test_a_network_of_ones_own_name_is_built_by_its_source():
    config = changed("studies/small/networks/mine", {"source": "resnet18", "width": 0.5})
    config["studies"]["small"]["runs"] = {"digits-mine-mse": {"epochs": 9, "network": {"width": 0.25}}}
    (run,) = load_study(config).runs
    assert (run.network, run.architecture, run.network_options) == ("mine", "resnet18", {"width": 0.25})
    rows = settings_of_runs(load_study(config))
    assert rows[0]["network.architecture"] == "resnet18" and rows[0]["network.width"] == 0.25
    assert rows[0]["dataset.padding"] == 0 and rows[0]["weight_decay"] == 5e-4


def test_a_sweep_chooses_for_each_variant():
    config = changed("studies/small/grid", {"weight_decay": [0, 0.1]})
    config["studies"]["small"]["runs"] = {"digits-vgg11-ce": {"epochs": 9, "learning_rate": "sweep", "seeds": [0, 1]}}
    study = load_study(config)
    assert list(study.swept) == ["digits-vgg11-ce-weight_decay_0", "digits-vgg11-ce-weight_decay_0.1"]


def test_runs_may_bring_what_others_trained():
    config = changed("studies/small/training", {"weight_decay": 0.01})
    config["studies"]["small"] |= {"grid": {"batch_size": [10, 20]}, "seeds": [0, 1]}
    config["studies"]["small"]["runs"] |= {
        "wide": {"features": "a/{epoch}.npz"},
        "unknown-deep-supcon-late": {"features": ["b/{seed}/*.npz", "b/labels.npy"], "weight_decay": 0.1},
        "digits-mine-ce": {"checkpoints": "c/{epoch}.pt", "network": "models:build"},
    }
    study = load_study(config)
    assert [run.name for run in study.trained] == [
        f"digits-vgg11-mse-batch_size_{size}-seed{seed}" for size in (10, 20) for seed in (0, 1)
    ]
    *deep, wide = study.bringing("features")
    assert (str(wide), wide.dataset, wide.loss) == ("wide-seed0", "unknown", "unknown")
    assert wide.settings == {"weight_decay": 0.01}, "of a training it has no other setting, and of no grid any"
    assert [run.name for run in deep] == ["unknown-deep-supcon-late-seed0", "unknown-deep-supcon-late-seed1"]
    assert deep[1].brings.files == ("b/1/*.npz", "b/labels.npy") and deep[1].settings == {"weight_decay": 0.1}
    (mine,) = study.bringing("checkpoints")
    assert (mine.architecture, mine.data, mine.network) == ("models:build", "digits", "mine")
    assert study.datasets.keys() == {"digits"} and not study.swept
    assert [row.get("brings") for row in settings_of_runs(study)] == ["checkpoints", *[None] * 4, *["features"] * 3]


@pytest.mark.parametrize("name", CONFIG["studies"])
def test_the_order_of_keys_changes_nothing(name):
    """Neither what is trained, nor a word of any job's settings."""

    def turned(value):
        return {key: turned(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    declared, other = load_study(CONFIG, name), load_study(turned(CONFIG), name)
    assert repr(other.runs) == repr(declared.runs)
    assert repr(settings_of_runs(other)) == repr(settings_of_runs(declared))
    for field in ("attack", "theory", "figures", "sweep"):
        assert repr(getattr(other, field)) == repr(getattr(declared, field))
    assert all(repr(other.datasets[key]) == repr(value) for key, value in declared.datasets.items())


@pytest.mark.parametrize(
    "block", re.findall("```yaml\n(studies:.*?)```", (ROOT / "docs/your-own.md").read_text(), re.S)
)
def test_the_studies_of_the_documentation_are_studies(block):
    assert load_study({"study": "mine"} | yaml.safe_load(block)).runs


def test_a_study_may_be_called_by_a_number():
    """As `--config study=7` gives it."""
    config = {"study": 7, "studies": {7: SMALL["studies"]["small"]}}
    assert load_study(config).name == "7"
