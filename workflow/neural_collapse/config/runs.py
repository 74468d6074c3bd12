"""The configuration file as a table of runs, checked against the schema and against what the library knows.

No module of this folder loads torch or torchvision: what networks, data sets, losses and figures there are is read from
the sources of their modules, so that a plan of thousands of jobs is made in a second on a machine without either.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..errors import InputError
from .brought import brought_by_seed, kind_brought, settings_of_brought
from .checks import check_loss_options, check_schedule, checked, defaults, unknown
from .datasets import PreparedDatasets, check_datasets
from .declarations import known_figures
from .grid import Parts, check_varied, declared_runs
from .names import LEFT_OUT, OTHER_TABLES, pair_name
from .networks import check_networks, network_of_run
from .settings import default_drops, training_schema
from .shown import drawn_figures
from .sizes import check_fit
from .study import Run, Study
from .sweeps import Sweep


def load_study(config: dict[str, Any], name: str | None = None) -> Study:
    """Check a configuration and build the study it names (or the one given).

    Raises
    ------
    InputError
        One sentence with the key, the value and what is allowed, for every mistake.
    """
    config = checked(config)
    name = name or config["study"]
    if name not in config["studies"]:
        raise InputError(f"config.yaml: study: {unknown('study', name, config['studies'])}")
    study, where = config["studies"][name], f"config.yaml: studies.{name}"
    check_networks(f"{where}.networks", study["networks"])
    check_datasets(f"{where}.datasets", study["datasets"])
    prepared = PreparedDatasets(where, study["datasets"])
    runs = tuple(_runs(where, study, prepared))
    _check_outside(f"{where}.out_of_distribution", study["out_of_distribution"], runs)
    _check_distinct(where, runs)
    _check_theory(f"{where}.theory", study["theory"])
    _check_left_out(f"{where}.leave_out", study["leave_out"])
    return Study(
        name=name,
        runs=runs,
        datasets=prepared.settings,
        attack=study["attack"],
        theory=study["theory"],
        layers=study["layers"],
        measured_epochs=study["measured_epochs"],
        sweep=_sweep(f"{where}.sweep", study["sweep"]),
        figures=drawn_figures(study, runs),
    )


def settings_of_runs(study: Study) -> list[dict[str, Any]]:
    """What `runs.csv` says: every run by the first columns of all tables, and every setting of it by its name.

    Options of networks and losses and the data's settings are called as in a grid, such as `network.width`.
    """
    rows = []
    for run in study.runs:
        key = {name: getattr(run, name) for name in ("dataset", "network", "loss", "variant", "seed")}
        if run.brings:
            key["brings"] = run.brings.kind
        if not run.has_network:
            rows.append(key | run.settings)
            continue
        options = {"architecture": run.architecture} | run.network_options
        parts = {"network": options, "dataset": study.datasets[run.data], "loss_options": run.settings["loss_options"]}
        settings = {name: value for name, value in run.settings.items() if name != "loss_options"}
        rows.append(key | settings | {f"{part}.{name}": v for part, of in parts.items() for name, v in of.items()})
    return rows


def _runs(where: str, study: dict[str, Any], prepared: PreparedDatasets) -> Iterator[Run]:
    """The runs of all seeds, in the order of the table; what they need prepared is added to `prepared`."""
    for parts, own in declared_runs(where, study):
        here = f"{where}.runs.{pair_name(*parts)}"
        brought = brought_by_seed(here, own, study)
        seeds = [*brought] or own.get("seeds", study["seeds"])
        if "features" in own:
            run = Run(*parts, seeds[0], "", "", settings_of_brought("features", own, study), {}, {})
        else:
            run = _run_with_network(where, study, parts, seeds[0], own, prepared)
        for seed in seeds:
            yield replace(run, seed=seed, brings=brought.get(seed))


def _run_with_network(
    where: str, study: dict[str, Any], parts: Parts, seed: int, own: dict[str, Any], prepared: PreparedDatasets
) -> Run:
    """A run that is trained, or brings its checkpoints."""
    dataset, network = parts[:2]
    here = f"{where}.runs.{pair_name(*parts)}"
    settings = _settings(where, study, parts, own)
    architecture, options = network_of_run(f"{here}.network", network, own.get("network", {}), study["networks"])
    varied = own.get("dataset", {})
    for key, value in varied.items():
        check_varied(f"{here}.dataset", f"dataset.{key}", value)
    data = prepared.of_run(dataset, varied)
    if size := prepared.sizes[data]:
        check_fit(here, architecture, 0 if kind_brought(own) else settings["batch_size"], size)
    outside = prepared.outside(study["out_of_distribution"], dataset, data)
    return Run(*parts, seed, data, architecture, settings, options, outside)


def _settings(where: str, study: dict[str, Any], parts: Parts, own: dict[str, Any]) -> dict[str, Any]:
    """The settings of a training, or those that measuring checkpoints from elsewhere needs."""
    pair = pair_name(*parts)
    here, brought = f"{where}.runs.{pair}", kind_brought(own)
    settings = settings_of_brought(brought, own, study) if brought else _settings_of_training(here, study, own)
    check_loss_options(f"{here}.loss_options", parts[2], settings["loss_options"])
    if not brought and study["measured_epochs"] > settings["epochs"]:
        found = f"{study['measured_epochs']} epochs can't be measured in a run of {settings['epochs']}"
        raise InputError(f"{where}.measured_epochs: {found}, {pair}.")
    return settings


def _settings_of_training(where: str, study: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    known = training_schema()
    given = study["training"] | {key: value for key, value in own.items() if key in known} | study["override"]
    settings = defaults(known) | given
    settings.setdefault("learning_rate_drops", default_drops(settings["epochs"]))
    check_schedule(f"{where}.", settings)
    return settings


def _check_outside(where: str, names: list[str], runs: tuple[Run, ...]) -> None:
    for name in names:
        if not any(name in run.outside for run in runs):
            why = "every run is trained on it; name another data set"
            if name == LEFT_OUT:
                why = "no run's data set leaves classes out; write `left_out_classes` in one"
            raise InputError(f"{where}: '{name}': {why}.")


def _check_distinct(where: str, runs: tuple[Run, ...]) -> None:
    seen = set()
    for run in runs:
        if run in seen:
            raise InputError(f"{where}: the run {run.pair} is there twice; give one of them another variant's name.")
        seen.add(run)


def _check_theory(where: str, systems: dict[str, dict[str, Any]]) -> None:
    for name, system in systems.items():
        if name in OTHER_TABLES:
            raise InputError(f"{where}.{name}: theory/{name}.csv is another table; choose another name.")
        least, most = system["classes"] - 1, system["classes"] * (system["examples_per_class"] - 1)
        if len(system["spectrum"]) != least or not least <= system["features"] <= most:
            raise InputError(
                f"{where}.{name}: needs {least} numbers in `spectrum` and from {least} to {most} features; "
                f"found {len(system['spectrum'])} and {system['features']}."
            )


def _check_left_out(where: str, figures: list[str]) -> None:
    for figure in figures:
        if figure not in known_figures():
            raise InputError(f"{where}: {unknown('figure', figure, known_figures())}")


def _sweep(where: str, given: dict[str, Any]) -> Sweep:
    sweep = Sweep(**given)
    if sweep.lowest >= sweep.highest:
        raise InputError(f"{where}: lowest, {sweep.lowest}, must be less than highest, {sweep.highest}.")
    return sweep
