"""The data sets of a study: how each is prepared for its runs, and what is out of their distribution."""

from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from .checks import config_schema, defaults, unknown
from .declarations import known_sources, literals, modules, reads_path
from .names import LEFT_OUT, name_of_settings
from .sizes import DataSize, published_size


def check_datasets(where: str, declared: dict[str, dict[str, Any]]) -> None:
    """Raise InputError, one sentence that begins with `where`, for a data set of a study's table without a source."""
    for name, own in declared.items():
        if "source" not in own and name not in known_sources():
            raise InputError(f"{where}: {unknown('data set', name, known_sources())}")


@dataclass
class PreparedDatasets:
    """The data sets that are prepared for the runs of a study, collected run by run.

    `where` begins the sentence on a mistake, `declared` is the study's table of data sets. By the name of a data set as
    prepared, `settings` has its settings, defaults filled in, and `sizes` its size, None where that is not published.
    """

    where: str
    declared: dict[str, dict[str, Any]]
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    sizes: dict[str, DataSize | None] = field(default_factory=dict)

    def of_run(self, dataset: str, own: dict[str, Any]) -> str:
        """The name of a run's data as prepared: the data set's, and behind a hyphen the settings of the run's `own`."""
        data = "-".join([dataset, *([name_of_settings(own)] if own else [])])
        self._add(data, dataset, self._settings_of(dataset, own))
        return data

    def outside(self, names: list[str], dataset: str, data: str) -> dict[str, str]:
        """What of `names` is out of the distribution of a run's `data`, prepared of `dataset`: each as prepared.

        Classes left out are prepared with all others: whoever looks at them drops those that the run's own data have.
        """
        found = {}
        for name in names:
            if name == LEFT_OUT and self.settings[data]["left_out_classes"]:
                whole = dict.fromkeys(("imbalance", "imbalance_profile", "label_noise")) | {"left_out_classes": []}
                found[name] = self._add(f"{data}-{LEFT_OUT}", name, self.settings[data] | whole)
            elif name in (LEFT_OUT, dataset):
                continue
            elif name in self.declared or name in known_sources():
                found[name] = self._add(name, name, self._settings_of(name, {}))
            else:
                known = [*self.declared, *known_sources(), LEFT_OUT]
                raise InputError(f"{self.where}.out_of_distribution: {unknown('data set', name, known)}")
            self._check_alike(dataset, data, name, found[name])
        return found

    def _settings_of(self, name: str, own: dict[str, Any]) -> dict[str, Any]:
        """The settings of one data set, the defaults of its module filled in; `own` come before the study's."""
        where, given = f"{self.where}.datasets.{name}", self.declared.get(name, {}) | own
        source = given.get("source", name)
        if source not in modules("data.sources"):
            raise InputError(f"{where}: {unknown('source', source, [*known_sources(), 'arrays', 'folder'])}")
        if reads_path(source) and "path" not in given:
            raise InputError(f"{where}: a data set from `{source}` needs a `path`.")
        if "path" in given and not reads_path(source):
            raise InputError(
                f"{where}.path: `{source}` reads no path; take it out, or add `source: arrays` or `folder`."
            )
        declared = literals(f"data.sources.{source}")
        imbalanced = "imbalance" in given
        if imbalanced and given.get("train_per_class", declared["TRAIN_PER_CLASS"]) == "all":
            raise InputError(
                f"{where}.imbalance: needs a number as `train_per_class`, the examples of the largest class."
            )
        if "imbalance_profile" in given and not imbalanced:
            raise InputError(f"{where}.imbalance_profile: needs `imbalance`, the ratio; add it or take this out.")
        of_source = {
            "source": source,
            "path": None,
            "train_per_class": declared["TRAIN_PER_CLASS"],
            "test_per_class": None,
            "resize": None,
            "padding": declared["PADDING"],
            "left_out_classes": [],
            "imbalance": None,
            "imbalance_profile": "long_tailed" if imbalanced else None,
            "label_noise": None,
        }
        return of_source | defaults(config_schema()["$defs"]["dataset"]["properties"]) | given

    def _add(self, prepared: str, name: str, settings: dict[str, Any]) -> str:
        if prepared not in self.settings:
            self.settings[prepared] = settings
            self.sizes[prepared] = published_size(settings, f"{self.where}.datasets.{name}")
        return prepared

    def _check_alike(self, dataset: str, data: str, name: str, prepared: str) -> None:
        seen, shown = self.sizes[data], self.sizes[prepared]
        if seen and shown and (seen.channels, seen.image_size) != (shown.channels, shown.image_size):
            raise InputError(
                f"{self.where}.out_of_distribution: the images of '{name}' are {_pixels(shown)}, but the networks of "
                f"'{dataset}' see {_pixels(seen)}; set `resize` or `padding` of {name}, or take it out."
            )


def _pixels(size: DataSize) -> str:
    return f"{size.channels}x{size.image_size}x{size.image_size}"
