"""Run any one step of the pipeline by hand, on files: `neural-collapse <step>`, or `python -m neural_collapse <step>`.

Every module of `neural_collapse.steps` is a step: `arguments(parser)` declares its flags and `run(options)` does the
work. Only the module of the chosen step is imported.
"""

import argparse
import ast
import importlib
import sys
from pathlib import Path

from .errors import InputError

_STEPS = Path(__file__).parent / "steps"


def main(arguments: list[str] | None = None) -> int:
    """Run the step that the arguments name, by default those of the command line; returns the exit status."""
    try:
        options = _parse(sys.argv[1:] if arguments is None else arguments)
        options.run(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("neural_collapse"):
            raise
        extras = "pip install 'neural-collapse[torch,figures]'"
        print(f"error: this step needs {error.name}, which is not installed; {extras} has all of it.", file=sys.stderr)
        return 1
    return 0


def _parse(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="neural-collapse", description=(__doc__ or "").partition("\n")[0])
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, summary in _summaries().items():
        step = steps.add_parser(name, help=summary, description=summary)
        if given and given[0] == name:
            module = importlib.import_module(f".steps.{name.replace('-', '_')}", __package__)
            module.arguments(step)
            step.set_defaults(run=module.run)
    return parser.parse_args(given)


def _summaries() -> dict[str, str]:
    """Every step and the first line of its docstring, read without importing it (an import would load torch)."""
    return {
        path.stem.replace("_", "-"): (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
        for path in sorted(_STEPS.glob("[!_]*.py"))
    }


if __name__ == "__main__":
    sys.exit(main())
