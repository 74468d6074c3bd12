"""envs/ holds one set of pins, each rule names its environment, and each environment has what its rules import."""

import importlib.metadata
import os
import re
import subprocess
import sys

import environments
import pytest
import yaml
from fingerprint import LIBRARY, closure

from neural_collapse.config.declarations import modules

ROOT = LIBRARY.parents[1]
ON_PYPI = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
IMPORTED_AS = {
    "pytorch": "torch",
    "pyyaml": "yaml",
    "matplotlib-base": "matplotlib",
    "scikit-learn": "sklearn",
    "pillow": "PIL",
    "vl-convert-python": "vl_convert",
}
# What the steps of an environment load by name.
LOADED = {"training": ("data.sources", "train.networks", "train.losses"), "analysis": ("figures",)}

PIP = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "envs" / "requirements.txt").read_text(), re.M))
CONDA = {
    file.stem: dict(spec.split() for spec in yaml.safe_load(file.read_text())["dependencies"])
    for file in ROOT.glob("envs/*.yaml")
}
RULES = {
    re.match(r"\w+", rule)[0]: rule
    for file in ROOT.glob("workflow/rules/*.smk")
    for rule in re.split(r'^ *(?:rule|checkpoint)(?: |:\s+name:\s+f")', file.read_text(), flags=re.M)[1:]
}


STEP = r'STEP\s*\+ "([a-z-]+)'
FIGURES = [f"figures.{figure}" for figure in modules("figures")]


def environment_of(rule: str) -> str:
    return re.search(r'conda:\n +"../../envs/(\w+)\.yaml"', RULES[rule])[1]


@pytest.mark.parametrize("environment", CONDA)
def test_conda_and_pip_pin_the_same_versions(environment):
    pins = dict(CONDA[environment])
    assert pins.pop("python") == ">=3.11,<3.14"
    assert pins == {name: f"={PIP[ON_PYPI.get(name, name)]}" for name in pins}


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_depends_on_the_pins_of_its_step(rule):
    (step,) = {step.replace("-", "_") for step in re.findall(STEP, RULES[rule])}
    assert re.search(rf'environment=.*(pins\("steps.{step}"|pins_of_run\("{step}")', RULES[rule])
    pinned = CONDA[environment_of(rule)]
    imported = set().union(*map(environments.imports, closure(f"steps.{step}", *FIGURES)))
    for package in environments.DECIDED_BY[step]:
        assert environments.IN_CONDA.get(package, package) in pinned
        assert IMPORTED_AS.get(package, package) in imported
    by_rules = {found.replace("-", "_") for text in RULES.values() for found in re.findall(STEP, text)}
    assert set(environments.DECIDED_BY) == by_rules


def test_a_job_that_every_run_has_starts_without_pandas():
    steps = ("train", "try_learning_rate", "extract_features", "attack", "measure_run", "portrait")
    assert not any("pandas" in environments.DECIDED_BY[step] for step in steps)
    imports = "".join(f"import neural_collapse.steps.{step}\n" for step in steps)
    code = f"import sys\n{imports}assert 'pandas' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


def test_every_pin_decides_some_job_or_is_known_to_decide_none():
    loaded = [f"{package}.{module}" for of in LOADED.values() for package in of for module in modules(package)]
    deciding = {name for step in environments.DECIDED_BY for name in environments.deciding(step, *loaded)}
    decide_nothing = {"python", "safetensors", "tqdm", "jsonschema", "pyyaml"}
    named = {environments.IN_CONDA.get(name, name) for name in deciding} | decide_nothing
    assert named == set().union(*CONDA.values())


VGG, DIGITS = "train.networks.vgg", "data.sources.digits"


