"""Take the weights of a network that was trained elsewhere, as the checkpoints of a run."""

import argparse
from pathlib import Path

from ..config.checks import check_setting
from ..errors import InputError
from ..storage import read_json
from ..train import networks
from ..train.checkpoints import write_checkpoint
from ..train.elsewhere import load_into, read_weights
from ._brought import brought_arguments, files_by_epoch
from ._options import key_value

_IMAGE = {"type": "array", "minItems": 3, "maxItems": 3, "items": {"type": "integer", "minimum": 1}}


def arguments(parser: argparse.ArgumentParser) -> None:
    brought_arguments(parser)
    parser.add_argument("--files", required=True, type=Path, metavar="JSON", help="of `find-files`")
    parser.add_argument("--card", required=True, type=Path, help="of the data set that the network was trained on")
    parser.add_argument("--network", required=True, help="the network's name, such as resnet18, or module:function")
    parser.add_argument("--network-options", nargs="*", default=[], type=key_value, metavar="KEY=VALUE")
    parser.add_argument("--output", required=True, nargs="+", type=Path, help="the checkpoints, one an epoch")


def run(options: argparse.Namespace) -> None:
    with files_by_epoch(options, options.files) as found:
        _take(_by_epoch(found, options.run_name), options)


def _take(files: dict[int, Path], options: argparse.Namespace) -> None:
    if len(files) != len(options.output):
        raise InputError(f"--output: {len(options.output)} checkpoints can't hold {len(files)} epochs.")
    card = read_json(options.card, "a data set's card", "image", "classes")
    check_setting(f"{options.card}: image", card["image"], _IMAGE)
    channels, image_size, _ = card["image"]
    size = {"in_channels": channels, "classes": len(card["classes"]), "image_size": image_size}
    given = dict(options.network_options)
    given.pop("weights", None)  # those of the files take their place
    architecture = {"name": options.network, **size, "options": given}
    network = networks.build(options.network, seed=0, **size, **given).eval()
    for (epoch, path), output in zip(files.items(), options.output, strict=True):
        load_into(network, read_weights(path), path)
        write_checkpoint(output, network, epoch=epoch, architecture=architecture)
        print(f"epoch {epoch}: {path}", flush=True)


def _by_epoch(found: dict[int | None, list[Path]], name: str) -> dict[int, Path]:
    """Each file by its epoch, from 1 on; where epochs are counted from 0, each is one more."""
    by_epoch: dict[int, Path] = {}
    for epoch, paths in found.items():
        if epoch is not None and len(paths) > 1:
            raise InputError(f"{name}: {paths[0]} and {paths[1]} are of one epoch; give a file an epoch.")
        for path in paths:
            of = read_weights(path).epoch if epoch is None else epoch
            if of is None and sum(map(len, found.values())) > 1:
                raise InputError(f"{path}: of which epoch it is, it doesn't say; write {{epoch}} where its name does.")
            of = 1 if of is None else of
            if of in by_epoch:
                raise InputError(f"{name}: {by_epoch[of]} and {path} are both of epoch {of}; keep one.")
            by_epoch[of] = path
    shift = int(min(by_epoch) == 0)
    if shift:
        print(f"{name}: epochs are counted from 0, and from 1 here: each is one more", flush=True)
    return {epoch + shift: by_epoch[epoch] for epoch in sorted(by_epoch)}
