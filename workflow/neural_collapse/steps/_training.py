"""What the steps that train share: their flags, their progress, how they continue."""

import argparse
import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

import torch
from tqdm import tqdm

from ..config.checks import check_schedule, check_setting
from ..config.settings import TrainingSettings, training_schema
from ..data.dataset import read_dataset
from ..device import keep_freed_memory, prepare_device
from ..storage import read_json
from ..train.resume import WorkingFolder, locked
from ..train.training import EpochRecord, Training
from ._options import key_value, setting
from ._stopping import stop_argument, stop_requests


def training_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare a flag for every setting of a training but the learning rate: each step has its own for that."""
    parser.add_argument("--data", required=True, type=Path, help="the prepared data set")
    parser.add_argument("--network", required=True, help="the network's name, such as vgg11")
    _options_argument(parser, "--network-options", "such as width=0.125")
    parser.add_argument("--loss", required=True, help="the loss, such as mse or ce")
    parser.add_argument(
        "--seed", required=True, type=setting("seed"), help="decides the initial weights and the order of examples"
    )
    for name, schema in training_schema().items():
        flag = f"--{name.replace('_', '-')}"
        if schema.get("type") == "object":
            _options_argument(parser, flag, schema["description"])
        elif name != "learning_rate":
            parser.add_argument(flag, **_argument(schema))
    parser.add_argument(
        "--resume",
        required=True,
        type=Path,
        metavar="DIR",
        help="the folder to work in; a killed training continues there, and it may be deleted after a complete one",
    )
    parser.add_argument(
        "--code-version", required=True, help="names the code; a training begun by another is not continued"
    )
    stop_argument(parser)


def learning_rate_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of which one gives the learning rate."""
    rate = parser.add_mutually_exclusive_group(required=True)
    rate.add_argument("--learning-rate", type=float, help="the learning rate before any drop")
    rate.add_argument("--learning-rate-from", type=Path, metavar="CHOICE", help="a file of `choose-learning-rate`")


def given_learning_rates(options: argparse.Namespace) -> list[float]:
    """The rate that the flags give, or those of the choice that they name.

    Raises
    ------
    InputError
        Where that is no choice.
    """
    if options.learning_rate is not None:
        return [options.learning_rate]
    kind = "a file of `choose-learning-rate`"
    rates = read_json(options.learning_rate_from, kind, "learning_rates")["learning_rates"]
    check_setting(f"{options.learning_rate_from}: learning_rates", rates, _RATES)
    return rates


def _options_argument(parser: argparse.ArgumentParser, flag: str, words: str) -> None:
    parser.add_argument(flag, nargs="*", default=[], type=key_value, metavar="KEY=VALUE", help=words)


def _argument(schema: dict) -> dict:
    """What argparse has to be told of a setting: its type, whether it is a list, what may be chosen, its words."""
    words = schema["description"].replace("%", "%%")
    if "enum" in schema:
        return {"required": True, "choices": schema["enum"], "help": words}
    if schema["type"] == "array":
        return {"nargs": "*", "default": [], "type": _TYPES[schema["items"]["type"]], "help": words}
    return {"required": True, "type": _TYPES[schema["type"]], "help": words}


def _boolean(text: str) -> bool:
    if text not in ("True", "False", "true", "false"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")
    return text.lower() == "true"


_RATES = {"type": "array", "minItems": 1, "items": {"type": "number", "exclusiveMinimum": 0}}
_TYPES = {"integer": int, "number": float, "string": str, "boolean": _boolean}


def training_settings(options: argparse.Namespace, learning_rate: float) -> TrainingSettings:
    """The settings that the flags give.

    Raises
    ------
    InputError
        Where one is out of its bounds.
    """
    given = vars(options) | {"learning_rate": learning_rate}
    given |= {name: dict(given[name]) for name in ("network_options", "loss_options")}
    for name, schema in training_schema().items():
        # The configuration may also say `sweep`.
        schema = schema["oneOf"][0] if name == "learning_rate" else schema
        check_setting(f"--{name.replace('_', '-')}", given[name], schema)
    check_schedule("--", given)
    return TrainingSettings(**{entry.name: given[entry.name] for entry in fields(TrainingSettings)})


@contextlib.contextmanager
def working_training(
    options: argparse.Namespace, settings: TrainingSettings, measured: list[int]
) -> Iterator[tuple[Training, WorkingFolder]]:
    """Give a training at its start, and the folder `--resume`, locked, that holds where the last one was killed.

    Raises
    ------
    InputError
        In between once the training is asked to stop.
    """
    device = prepare_device(settings.precision, settings.threads)
    keep_freed_memory()
    with stop_requests(options.stop_with_parent) as check:
        # Before the folder is made: what does not fit leaves nothing behind.
        training = Training(read_dataset(options.data), settings, device, between_batches=check)
        with open(options.data, "rb") as file:
            data = hashlib.file_digest(file, "sha256").hexdigest()
        identity = asdict(settings) | {
            "measured_epochs": measured,
            "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
            "torch": torch.__version__,
            "code_version": options.code_version,
            "data": data,
        }
        with locked(options.resume):
            yield training, WorkingFolder(options.resume, identity, measured)


def train_epochs(training: Training, folder: WorkingFolder) -> Iterator[EpochRecord]:
    """Give the epochs that the folder has kept, then train the others, and keep each.

    Shows the progress: a bar on a terminal, else a line an epoch.
    """
    epochs = training.settings.epochs
    history = folder.restore(training)
    done = len(history)
    print(f"{done} of {epochs} epochs are done; training on {training.device} in {training.precision}", flush=True)
    yield from history
    with tqdm(total=epochs, initial=done, unit="epoch", disable=None) as bar:
        for epoch in range(done + 1, epochs + 1):
            record = training.train_epoch(epoch)
            history.append(record)
            folder.keep(training, history)
            line = (
                f"learning rate {record.learning_rate:.3g}, train loss {record.train_loss:.3e}, "
                f"train error {record.train_error:.2%}, test error {record.test_error:.2%}"
            )
            bar.set_postfix_str(line, refresh=False)
            bar.update()
            if bar.disable:
                print(f"epoch {epoch}/{epochs}: {line}", flush=True)
            yield record
