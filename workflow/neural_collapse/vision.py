"""torchvision, importable beside any torch: use `from neural_collapse.vision import torchvision`.

torchvision's compiled operators are built for one build of torch and do not load beside another, for example PyPI's
CUDA build of torchvision beside a CPU-only torch. `import torchvision` then fails with "operator torchvision::nms does
not exist" (pytorch/vision issues 9077 and 9085), though neither its data sets nor its classifiers need an operator.
Declaring the two operators that it registers itself at import is enough.
"""

import importlib.util
from pathlib import Path

import torch


def _operators_load() -> bool:
    package = Path(importlib.util.find_spec("torchvision").origin).parent
    try:
        for extension in package.glob("_C.*"):
            torch.ops.load_library(extension)
    except OSError:
        return False
    return True


if not _operators_load():
    # The declarations vanish with the object that made them, so the module keeps it.
    _declarations = torch.library.Library("torchvision", "DEF")
    for _operator in ("nms", "qnms"):
        _declarations.define(f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import torchvision  # noqa: E402

__all__ = ["torchvision"]
