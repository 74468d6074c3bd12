"""Adversarial robustness (figures 9 and 11): how far an image has to move before the network decides otherwise."""

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

# Images whose gradients are taken at a time: of each, the largest network studied (DenseNet250) keeps 0.35 GB for them.
# Of smaller images more go at once, up to this many pixels.
_AT_ONCE = 25
_PIXELS_AT_ONCE = _AT_ONCE * 32 * 32

# The share by which DDN's radius shrinks or grows at each step (Rony et al. 2019, gamma), and halvings of a bisection.
_DDN_RATE = 0.05
_HALVINGS = 16

# The norm of an image that is nothing but rounding: a quarter of one grey level, 1/255, of a single pixel.
_BLACK = 1e-3


def choose_images(available: int, count: int, *, seed: int) -> np.ndarray:
    """Choose which of `available` test images are attacked: (count,) int64, ascending, without replacement.

    All of them, where there are fewer than `count`. One seed chooses the same images of a data set for every network,
    loss and epoch, so that differences between their robustness are not differences between images.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    return np.sort(generator.choice(available, min(count, available), replace=False))


def deepfool(
    network: Callable[[Tensor], Tensor], images: Tensor, *, iterations: int, overshoot: float
) -> tuple[Tensor, Tensor]:
    """Find for each image a small perturbation that changes the network's prediction: DeepFool in the l2 norm.

    A network linearised at the current point has flat decision boundaries: step to the nearest one, and repeat from
    there until the prediction differs from the one of the unperturbed image. As in the authors' own code, the
    prediction is looked at, and the next step taken, at `1 + overshoot` times the sum of the steps, and that is the
    perturbation returned; their constant 1e-4 added to the length of every step is left out. Images don't influence
    each other: each leaves the batch as soon as it is fooled.

    The prediction to change is the network's own, whatever the label: a misclassified image is as far from being
    classified otherwise as any other.

    Parameters
    ----------
    network: a map of images (N, ...) to logits (N, C), each image by itself (in `eval()` mode).
    images: (N, ...) float, as the network sees them (standardised); they are never clipped.
    iterations: the most steps an image takes.
    overshoot: the share by which the boundary is overstepped.

    Returns
    -------
    The perturbations (like `images`), and which of them change the prediction: (N,) bool. Where one does not,
    it is what the last step left, and no measure of robustness.

    Source: Moosavi-Dezfooli, Fawzi, Frossard, "DeepFool: a simple and accurate method to fool deep neural networks",
    CVPR 2016 (arXiv 1511.04599), algorithm 2.
    """
    perturbations = torch.zeros_like(images)
    with torch.no_grad():
        predicted = network(images).argmax(1)
    unfooled = torch.arange(len(images), device=images.device)
    for _ in range(iterations):
        clean, class_ = images[unfooled], predicted[unfooled]
        perturbation = perturbations[unfooled]
        at_once = _images_at_once(images)
        batches = zip((clean + perturbation).split(at_once), class_.split(at_once), strict=True)
        step = torch.cat([_nearest_boundary(network, points, classes) for points, classes in batches])
        perturbation += (1 + overshoot) * step
        perturbations[unfooled] = perturbation
        # Looking first, without a graph, costs a twentieth of a step and spares the fooled images the C-1 gradients.
        with torch.no_grad():
            unfooled = unfooled[network(clean + perturbation).argmax(1) == class_]
        if len(unfooled) == 0:
            break
    fooled = torch.ones(len(images), dtype=torch.bool, device=images.device)
    fooled[unfooled] = False
    return perturbations, fooled


def _nearest_boundary(network: Callable[[Tensor], Tensor], points: Tensor, class_: Tensor) -> Tensor:
    """The shortest way from each point to where the linearised network prefers a class other than `class_` (N,).

    For class k it is -f_k w_k/‖w_k‖² with f_k the difference of the logits of k and `class_`, and w_k its gradient.
    One forward pass, then one pass back for each of the C-1 differences of the whole batch: on a CPU no slower than
    all of them at once (vmap), in a ninth of the memory for ten classes.
    """
    points = points.detach().requires_grad_()
    logits = network(points)
    classes = logits.shape[1]
    nearest = torch.full(class_.shape, math.inf, dtype=points.dtype, device=points.device)
    step = torch.zeros_like(points, requires_grad=False)
    for shift in range(1, classes):
        other = (class_ + shift) % classes
        difference = (logits.gather(1, other[:, None]) - logits.gather(1, class_[:, None])).squeeze(1)
        (gradient,) = torch.autograd.grad(difference.sum(), points, retain_graph=shift < classes - 1)
        norm = gradient.flatten(1).norm(dim=1)
        distance = difference.detach().abs() / norm
        nearer = distance < nearest  # never where the gradient vanishes: the distance is infinite or NaN
        nearest = torch.where(nearer, distance, nearest)
        # Any difference is at most 0 until the image is fooled, so the way to the boundary is up the gradient.
        step = torch.where(_per_image(nearer, points), _per_image(distance / norm, points) * gradient, step)
    return step


def ddn(
    network: Callable[[Tensor], Tensor], images: Tensor, radius: Tensor, *, steps: int = 200
) -> tuple[Tensor, Tensor]:
    """The least perturbation in the l2 norm found by decoupling direction and norm: DDN, on the margin.

    Ascends the margin max_{k != c} f_k - f_c of the network's own prediction c, on a sphere whose radius shrinks by 5 %
    after every step that changes the prediction and grows by 5 % after every other. A step is as long as `radius` at
    first and a hundredth of it at last (cosine). As the margin doesn't saturate, neither do its gradients.

    Parameters
    ----------
    network: a map of images (N, ...) to logits (N, C), each image by itself (in `eval()` mode).
    images: (N, ...) float, as the network sees them; they are never clipped.
    radius: the spheres' radii at first, (N,): the size of a known perturbation, or any guess.
    steps: each one pass forward and back; 40 leave some images far from their least perturbation.

    Returns
    -------
    The smallest perturbations that changed the prediction (like `images`), and for which there was any: (N,) bool.

    Source: Rony et al., "Decoupling direction and norm for efficient gradient-based L2 adversarial attacks and
    defenses", CVPR 2019 (arXiv 1811.09600), algorithm 1.
    """
    at_once = _images_at_once(images)
    found = [_ddn(network, *part, steps) for part in zip(images.split(at_once), radius.split(at_once), strict=True)]
    perturbations, fooled = zip(*found, strict=True)
    return torch.cat(perturbations), torch.cat(fooled)


def _ddn(network: Callable[[Tensor], Tensor], images: Tensor, radius: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        class_ = network(images).argmax(1, keepdim=True)
    first = radius = radius.to(images)
    best, least = torch.zeros_like(images), torch.full_like(radius, math.inf)
    perturbation = torch.zeros_like(images)
    for step in range(steps):
        points = (images + perturbation).requires_grad_()
        logits = network(points)
        margin = logits.scatter(1, class_, -math.inf).amax(1) - logits.gather(1, class_).squeeze(1)
        (gradient,) = torch.autograd.grad(margin.sum(), points)
        fooled = margin.detach() > 0
        size = _norms(perturbation)
        smaller = fooled & (size < least)
        best = torch.where(_per_image(smaller, images), perturbation, best)
        least = torch.where(smaller, size, least)
        radius = radius * torch.where(fooled, 1 - _DDN_RATE, 1 + _DDN_RATE)
        length = first * (0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2)
        perturbation = perturbation + _per_image(length / _norms(gradient), images) * gradient
        perturbation = perturbation * _per_image(radius / _norms(perturbation), images)
    return best, least.isfinite()


def bisect(network: Callable[[Tensor], Tensor], images: Tensor, perturbations: Tensor) -> tuple[Tensor, Tensor]:
    """Shorten perturbations (like `images`) to where the prediction changes, by bisection along each.

    Returns the shortened ones, and which of them change the prediction, (N,) bool: all but those that didn't at first.
    """
    lower = torch.zeros(len(images), device=images.device)
    upper = torch.ones_like(lower)
    with torch.no_grad():
        predicted = network(images).argmax(1)
        fooled = network(images + perturbations).argmax(1) != predicted
        for _ in range(_HALVINGS):
            middle = (lower + upper) / 2
            changed = network(images + _per_image(middle, images) * perturbations).argmax(1) != predicted
            lower, upper = torch.where(changed, lower, middle), torch.where(changed, middle, upper)
    return _per_image(upper, images) * perturbations, fooled


def least_perturbations(
    network: Callable[[Tensor], Tensor], images: Tensor, found: Tensor, others: Iterable[Tensor]
) -> tuple[Tensor, Tensor]:
    """Of each image the smallest perturbation known to change the prediction: an upper bound on the least there is.

    The least of: `found`, and the way to the nearest of `others` that the network puts in another class, both bisected;
    and `ddn`, begun at the smaller of these, and bisected.

    Parameters
    ----------
    network: as for `ddn`.
    images: (N, ...) float.
    found: perturbations (like `images`), such as `deepfool`'s; those that don't change the prediction don't count.
    others: batches of images (M, ...).

    Returns
    -------
    The perturbations (like `images`), and which of them change the prediction: (N,) bool.
    """
    candidates = [bisect(network, images, found), bisect(network, images, _ways_to_others(network, images, others))]
    best, fooled = _smallest(candidates)
    unknown = _norms(images) / 10
    candidates.append(bisect(network, images, ddn(network, images, torch.where(fooled, _norms(best), unknown))[0]))
    return _smallest(candidates)


def _ways_to_others(network: Callable[[Tensor], Tensor], images: Tensor, others: Iterable[Tensor]) -> Tensor:
    """From each image to the nearest of the others that the network puts in another class; 0 where there is none."""
    ways = torch.zeros_like(images)
    least = torch.full((len(images),), math.inf, dtype=torch.float64, device=images.device)
    with torch.no_grad():
        predicted = network(images).argmax(1)
        for batch in others:
            distances = torch.cdist(images.double().flatten(1), batch.double().flatten(1))
            distances[predicted[:, None] == network(batch).argmax(1)] = math.inf
            distance, nearest = distances.min(1)
            nearer = distance < least
            ways = torch.where(_per_image(nearer, images), batch[nearest] - images, ways)
            least = torch.minimum(least, distance)
    return ways


def _smallest(candidates: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Of perturbations and whether they count, for each image the smallest that does, and whether there is any."""
    perturbations = torch.stack([perturbation for perturbation, _ in candidates])
    counts = torch.stack([fooled for _, fooled in candidates])
    sizes = perturbations.flatten(2).norm(dim=2).masked_fill(~counts, math.inf)
    chosen = sizes.argmin(0)
    return perturbations[chosen, torch.arange(len(chosen), device=chosen.device)], counts.any(0)


