"""DeepFool against a naive version, foolbox and a closed form."""

import foolbox
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from neural_collapse.__main__ import main
from neural_collapse.data.dataset import Dataset, write_dataset
from neural_collapse.metrics.adversarial import (
    bisect,
    choose_images,
    ddn,
    deepfool,
    least_perturbations,
    nearest_other,
    perturbation_sizes,
)
from neural_collapse.train import networks
from neural_collapse.train.checkpoints import write_checkpoint

ITERATIONS, OVERSHOOT = 50, 0.02


@pytest.fixture(scope="module")
def digits():
    """Standardised digits, (1797, 1, 8, 8) float32, and their labels."""
    images, labels = load_digits(return_X_y=True)
    images = (images - images.mean()) / images.std()
    return torch.tensor(images.reshape(-1, 1, 8, 8), dtype=torch.float32), torch.tensor(labels)


@pytest.fixture(scope="module")
def network(digits):
    """A small VGG trained on 1,280 digits until it classifies most of them: its boundaries are curved."""
    images, labels = digits
    network = networks.build("vgg11", in_channels=1, classes=10, image_size=8, seed=0, width=0.125)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.03, momentum=0.9, weight_decay=5e-4)
    for _ in range(12):
        for batch in torch.arange(1280).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
    network.eval()
    error = (network(images[1280:]).argmax(1) != labels[1280:]).float().mean()
    assert error < 0.15
    return network


def naive_deepfool(network, image):
    """Algorithm 2 of the paper for one image (1, C, H, W): every class's gradient by a backward pass of its own."""
    start = network(image)[0].argmax().item()
    total = torch.zeros_like(image)
    for _ in range(ITERATIONS):
        point = image + (1 + OVERSHOOT) * total
        logits = network(point)[0]
        if logits.argmax().item() != start:
            break
        jacobian = torch.autograd.functional.jacobian(lambda point: network(point)[0], point)
        ways = []
        for k in range(len(logits)):
            if k != start:
                difference, normal = logits[k] - logits[start], jacobian[k] - jacobian[start]
                ways.append((difference.abs() / normal.norm(), difference.abs() / normal.norm() ** 2 * normal))
        total = total + min(ways, key=lambda way: way[0])[1]
    return (1 + OVERSHOOT) * total


def norms(perturbations):
    return perturbations.detach().flatten(1).norm(dim=1)


def relative_difference(ours, theirs):
    return ((norms(ours) - norms(theirs)).abs() / norms(theirs)).median().item()


@pytest.fixture(scope="module")
def attacked(network, digits):
    images = digits[0][1280:1340]
    return images, *deepfool(network, images, iterations=ITERATIONS, overshoot=OVERSHOOT)


def test_agrees_with_one_image_at_a_time(network, attacked):
    images, perturbations, fooled = attacked
    naive = torch.cat([naive_deepfool(network, image[None]) for image in images])
    assert fooled.all()
    assert relative_difference(perturbations, naive) < 1e-4


def test_agrees_with_foolbox(network, attacked):
    images, perturbations, _ = attacked
    # Bounds wide enough never to clip, as the standardised space has none; labels are the network's own predictions.
    model = foolbox.PyTorchModel(network, bounds=(-1e6, 1e6), device="cpu")
    attack = foolbox.attacks.L2DeepFoolAttack(steps=ITERATIONS, candidates=10, overshoot=OVERSHOOT)
    _, adversarial, fooled = attack(model, images, network(images).argmax(1), epsilons=None)
    assert fooled.all()
    ratio = norms(perturbations).median() / norms(adversarial - images).median()
    assert ratio.item() == pytest.approx(1, abs=0.01)
    assert relative_difference(perturbations, adversarial - images) < 0.01


def test_perturbed_images_are_classified_otherwise(network, attacked):
    images, perturbations, _ = attacked
    predicted = network(images).argmax(1, keepdim=True)
    logits = network(images + perturbations)
    lead = logits.gather(1, predicted) - logits.scatter(1, predicted, -torch.inf).amax(1, keepdim=True)
    assert (lead < 1e-4).all()  # below zero, but for the rounding of another batch


def test_is_exact_for_a_linear_classifier():
    generator = torch.Generator().manual_seed(0)
    weight, bias = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((5, 12), (5,)))
    images = torch.randn(40, 3, 2, 2, generator=generator, dtype=torch.float64)
    perturbations, fooled = deepfool(
        lambda images: images.flatten(1) @ weight.T + bias, images, iterations=1, overshoot=OVERSHOOT
    )
    assert fooled.all()
    for image, perturbation in zip(images.flatten(1), perturbations.flatten(1), strict=True):
        logits = weight @ image + bias
        top = logits.argmax()
        distances = [
            (logits[top] - logits[k]).item() / (weight[top] - weight[k]).norm().item() for k in range(5) if k != top
        ]
        assert perturbation.norm().item() == pytest.approx((1 + OVERSHOOT) * min(distances), rel=1e-12)


