"""Arithmetic on a GPU: strict float32 where it is asked for, what the faster tiers change, and the dense block."""

import copy
import math

import pytest
import torch
from on_gpu import NEEDS_GPU, captured, measures
from test_networks import literal, random_block
from test_training import history
from torch.nn import functional as F

from neural_collapse.device import prepare_device

pytestmark = NEEDS_GPU


def rounding(precision):
    """The largest error of a matrix product and of a convolution, relative to the largest value, in one precision."""
    device = prepare_device(precision, threads=1)
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(512, 512, generator=generator).to(device) for _ in range(2))
    images = torch.randn(16, 64, 16, 16, generator=generator).to(device, memory_format=torch.channels_last)
    kernel = torch.randn(64, 64, 3, 3, generator=generator).to(device, memory_format=torch.channels_last)
    pairs = (
        (left @ right, left.double() @ right.double()),
        (
            F.conv2d(images, kernel, padding=1),
            F.conv2d(images.double(), kernel.double(), padding=1),
        ),
    )
    return [((found - exact).abs().max() / exact.abs().max()).item() for found, exact in pairs]


def test_float32_is_strict_and_is_so_again_after_a_training_in_tf32():
    assert max(rounding("float32")) < 1e-5
    if torch.cuda.get_device_capability() >= (8, 0):  # older ones have no TF32, and compute in float32
        assert min(rounding("tf32")) > 2e-5
    assert max(rounding("float32")) < 1e-5


@pytest.mark.parametrize(("precision", "of_loss", "of_nc1"), [("tf32", 0.05, 0.15), ("bfloat16", 0.15, 0.3)])
def test_faster_tiers_train_as_float32_does_in_loss_and_in_nc1(precision, of_loss, of_nc1, record_property):
    """`of_loss` is relative, `of_nc1` in decades."""
    settings = {"epochs": 8, "learning_rate_drops": [5], "weight_decay": 5e-4}
    runs = {tier: captured(precision=tier, **settings) for tier in ("float32", precision)}
    losses, nc1 = {}, {}
    for tier, training in runs.items():
        prepare_device(tier, threads=1)
        losses[tier] = history(training)[-1].train_loss
        prepare_device("float32", threads=1)  # as measuring does
        nc1[tier] = measures(training.network)["nc1"]
    record_property("nc1", nc1)
    assert losses[precision] == pytest.approx(losses["float32"], rel=of_loss)
    assert abs(math.log10(nc1[precision] / nc1["float32"])) < of_nc1


def test_bfloat16_keeps_weights_logits_and_statistics_in_float32():
    training = captured(precision="bfloat16")
    training.train_epoch(1)
    assert training._logits(training.test_images[:4]).dtype == torch.float32
    kinds = {tensor.dtype for tensor in training._changing().values() if tensor.is_floating_point()}
    assert kinds == {torch.float32}


@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_dense_block_is_the_literal_one(bottleneck, memory_format):
    device = prepare_device("float32", threads=1)
    block, maps, generator = random_block(bottleneck)
    block = block.to(device, memory_format=memory_format)
    reference = copy.deepcopy(block)
    ours = maps.to(device, memory_format=memory_format).requires_grad_()
    theirs = maps.to(device).requires_grad_()
    for _ in range(2):  # the second step sees moved running statistics and accumulated gradients
        found, expected = block(ours), literal(reference, theirs)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        direction = torch.randn(expected.shape, dtype=torch.float64, generator=generator).to(device)
        found.backward(direction)
        expected.backward(direction)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-9)
    for (name, parameter), other in zip(block.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-9, atol=1e-9, msg=name)
    for (name, value), other in zip(block.state_dict().items(), reference.state_dict().values(), strict=True):
        torch.testing.assert_close(value, other, rtol=1e-10, atol=1e-10, msg=name)
