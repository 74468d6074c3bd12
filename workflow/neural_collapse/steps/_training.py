"""What the steps that train share: their flags, their signals, their progress."""

import argparse
import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from ..errors import InputError
from ..training import EpochRecord, Training, TrainingSettings
from ._options import key_value


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
        "--stop-with-parent", action="store_true", help="stop once the process that started this one is gone"
    )


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
def stop_requests(with_parent: bool) -> Iterator[Callable[[], None]]:
    """Give a function that raises InputError once SIGTERM or SIGINT arrived, or the parent process is gone.

    Until it is called nothing is stopped, so that no step of training and no file is left half done.
    """
    parent = os.getppid()
    received = []
    before = {number: signal.signal(number, lambda *call: received.append(call[0])) for number in _STOP_SIGNALS}

    def check() -> None:
        if received:
            raise InputError(f"stopped by {signal.Signals(received[0]).name}; repeat the command to go on.")
        if with_parent and os.getppid() != parent:
            raise InputError("stopped, because the process that started this training is gone.")

    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def train_epochs(training: Training, first: int) -> Iterable[EpochRecord]:
    """Train from epoch `first` to the last, showing the progress: a bar on a terminal, else a line an epoch."""
    epochs = training.settings.epochs
    print(f"{first - 1} of {epochs} epochs are done; training on {training.device} in {training.precision}", flush=True)
    with tqdm(total=epochs, initial=first - 1, unit="epoch", disable=None) as bar:
        for epoch in range(first, epochs + 1):
            record = training.train_epoch(epoch)
            line = (
                f"learning rate {record.learning_rate:.3g}, train loss {record.train_loss:.3e}, "
                f"train error {record.train_error:.2%}, test error {record.test_error:.2%}"
            )
            bar.set_postfix_str(line, refresh=False)
            bar.update()
            if bar.disable:
                print(f"epoch {epoch}/{epochs}: {line}", flush=True)
            yield record
