"""What the steps that train share: their flags, their progress, how they continue."""

import argparse
import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

from ..datasets import read_dataset
from ..resume import WorkingFolder, locked
from ..training import EpochRecord, Training, TrainingSettings, prepare_device
from ._options import key_value
from ._stopping import stop_argument, stop_requests


def training_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, type=Path, help="the prepared data set")
    parser.add_argument("--network", required=True, help="the network's name, such as vgg11")
    parser.add_argument(
        "--network-options", nargs="*", default=[], type=key_value, metavar="KEY=VALUE", help="such as width=0.125"
    )
    parser.add_argument("--loss", required=True, help="the loss: mse, ce or scaled_mse")
    parser.add_argument(
        "--loss-options", nargs="*", default=[], type=key_value, metavar="KEY=VALUE", help="such as target_value=10"
    )
    parser.add_argument("--epochs", required=True, type=int, help="passes over the train set")
    parser.add_argument("--batch-size", required=True, type=int, help="examples a step")
    parser.add_argument(
        "--learning-rate-drops",
        nargs="*",
        default=[],
        type=int,
        metavar="EPOCH",
        help="epochs after which the learning rate drops tenfold",
    )
    parser.add_argument("--warmup-epochs", required=True, type=int, help="epochs over which the learning rate rises")
    parser.add_argument("--momentum", required=True, type=float, help="of stochastic gradient descent")
    parser.add_argument("--weight-decay", required=True, type=float, help="on all parameters")
    parser.add_argument(
        "--precision",
        required=True,
        choices=("float32", "tf32", "bfloat16"),
        help="arithmetic on a GPU (a CPU computes in float32)",
    )
    parser.add_argument("--seed", required=True, type=int, help="decides the initial weights and the order of examples")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads; part of the result")
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


def training_settings(options: argparse.Namespace, learning_rate: float) -> TrainingSettings:
    return TrainingSettings(
        network=options.network,
        network_options=dict(options.network_options),
        loss=options.loss,
        loss_options=dict(options.loss_options),
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=learning_rate,
        learning_rate_drops=options.learning_rate_drops,
        warmup_epochs=options.warmup_epochs,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        precision=options.precision,
        seed=options.seed,
    )


@contextlib.contextmanager
def working_training(
    options: argparse.Namespace, settings: TrainingSettings, measured: list[int]
) -> Iterator[tuple[Training, WorkingFolder]]:
    """Give a training at its start, and the folder `--resume`, locked, that holds where the last one was killed.

    Raises InputError in between once the training is asked to stop.
    """
    device = prepare_device(settings.precision, options.threads)
    with locked(options.resume), stop_requests(options.stop_with_parent) as check:
        training = Training(read_dataset(options.data), settings, device, between_batches=check)
        with open(options.data, "rb") as file:
            data = hashlib.file_digest(file, "sha256").hexdigest()
        identity = asdict(settings) | {
            "measured_epochs": measured,
            "threads": options.threads,
            "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
            "torch": torch.__version__,
            "code_version": options.code_version,
            "data": data,
        }
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
