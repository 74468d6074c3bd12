"""The losses against their formulas in float64."""

import pytest
import torch
from torch import nn

from neural_collapse.config.declarations import known_losses
from neural_collapse.errors import InputError
from neural_collapse.train.losses import loss_function

OPTIONS = {"scaled_mse": {"target_weight": 5.0, "target_value": 3.0}}


def batch(seed=0, examples=7, classes=4):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(examples, classes, dtype=torch.float64, generator=generator)
    return logits, torch.randint(classes, (examples,), generator=generator)


def by_hand(name, logits, labels):
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        if name == "ce":
            total += torch.logsumexp(torch.tensor(row, dtype=torch.float64), 0).item() - row[label]
        else:
            weight, value = (5.0, 3.0) if name == "scaled_mse" else (1.0, 1.0)
            errors = [weight * (z - value) ** 2 if c == label else z**2 for c, z in enumerate(row)]
            total += sum(errors) / len(row)
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


def test_mistakes_are_one_sentence():
    with pytest.raises(InputError, match="no loss named 'hinge'; known: ce, mse, scaled_mse"):
        loss_function("hinge")
    with pytest.raises(InputError, match="its options are none, but given: target_weight"):
        loss_function("mse", target_weight=2.0)
    with pytest.raises(InputError, match="its options are target_weight, target_value, but given: none"):
        loss_function("scaled_mse")
