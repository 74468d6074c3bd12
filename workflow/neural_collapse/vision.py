"""Makes torchvision importable beside any torch, for whoever imports it after this module.

torchvision's compiled operators are built for one build of torch and do not load beside another, for example PyPI's
CUDA build of torchvision beside a CPU-only torch. `import torchvision`, and so that of timm or torchmetrics, then fails
with "operator torchvision::nms does not exist" (pytorch/vision issues 9077 and 9085), though neither its data sets nor
its classifiers need an operator. Declaring the two operators that it registers itself at import is enough.
"""

import importlib.util
from pathlib import Path
from typing import Any

import torch


def _operators_load() -> bool:
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return True  # nobody will miss them
    try:
        for extension in Path(found.origin).parent.glob("_C.*"):
            torch.ops.load_library(extension)
    except OSError:
        return False
    return True


if not _operators_load():
    # The declarations vanish with the object that made them, so the module keeps it.
    _declarations = torch.library.Library("torchvision", "DEF")
    for _operator in ("nms", "qnms"):
        _declarations.define(f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def __getattr__(name: str) -> Any:
    """Torchvision itself, once it is asked for: `from neural_collapse.vision import torchvision`."""
    if name != "torchvision":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import torchvision

    return torchvision
