"""The configuration file read and held against its schema: one sentence for every mistake."""

import copy
import difflib
import functools
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from ..errors import InputError
from .settings import training_schema

_SCHEMA = Path(__file__).with_name("config.schema.yaml")


def read_config(path: str | Path) -> dict[str, Any]:
    """Read config.yaml; raises InputError where it is missing, not YAML, or gives a key twice."""
    try:
        text = Path(path).read_text()
        config = yaml.safe_load(text)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())}).") from None
    _check_keys(path, yaml.compose(text))
    return config


def _check_keys(path: str | Path, node: yaml.Node | None) -> None:
    """Raise InputError where a table gives a key twice: of two such values YAML takes the last, and says nothing."""
    if isinstance(node, yaml.MappingNode):
        given = set()
        for key, value in node.value:
            if key.value in given:
                raise InputError(
                    f"{path}: line {key.start_mark.line + 1}: the key '{key.value}' is there twice; keep one."
                )
            given.add(key.value)
            _check_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(path, item)


def checked(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of a configuration with the schema's defaults filled in, but in `training`, which merges.

    Raises InputError for the first thing that the schema forbids.
    """
    config = _as_meant(config)
    # To the end, because defaults are filled in on the way.
    errors = list(_Validator(config_schema()).iter_errors(config))
    if errors:
        where = ".".join(str(part) for part in errors[0].absolute_path)
        raise InputError(f"config.yaml: {where + ': ' if where else ''}{_sentence(errors[0])}")
    return config


def _as_meant(value: Any) -> Any:
    """A copy in which `5e-4` is a number, as everybody but YAML 1.1 (which wants `5.0e-4`) reads it.

    A whole number may be written `1e2` or `100.0`, and a key that YAML takes for a number is a name.
    """
    if isinstance(value, dict):
        return {str(key): _as_meant(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_meant(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+", value):
        value = float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def defaults(properties: dict[str, Any]) -> dict[str, Any]:
    return {key: copy.deepcopy(value["default"]) for key, value in properties.items() if "default" in value}


@functools.cache
def config_schema() -> dict[str, Any]:
    """The schema of config.yaml, the settings of a training filled in from their one table."""
    found = yaml.safe_load(_SCHEMA.read_text(encoding="utf-8"))
    found["$defs"]["training"]["properties"] = training_schema()
    return found


def check_setting(where: str, value: Any, schema: dict[str, Any]) -> None:
    """Raise InputError, one sentence that begins with `where`, if a single value is not what its schema allows."""
    for error in _Validator(schema).iter_errors(value):
        raise InputError(f"{where}: {_sentence(error)}")


def _fill_defaults(validator, properties, instance, schema):
    if isinstance(instance, dict) and schema is not config_schema()["$defs"]["training"]:
        for key, default in defaults(properties).items():
            instance.setdefault(key, default)
    yield from jsonschema.Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)


def _is_number(checker, value):
    return checker.is_type(value, "integer") or (isinstance(value, float) and math.isfinite(value))


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"properties": _fill_defaults},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("number", _is_number),
)


def _sentence(error: jsonschema.ValidationError) -> str:
    value, wanted = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known = error.schema["properties"]
            return unknown("key", next(key for key in value if key not in known), known)
        case "required":
            return f"the key '{next(key for key in wanted if key not in value)}' is missing."
        case "enum":
            return unknown("choice", value, wanted)
        case "type" if value is None and wanted == "object":
            return "there is nothing; write {} where nothing differs from the defaults."
        case "type":
            return f"{value!r} is not of type {wanted}."
        case "oneOf":
            allowed = " or ".join(_allowed(choice) for choice in wanted)
            return f"{value!r} is not allowed; it must be {allowed}."
        case "pattern":
            return f"{value!r} is not a name; use small letters, digits and underscores."
        case _:
            return f"{value!r} is not allowed; it must be {_allowed(error.schema)}."


def _allowed(schema: dict[str, Any]) -> str:
    """What a piece of the schema allows, in words."""
    if "const" in schema:
        return f"'{schema['const']}'"
    words = {
        "minimum": "at least {}",
        "maximum": "at most {}",
        "exclusiveMinimum": "more than {}",
        "exclusiveMaximum": "less than {}",
        "minItems": "at least {} long",
        "minProperties": "at least {} long",
        "uniqueItems": "without repeats",
    }
    kind = {"integer": "a whole number", "number": "a number", "array": "a list", "object": "a table"}[schema["type"]]
    return " ".join(
        [kind, " and ".join(text.format(schema[key]) for key, text in words.items() if key in schema)]
    ).strip()


def unknown(kind: str, name: object, known: Iterable[object]) -> str:
    guess = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
    hint = f" (did you mean '{guess[0]}'?)" if guess else ""
    return f"no {kind} named '{name}'{hint}; known: {', '.join(str(k) for k in known) or 'none'}."
