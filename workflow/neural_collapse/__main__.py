"""Run any one step of the pipeline by hand, on files: `neural-collapse <step>`, or `python -m neural_collapse <step>`.

Every module of `neural_collapse.steps` is a step: `arguments(parser)` declares its flags and `run(options)` does the
work. Only the module of the chosen step is imported.
"""

import argparse
import ast
import importlib
import re
import sys
from pathlib import Path
from typing import NoReturn

from .errors import InputError, printable

_STEPS = Path(__file__).parent / "steps"


def main(arguments: list[str] | None = None) -> int:
    """Run the step that the arguments name, by default those of the command line; returns the exit status."""
    try:
        options = _parse(sys.argv[1:] if arguments is None else arguments)
        options.run(options)
    except InputError as error:
        return _refuse(str(error))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("neural_collapse"):
            raise
        extras = "pip install 'neural-collapse[torch,figures]'"
        return _refuse(f"this step needs {error.name}, which is not installed; {extras} has all of it.")
    except OSError as error:  # a file that can't be written, a full disk
        return _refuse(f"{error.filename or 'a file'}: {error.strerror or error}.")
    except UnicodeEncodeError as error:  # a file's name may hold any bytes, what is written of it may not
        return _refuse(f"{error.object}: no text in UTF-8; give it another name.")
    except (MemoryError, RuntimeError) as error:  # torch has errors of its own, for a GPU's memory and the machine's
        if isinstance(error, RuntimeError) and not re.search("out of memory|can't allocate memory", str(error)):
            raise
        return _refuse("there is not enough memory for data of this size.")
    return 0


def _parse(given: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="neural-collapse", description=(__doc__ or "").partition("\n")[0])
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, summary in _summaries().items():
        step = steps.add_parser(name, help=summary, description=summary)
        if given and given[0] == name:
            module = importlib.import_module(f".steps.{name.replace('-', '_')}", __package__)
            module.arguments(step)
            step.set_defaults(run=module.run)
    return parser.parse_args(given)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors, too, are one line."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def _refuse(sentence: str) -> int:
    print(f"error: {printable(sentence)}", file=sys.stderr)
    return 1


def _summaries() -> dict[str, str]:
    """Every step and the first line of its docstring, read without importing it (an import would load torch)."""
    return {
        path.stem.replace("_", "-"): (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
        for path in sorted(_STEPS.glob("[!_]*.py"))
    }


if __name__ == "__main__":
    sys.exit(main())
