"""Any classifier of torchvision.models by its name, with torchvision's own options and initialisation.

`weights` starts from trained ones: a name that torchvision publishes them by, such as IMAGENET1K_V1 (downloaded), or a
file of the model's own weights.
"""

import inspect
from typing import Any

from ...errors import InputError
from ...vision import torchvision
from ._foreign import load_weights, renew_classifier, take_apart
from ._network import Network

OPTIONS = None  # whatever the model takes


def build(name: str, *, in_channels: int, classes: int, image_size: int, weights: str = "", **options: Any) -> Network:
    """Build torchvision's model, and take it apart.

    Auxiliary classifiers (GoogLeNet, Inception) are left out: they would add terms to the loss.

    Raises
    ------
    InputError
        Where torchvision has no classifier of that name or with such options or weights, where the model doesn't end in
        a linear layer, and where it can't take the images (most want three channels, some a size of their own).
    """
    models = torchvision.models
    known = models.list_models(module=models)
    if name not in known:
        raise InputError(
            f"no network named {name!r}; known: a depth of vgg, resnet or densenet, such as vgg11, and the classifiers "
            f"of torchvision.models: {', '.join(known)}."
        )
    _check_options(name, options)
    published = weights == "DEFAULT" or weights in models.get_model_weights(name).__members__
    fixed: dict[str, Any] = {"weights": weights} if published else {"weights": None, "num_classes": classes}
    if name in ("googlenet", "inception_v3"):
        # Published weights come with auxiliary classifiers, which torchvision takes off by itself.
        fixed |= {} if published else {"aux_logits": False, "init_weights": True}
    try:
        model = models.get_model(name, **fixed, **options)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise InputError(
            f"{name}: torchvision does not build it with {given} ({' '.join(str(error).split())})."
        ) from None
    except OSError as error:
        raise InputError(f"{name}.weights: {weights} can't be downloaded ({error}); name a file instead.") from None
    if published:
        renew_classifier(model, classes)
    elif weights:
        load_weights(model, name, weights)
    return take_apart(model, name, in_channels=in_channels, classes=classes, image_size=image_size)


def _check_options(name: str, options: dict[str, Any]) -> None:
    """Raise InputError for an option that is no parameter in the model's file: some models take any, and ignore it."""
    module = inspect.getmodule(torchvision.models.get_model_builder(name))
    parts = [part for _, part in inspect.getmembers(module, callable) if part.__module__ == module.__name__]
    known = {parameter for part in parts for parameter in inspect.signature(part).parameters}
    for option in options:
        if option not in known:
            raise InputError(
                f"{name}: no option named '{option}' in torchvision's {module.__name__.rpartition('.')[2]}."
            )