def perturbation_sizes(images: Tensor, perturbations: Tensor, fooled: Tensor) -> Tensor:
    """‖r(x)‖/‖x‖ in the l2 norm, float64, of the images whose perturbation fools the network; robustness is their mean.

    DeepFool's r(x) is one perturbation that fools the network, not the least: a size is an upper bound. Where the
    network saturates its gradients vanish, and steps of the linearised network become far too long.

    Images without a norm to compare with, all black in pixel space, are left out.

    Parameters
    ----------
    images: (N, ...) float, in the space in which norms are to be taken.
    perturbations: r(x), in the same shape and space.
    fooled: (N,) bool. The others have no r(x); count them beside.

    Source: Moosavi-Dezfooli et al. 2016, equation 2; Papyan, Han, Donoho 2020, figure 8.
    """
    size, distance = (values[fooled].double().flatten(1).norm(dim=1) for values in (images, perturbations))
    return (distance / size)[size > _BLACK]


def nearest_other(images: Tensor, labels: Tensor, others: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Ave ‖x' - x‖/‖x‖ with x' the nearest to x of the other images with another label.

    Where a network classifies x and x' rightly, x' - x is a perturbation that changes its prediction, however smooth
    the network is: robustness far above this says that the attack went a long way round.

    Parameters
    ----------
    images: x, (N, ...) float, in the space in which norms are to be taken.
    labels: (N,) integers.
    others: batches of images (M, ...), in the same space, and their labels (M,).
    """
    points = images.double().flatten(1)
    nearest = torch.full((len(points),), math.inf, dtype=torch.float64, device=points.device)
    for batch, truth in others:
        distances = torch.cdist(points, batch.double().flatten(1))
        distances[labels[:, None] == truth] = math.inf
        nearest = torch.minimum(nearest, distances.min(1).values)
    return (nearest / points.norm(dim=1)).mean().item()


def _images_at_once(images: Tensor) -> int:
    return max(_AT_ONCE, _PIXELS_AT_ONCE // math.prod(images.shape[2:]))


def _norms(images: Tensor) -> Tensor:
    """‖x‖ of each image, (N,); where it is 0, the smallest number that can be divided by."""
    return images.flatten(1).norm(dim=1).clamp_min(torch.finfo(images.dtype).tiny)


def _per_image(values: Tensor, images: Tensor) -> Tensor:
    """Shape one value an image, (N,), so that it broadcasts against `images` (N, ...)."""
    return values.view(-1, *[1] * (images.dim() - 1))
