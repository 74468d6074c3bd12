"""The losses against their formulas in float64."""

import math

import pytest
import torch
from torch import nn

from neural_collapse.config.declarations import known_losses
from neural_collapse.errors import InputError
from neural_collapse.train.losses import loss_function

OPTIONS = {
    "scaled_mse": {"target_weight": 5.0, "target_value": 3.0},
    "label_smoothing": {"smoothing": 0.1},
    "focal": {"gamma": 1.7},
}


def batch(seed=0, examples=7, classes=4):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(examples, classes, dtype=torch.float64, generator=generator)
    return logits, torch.randint(classes, (examples,), generator=generator)


def by_hand(name, logits, labels):
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        powers = [math.exp(z) for z in row]
        log_shares = [math.log(power / sum(powers)) for power in powers]
        others = [z for c, z in enumerate(row) if c != label]
        total += {
            "mse": ((row[label] - 1) ** 2 + sum(z**2 for z in others)) / len(row),
            "scaled_mse": (5 * (row[label] - 3) ** 2 + sum(z**2 for z in others)) / len(row),
            "ce": -log_shares[label],
            "label_smoothing": -0.9 * log_shares[label] - 0.1 * sum(log_shares) / len(row),
            "focal": -((1 - math.exp(log_shares[label])) ** 1.7) * log_shares[label],
            "squentropy": -log_shares[label] + sum(z**2 for z in others) / len(others),
        }[name]
    return total / len(logits)


@pytest.mark.parametrize("name", known_losses())
def test_value_is_the_formula(name):
    logits, labels = batch()
    loss = loss_function(name, **OPTIONS.get(name, {}))
    assert loss(logits, labels).item() == pytest.approx(by_hand(name, logits, labels), rel=1e-14)


@pytest.mark.parametrize("name", known_losses())
def test_gradient_is_the_slope(name):
    logits, labels = batch()
    loss = loss_function(name, **OPTIONS.get(name, {}))
    assert torch.autograd.gradcheck(lambda z: loss(z, labels), logits.requires_grad_())


def test_mse_is_torchs_on_one_hot_targets_to_the_last_bit():
    logits, labels = (tensor.float() if tensor.is_floating_point() else tensor for tensor in batch(examples=64))
    one_hot = nn.functional.one_hot(labels, 4).float()
    assert loss_function("mse")(logits, labels) == nn.MSELoss()(logits, one_hot)
    assert loss_function("scaled_mse", target_weight=1.0, target_value=1.0)(logits, labels) == pytest.approx(
        nn.MSELoss()(logits, one_hot).item(), rel=1e-6
    )


@pytest.mark.parametrize(("name", "option"), [("label_smoothing", "smoothing"), ("focal", "gamma")])
def test_without_its_option_it_is_cross_entropy(name, option):
    logits, labels = batch()
    assert loss_function(name, **{option: 0.0})(logits, labels).item() == pytest.approx(
        loss_function("ce")(logits, labels).item(), rel=1e-14
    )


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_the_focal_loss_has_a_slope_where_an_example_is_all_but_certain(gamma):
    logits = torch.tensor([[60.0, 0.0], [200.0, 0.0]], requires_grad=True)
    loss_function("focal", gamma=gamma)(logits, torch.tensor([0, 0])).backward()
    assert torch.isfinite(logits.grad).all()


def test_mistakes_are_one_sentence():
    with pytest.raises(
        InputError, match="no loss named 'hinge'; known: ce, focal, label_smoothing, mse, scaled_mse, squentropy"
    ):
        loss_function("hinge")
    with pytest.raises(InputError, match="its options are none, but given: target_weight"):
        loss_function("mse", target_weight=2.0)
    with pytest.raises(InputError, match="its options are target_weight, target_value, but given: none"):
        loss_function("scaled_mse")
    with pytest.raises(InputError, match=r"'label_smoothing': smoothing: 1\.5 is not allowed; .* less than 1"):
        loss_function("label_smoothing", smoothing=1.5)