def test_images_do_not_influence_each_other(network, attacked):
    images, perturbations, _ = attacked
    alone, _ = deepfool(network, images[7:9], iterations=ITERATIONS, overshoot=OVERSHOOT)
    assert torch.allclose(alone, perturbations[7:9], rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module", params=["vgg11", "resnet18", "densenet40"])
def saturated(request, digits):
    """Small networks trained with MSE on few digits: nearly flat about most images, where DeepFool goes a long way."""
    options = {"growth_rate": 4, "compression": 0.5} if request.param == "densenet40" else {"width": 0.0625}
    network = networks.build(request.param, in_channels=1, classes=10, image_size=8, seed=0, **options)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=2e-3)
    for _ in range(6):
        for batch in torch.arange(640).split(64):
            optimizer.zero_grad()
            targets = torch.nn.functional.one_hot(digits[1][batch], 10).float()
            torch.nn.functional.mse_loss(network(digits[0][batch]), targets).backward()
            optimizer.step()
    return network.eval().requires_grad_(False)


def test_ddn_agrees_with_foolbox(saturated, digits):
    """Foolbox ascends the cross entropy: of own logit and greatest other alone, that leads where the margin leads.

    Of all logits it leads elsewhere, mostly to perturbations that are longer.
    """
    images = digits[0][1280:1290]
    own = saturated(images).argmax(1, keepdim=True)

    def own_and_other(points):
        logits = saturated(points)
        return torch.cat([logits.gather(1, own), logits.scatter(1, own, -torch.inf).amax(1, keepdim=True)], 1)

    model = foolbox.PyTorchModel(Function(own_and_other).eval(), bounds=(-100, 100), device="cpu")
    attack = foolbox.attacks.DDNAttack(init_epsilon=1.0, steps=200)
    theirs = attack.run(model, images, torch.zeros(10, dtype=torch.long)) - images
    ours, fooled = ddn(saturated, images, torch.ones(10))
    assert fooled.all()
    ours, theirs = (norms(bisect(saturated, images, found)[0]).median().item() for found in (ours, theirs))
    assert ours == pytest.approx(theirs, rel=0.02)


