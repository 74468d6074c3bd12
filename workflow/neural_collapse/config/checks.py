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

from ..errors import InputError, shortened
from .declarations import options_of_family, options_of_loss
from .settings import training_schema

_SCHEMA = Path(__file__).with_name("config.schema.yaml")


_LARGEST_FILE = 2**20  # bytes
_MOST_NODES = 100_000  # values, those behind an alias counted wherever it stands
_DEEPEST = 20  # levels; the schema has 7
# Plain words that YAML 1.1 reads as something else than what they look like: 010 is 8, 1:30 is 90, no is false.
_MISREAD = re.compile(
    r"[-+]?0[0-7_]+|[-+]?0[bx][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|"
    r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
)


def read_config(path: str | Path) -> dict[str, Any]:
    """Read config.yaml.

    Raises
    ------
    InputError
        Where it is missing, not YAML, gives a key twice or may be misread.
    """
    text = _text(Path(path))
    try:
        _check_nodes(path, yaml.compose(text, Loader=yaml.SafeLoader))
        config = yaml.safe_load(text)
    except InputError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        words = getattr(error, "problem", None) or str(error)
        raise InputError(f"{path}: {line}not valid YAML ({' '.join(words.split())}).") from None
    except RecursionError:
        raise InputError(f"{path}: tables and lists lie in each other too deep; no setting is so deep.") from None
    except (ValueError, OverflowError) as error:  # of a date such as 2024-99-99, or of a number of 5,000 digits
        raise InputError(f"{path}: a value can't be read ({' '.join(str(error).split())}); put it in quotes.") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: must be a table, with the keys study and studies.")
    return config


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: this is not a file.")
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{path}: has {path.stat().st_size} bytes, more than any configuration ({_LARGEST_FILE}).")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: line {line}: not in UTF-8; save it in that encoding.") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}).") from None


def _check_nodes(path: str | Path, root: yaml.Node | None) -> None:
    """Raise InputError for what YAML would read, but hardly as it was meant.

    Of a key that a table gives twice it takes the last, and says nothing; some plain words are not what they look like;
    and a few aliases of aliases are millions of values.
    """
    waiting = [] if root is None else [(root, 1)]
    for _ in range(_MOST_NODES):
        if not waiting:
            return
        node, depth = waiting.pop()
        line = f"{path}: line {node.start_mark.line + 1}:"
        if depth > _DEEPEST:
            raise InputError(f"{line} tables and lists lie in each other too deep; no setting is so deep.")
        if isinstance(node, yaml.ScalarNode):
            if node.style is None and _MISREAD.fullmatch(node.value):
                raise InputError(
                    f"{line} {shortened(node.value, 80)} may be misread; put a word in quotes, write a number without "
                    "leading zeros, colons and underscores, and true or false for a choice."
                )
            continue
        children = node.value
        if isinstance(node, yaml.MappingNode):
            _check_keys(path, node)
            children = [part for pair in node.value for part in pair]
        # The first is looked at first, so that the first mistake is the one named.
        waiting += [(child, depth + 1) for child in reversed(children)]
    raise InputError(f"{path}: has more than {_MOST_NODES} values, those that aliases repeat counted each time.")


def _check_keys(path: str | Path, table: yaml.MappingNode) -> None:
    given = set()
    for key, _ in table.value:
        line = f"{path}: line {key.start_mark.line + 1}:"
        if not isinstance(key, yaml.ScalarNode):
            raise InputError(f"{line} a key must be a word, not a list or a table.")
        if key.value in given:
            raise InputError(f"{line} the key '{shortened(key.value, 80)}' is there twice; keep one.")
        given.add(key.value)