@pytest.mark.parametrize(
    "package, changed",
    [
        ("tqdm", {}),
        ("safetensors", {}),
        (
            "pytorch",
            {
                *("train", "try_learning_rate", "extract_features", "extract_out_of_distribution", "attack"),
                "take_checkpoints",
            },
        ),
        ("scikit-learn", {"prepare_dataset"}),
        ("pillow", {}),
        ("torchvision", {}),
        (
            "scipy",
            {
                *("measure_run", "measure_features", "measure_out_of_distribution", "simulate_central_path"),
                *("simulate_unconstrained_features", "check_theory", "claims", "report"),
            },
        ),
        ("matplotlib-base", {"figure"}),
    ],
)
def test_another_pin_concerns_the_steps_that_it_decides(package, changed, tmp_path, monkeypatch):
    loaded = {"prepare_dataset": [DIGITS], "train": [VGG], "try_learning_rate": [VGG], "attack": [VGG]}

    def all_pins():
        environments._pinned.cache_clear()
        return {step: environments.pins(step, *loaded.get(step, [])) for step in environments.DECIDED_BY}

    before = all_pins()
    for file in ROOT.glob("envs/*.yaml"):
        (tmp_path / file.name).write_text(re.sub(rf"({package} )\S+", r"\1=0.0.1", file.read_text()))
    monkeypatch.setattr(environments, "ENVIRONMENTS", tmp_path)
    after = all_pins()
    environments._pinned.cache_clear()
    assert {step for step in before if before[step] != after[step]} == set(changed)


@pytest.mark.parametrize(
    "step, module, packages",
    [
        ("steps.train", "train.networks.torchvision_model", {"torch", "numpy", "torchvision"}),
        ("steps.prepare_dataset", "data.sources.mnist", {"numpy", "torchvision"}),
        ("steps.prepare_dataset", "data.sources.svhn", {"numpy", "torchvision"}),
        ("steps.prepare_dataset", "data.sources.folder", {"numpy", "pillow"}),
        ("steps.prepare_dataset", "data.sources.arrays", {"numpy"}),
    ],
)
def test_what_a_job_loads_by_name_brings_its_packages(step, module, packages):
    assert set(environments.deciding(step, module)) == packages


def test_what_ran_is_said_without_importing_it():
    program = "import sys, environments; print(environments.ran_with('steps.train'), 'torch' in sys.modules)"
    paths = os.pathsep.join([str(LIBRARY.parent), str(LIBRARY.parent / "rules")])
    said = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": paths}, text=True, capture_output=True
    ).stdout
    installed = {name: importlib.metadata.version(name) for name in ("numpy", "torch")}
    assert said == f"{installed | {'device': 'cpu'}} False\n"


def test_a_gpu_is_named_once_torch_has_computed_on_it(monkeypatch):
    class Cuda:
        used = False
        is_initialized = classmethod(lambda cls: cls.used)
        get_device_name = staticmethod(lambda: "NVIDIA H100")

    monkeypatch.setitem(sys.modules, "torch", type("Torch", (), {"cuda": Cuda}))
    assert environments.ran_with("steps.train")["device"] == "cpu"
    Cuda.used = True
    assert environments.ran_with("steps.train")["device"] == "NVIDIA H100"


def test_results_of_other_versions_are_said_in_one_line():
    old, new = {"torch": "2.12.0", "device": "cpu"}, {"torch": "2.13.0", "device": "NVIDIA H100"}
    measured = {"numpy": "2.4.6", "device": "cpu"}
    assert environments.mixture([new, new, measured, {}]) is None
    said = "these results mix what made them: device NVIDIA H100 and cpu; torch 2.12.0 and 2.13.0."
    assert environments.mixture([new, old, measured]) == said


@pytest.mark.parametrize("environment", CONDA)
def test_an_environment_has_what_its_rules_import_and_nothing_else(environment):
    steps = {
        step.replace("-", "_")
        for rule, text in RULES.items()
        if environment_of(rule) == environment
        for step in re.findall(STEP, text)
    }
    loaded = [f"{package}.{module}" for package in LOADED[environment] for module in modules(package)]
    reached = closure(*(f"steps.{step}" for step in steps), *loaded)
    imported = (
        set().union(*(environments.imports(module) for module in reached)) - sys.stdlib_module_names - {LIBRARY.name}
    )
    of_the_users = {"timm", "h5py"}  # installed by whoever names a network of it, or brings such files
    assert imported - of_the_users == {IMPORTED_AS.get(name, name) for name in CONDA[environment]} - {"python"}