class Function(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


def test_the_least_perturbation_is_no_further_than_what_bounds_it(saturated, digits):
    """It changes the prediction, and is no longer than DeepFool's or the way to any image classified otherwise."""
    images, others = digits[0][1280:1300], digits[0][:300]
    found, fooled = deepfool(saturated, images, iterations=ITERATIONS, overshoot=OVERSHOOT)
    least, any_ = least_perturbations(saturated, images, found, others.split(70))
    assert any_.all()
    predicted, elsewhere = saturated(images).argmax(1), saturated(others).argmax(1)
    logits = saturated(images + least)
    lead = logits.gather(1, predicted[:, None]) - logits.scatter(1, predicted[:, None], -torch.inf).amax(
        1, keepdim=True
    )
    assert (lead < 1e-4).all()  # below zero, but for the rounding of another batch
    assert (saturated(images + 0.98 * least).argmax(1) == predicted).float().mean() > 0.9  # at the boundary
    sizes = norms(least)
    for image, class_, size in zip(images, predicted, sizes, strict=True):
        ways = norms(others[elsewhere != class_] - image)
        assert size <= ways.min() * (1 + 1e-6)
    assert (sizes[fooled] <= norms(found)[fooled] * (1 + 1e-6)).all()


def test_bisection_finds_the_boundary_and_tells_what_it_cannot_shorten():
    def beyond_one(images):
        return torch.stack([1 - images.sum(1), images.sum(1) - 1], 1)

    images, ways = torch.zeros(2, 2), torch.tensor([[3.0, 0.0], [0.5, 0.0]])
    shortened, fooled = bisect(beyond_one, images, ways)
    assert fooled.tolist() == [True, False]
    assert 1 <= shortened[0].sum() <= 1 + 1e-4


def test_counts_images_that_could_not_be_fooled():
    def indifferent(images):  # flat but for a slope on images with a positive sum
        return torch.stack([images.sum(1).relu(), torch.full((len(images),), 0.5)], 1)

    images = torch.tensor([[1.0, 1.0], [-3.0, -4.0]])
    perturbations, fooled = deepfool(indifferent, images, iterations=3, overshoot=OVERSHOOT)
    assert fooled.tolist() == [True, False]
    assert not perturbations[1].any()
    # From a sum of 2 down to 0.5: a way of 1.5/sqrt(2) from an image of norm sqrt(2).
    assert perturbation_sizes(images, perturbations, fooled).tolist() == [pytest.approx(1.02 * 0.75)]


def test_the_nearest_image_of_another_class_is_searched_among_all_batches():
    generator = torch.Generator().manual_seed(0)
    images, others = (torch.randn(n, 3, 4, 4, generator=generator) + 10 for n in (15, 60))  # far from the origin
    labels, truth = torch.arange(15) % 3, torch.arange(60) % 3
    others[:15] = images  # of the same class, so that they don't count
    nearest = [
        min(np.linalg.norm(other.numpy() - image.numpy()) for other in others[truth != label]) / np.linalg.norm(image)
        for image, label in zip(images, labels, strict=True)
    ]
    batches = zip(others.split(13), truth.split(13), strict=True)
    assert nearest_other(images, labels, batches) == pytest.approx(np.mean(nearest), rel=1e-6)


def test_black_images_have_no_robustness():
    images = torch.tensor([[0.0, 0.0], [3e-8, -3e-8], [3.0, 4.0]])  # black, black but for rounding, and not
    sizes = perturbation_sizes(images, torch.ones(3, 2), torch.ones(3, dtype=torch.bool))
    assert sizes.tolist() == pytest.approx([2**0.5 / 5])


def test_chooses_images_by_seed_without_replacement():
    chosen = choose_images(400, 100, seed=3)
    assert np.unique(chosen).size == 100
    assert chosen.min() >= 0 and chosen.max() < 400
    assert np.array_equal(chosen, choose_images(400, 100, seed=3))
    assert not np.array_equal(chosen, choose_images(400, 100, seed=4))
    assert np.array_equal(choose_images(100, 101, seed=0), np.arange(100)), "all, where there are fewer"


def test_the_step_records_both_spaces_and_the_failures(tmp_path, network, digits):
    pixels = np.uint8(load_digits().images[:, None] * 15.9375)  # 0 to 255
    labels = digits[1].numpy()
    mean, std = np.array([pixels[:1280].mean() / 255]), np.array([pixels[:1280].std() / 255])
    write_dataset(
        tmp_path / "digits.safetensors",
        Dataset("digits", pixels[:1280], labels[:1280], pixels[1280:], labels[1280:], tuple("0123456789"), mean, std),
    )
    architecture = {"name": "vgg11", "in_channels": 1, "classes": 10, "image_size": 8, "options": {"width": 0.125}}
    untrained = networks.build("vgg11", in_channels=1, classes=10, image_size=8, seed=0, width=0.125)
    for i, (epoch, saved) in enumerate({1: untrained, 3: network, 7: network, 12: network}.items()):
        write_checkpoint(tmp_path / f"{i:02d}.safetensors", saved, epoch=epoch, architecture=architecture)
    # fmt: off
    command = ["attack", "--data", f"{tmp_path}/digits.safetensors", "--checkpoints",
               *sorted(map(str, tmp_path.glob("0*.safetensors"))),
               "--dataset", "digits", "--network", "vgg11", "--loss", "ce", "--seed", "4",
               "--images", "20", "--iterations", "50", "--overshoot", "0.02", "--epochs", "all", "--threads", "1",
               "--output", f"{tmp_path}/robustness.csv"]
    # fmt: on
    assert main(command) == 0

    table = pd.read_csv(tmp_path / "robustness.csv")
    assert list(table) == ["dataset", "network", "loss", "variant", "seed", "epoch", "split", "measure", "value"]
    assert set(table["split"]) == {"test"}
    values = table.pivot(index="epoch", columns="measure", values="value")
    assert list(values.index) == [1, 3, 7, 12]
    least = values.pop("robustness__minimum")
    assert values.loc[3].equals(values.loc[12])  # the same network, images and seed
    assert (
        network(torch.tensor((pixels[:1280] / 255 - mean) / std, dtype=torch.float32)).argmax(1).numpy()
        == labels[:1280]
    ).mean() >= 0.999
    assert least.notna().tolist() == [False, True, False, True], "the first epoch with zero train error, and the last"
    assert 0 < least[3] == least[12] <= values["robustness"][12]

    chosen = choose_images(len(pixels) - 1280, 20, seed=4)
    clean = torch.tensor(pixels[1280:][chosen] / 255, dtype=torch.float32)
    images = (clean - mean.item()) / std.item()
    perturbations = torch.cat([naive_deepfool(network, image[None]) for image in images])
    assert values["robustness"][12] == pytest.approx((norms(perturbations) / norms(images)).mean().item(), rel=1e-3)
    in_pixels = (norms(perturbations) * std.item() / norms(clean)).mean().item()
    assert values["robustness__pixel"][12] == pytest.approx(in_pixels, rel=1e-3)
    sizes = norms(perturbations) / norms(images)
    assert values["robustness__median"][12] == pytest.approx(np.median(sizes), rel=1e-3)
    assert values["robustness__failures"][12] == 0
    standardised = [torch.tensor((part / 255 - mean) / std) for part in (pixels[:1280], pixels[1280:][chosen])]
    nearest = torch.cdist(standardised[1].flatten(1), standardised[0].flatten(1))
    nearest[labels[1280:][chosen][:, None] == labels[:1280]] = torch.inf
    expected = (nearest.amin(1) / norms(standardised[1])).mean().item()
    assert values["robustness__nearest_other"].tolist() == [pytest.approx(expected, rel=1e-6)] * 4

    for epochs, attacked in {"1": [3, 12], "2": [1, 3, 12], "9": [1, 3, 7, 12]}.items():
        assert main([epochs if word == "all" else word for word in command]) == 0
        assert sorted({*pd.read_csv(tmp_path / "robustness.csv").epoch}) == attacked