def checked(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of a configuration with the schema's defaults filled in, but in `training`, which merges.

    Raises
    ------
    InputError
        For the first thing that the schema forbids.
    """
    config = _as_meant(config)
    # To the end, because defaults are filled in on the way.
    errors = list(_Validator(config_schema()).iter_errors(config))
    if errors:
        # Python walks sets in another order each time.
        first = min(errors, key=lambda error: ([str(part) for part in error.absolute_path], error.message))
        where = ".".join(shortened(str(part), 80) for part in first.absolute_path)
        raise InputError(f"config.yaml: {where + ': ' if where else ''}{_sentence(first)}")
    return config


def _as_meant(value: Any, key: str = "") -> Any:
    """A copy in which `5e-4` is a number, as everybody but YAML 1.1 (which wants `5.0e-4`) reads it.

    A whole number may be written `1e2` or `100.0`, and a key that YAML takes for a number is a name. What must be a
    string (a path such as `2024e5`) stays one. The order of keys says nothing.
    """
    if isinstance(value, dict):
        named = {str(name): _as_meant(item, str(name)) for name, item in value.items()}
        return {name: named[name] for name in sorted(named)}
    if isinstance(value, list):
        return [_as_meant(item) for item in value]
    if key == "study" and isinstance(value, int):  # one that is called 7
        return str(value)
    if isinstance(value, str) and key not in _TEXTS and _EXPONENTIAL.fullmatch(value):
        value = float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


_TEXTS = {"study", "data_root", "description", "source", "path"}
_EXPONENTIAL = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")


def defaults(properties: dict[str, Any]) -> dict[str, Any]:
    return {key: copy.deepcopy(value["default"]) for key, value in properties.items() if "default" in value}


@functools.cache
def config_schema() -> dict[str, Any]:
    """The schema of config.yaml, the settings of a training filled in from their one table."""
    found = yaml.safe_load(_SCHEMA.read_text(encoding="utf-8"))
    found["$defs"]["training"]["properties"] = training_schema()
    found["$defs"]["run"]["properties"] |= training_schema()
    return found


def definition(*place: str) -> dict[str, Any]:
    """A part of the configuration's schema by the names on the way there, such as "seed" or "system", "horizon"."""
    found = config_schema()["$defs"][place[0]]
    for name in place[1:]:
        found = found["properties"][name]
        if "$ref" in found:
            found = config_schema()["$defs"][found["$ref"].rpartition("/")[2]]
    return found


def mistake(value: Any, schema: dict[str, Any]) -> str | None:
    """What is wrong with a single value by its schema, one sentence; None where nothing is."""
    return next((_sentence(error) for error in _Validator(schema).iter_errors(value)), None)


def check_setting(where: str, value: Any, schema: dict[str, Any]) -> None:
    """Raise InputError, one sentence that begins with `where`, if a single value is not what its schema allows."""
    if found := mistake(value, schema):
        raise InputError(f"{where}: {found}")


def check_schedule(where: str, settings: dict[str, Any]) -> None:
    """Raise InputError, one sentence that begins with `where`, if the learning rate changes after the last epoch."""
    epochs, drops = settings["epochs"], settings["learning_rate_drops"]
    if drops and (max(drops) >= epochs or sorted(set(drops)) != drops):
        found = shortened(str(drops), 80)
        raise InputError(f"{where}learning_rate_drops: {found} must rise and end before the last epoch, {epochs}.")
    if settings["warmup_epochs"] >= epochs:
        raise InputError(f"{where}warmup_epochs: {settings['warmup_epochs']} must be less than the {epochs} epochs.")


_ANY_OPTION = {"type": ["string", "number", "boolean"]}


def check_network_options(where: str, family: str, options: dict[str, Any]) -> None:
    """Raise InputError, one sentence that begins with `where`, for an option that a family of networks has not."""
    allowed = options_of_family(family)
    if allowed is None:
        allowed = {key: _ANY_OPTION for key in options if key.isidentifier()}
    for key, value in options.items():
        if key not in allowed:
            raise InputError(f"{where}: {unknown('option', key, allowed)}")
        check_setting(f"{where}.{key}", value, allowed[key])


def check_loss_options(where: str, loss: str, options: dict[str, Any]) -> None:
    """Raise InputError, one sentence that begins with `where`, if these are not the options that a loss needs."""
    needed = options_of_loss(loss)
    if options.keys() != needed.keys():
        words = ", ".join(sorted(needed)) or "no options"
        raise InputError(f"{where}: '{loss}' needs {words}, found {', '.join(options) or 'none'}.")
    for key, value in options.items():
        check_setting(f"{where}.{key}", value, needed[key])


def _fill_defaults(validator, properties, instance, schema):
    # What a run leaves out its study says, and what that leaves out the table of settings.
    unfilled = [config_schema()["$defs"][name] for name in ("training", "run")]
    if isinstance(instance, dict) and not any(schema is one for one in unfilled):
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
    found = shortened(repr(value), 80)
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
            return f"{found} is not of type {wanted}."
        case "oneOf":
            allowed = " or ".join(_allowed(choice) for choice in wanted)
            return f"{found} is not allowed; it must be {allowed}."
        case "pattern":
            return f"{found} is not a {error.schema.get('title', 'name; use small letters, digits and underscores')}."
        case _:
            return f"{found} is not allowed; it must be {_allowed(error.schema)}."


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
        "maxItems": "at most {} long",
        "minLength": "at least {} long",
        "maxLength": "at most {} long",
        "minProperties": "at least {} long",
        "maxProperties": "at most {} long",
        "uniqueItems": "without repeats",
    }
    kinds = {"integer": "a whole number", "number": "a number", "array": "a list", "object": "a table"}
    kind = kinds.get(schema.get("type", ""), "a text")
    return " ".join(
        [kind, " and ".join(text.format(schema[key]) for key, text in words.items() if key in schema)]
    ).strip()


def unknown(kind: str, name: object, known: Iterable[object]) -> str:
    guess = difflib.get_close_matches(str(name)[:80], [str(k) for k in known], n=1)
    hint = f" (did you mean '{guess[0]}'?)" if guess else ""
    return f"no {kind} named '{shortened(str(name), 80)}'{hint}; known: {', '.join(str(k) for k in known) or 'none'}."
