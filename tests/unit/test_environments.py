"""envs/ holds one set of pins, each rule names its environment, and each environment has what its rules import."""

import ast
import re
import sys

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
}
# What the steps of an environment load by name.
LOADED = {"training": ("data.sources", "train.networks", "train.losses"), "analysis": ("figures",)}

PIP = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "envs" / "requirements.txt").read_text(), re.M))
CONDA = {
    file.stem: dict(spec.split() for spec in yaml.safe_load(file.read_text())["dependencies"])
    for file in ROOT.glob("envs/*.yaml")
}
RULES = {
    rule.partition(":")[0]: rule
    for file in ROOT.glob("workflow/rules/*.smk")
    for rule in re.split(r"^(?:rule|checkpoint) ", file.read_text(), flags=re.M)[1:]
}


def environment_of(rule: str) -> str:
    return re.search(r'conda:\n +"../../envs/(\w+)\.yaml"', RULES[rule])[1]


@pytest.mark.parametrize("environment", CONDA)
def test_conda_and_pip_pin_the_same_versions(environment):
    pins = dict(CONDA[environment])
    assert pins.pop("python") == ">=3.11,<3.14"
    assert pins == {name: f"={PIP[ON_PYPI.get(name, name)]}" for name in pins}


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_names_its_environment_and_depends_on_its_pins(rule):
    assert f'environment=pinned_packages("{environment_of(rule)}")' in RULES[rule]


@pytest.mark.parametrize("environment", CONDA)
def test_an_environment_has_what_its_rules_import_and_nothing_else(environment):
    steps = {
        step.replace("-", "_")
        for rule, text in RULES.items()
        if environment_of(rule) == environment
        for step in re.findall(r"-m neural_collapse ([a-z-]+)", text)
    }
    loaded = [f"{package}.{module}" for package in LOADED[environment] for module in modules(package)]
    reached = closure(*(f"steps.{step}" for step in steps), *loaded)
    imported = set().union(*(packages(module) for module in reached)) - sys.stdlib_module_names - {LIBRARY.name}
    assert imported == {IMPORTED_AS.get(name, name) for name in CONDA[environment]} - {"python"}


def packages(module: str) -> set[str]:
    """The top-level names that a module of the library imports, wherever in the file."""
    path = LIBRARY.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found
