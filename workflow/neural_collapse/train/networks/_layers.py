"""Layers that compute what torch's do, sooner for small maps on a CPU, where calls cost more than their arithmetic."""

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_VECTOR = 16  # channels that a CPU's convolution computes at once, wanted or not
_POINTWISE = 8  # pixels a side up to which preparing a 1x1 convolution takes a CPU longer than the product itself


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm of maps (N, p, h, w) that does not count the batches.

    Running statistics with a fixed momentum never read `num_batches_tracked`, which stays 0.
    """

    def forward(self, maps: Tensor) -> Tensor:
        return torch.batch_norm(
            maps, self.weight, self.bias, self.running_mean, self.running_var, self.training, self.momentum, self.eps,
            torch.backends.cudnn.enabled,
        )  # fmt: skip


class Convolution(nn.Conv2d):
    """A convolution without bias, its square kernel of odd size padded by half its size.

    Most of a kernel lies outside a map that is smaller than itself. On a CPU such maps (N, inputs, s, s) are multiplied
    as vectors (N, s * s * inputs) by one matrix, wherever that takes no more arithmetic than the convolution.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        size, kernel = maps.shape[2], self.kernel_size[0]
        if maps.device.type != "cpu" or size != maps.shape[3]:
            return super().forward(maps)
        if kernel == 1 and size <= _POINTWISE:
            return self._of_pixels(maps)
        if size**2 * self.out_channels <= kernel**2 * max(self.out_channels, _VECTOR):
            return self._of_whole_maps(maps)
        return super().forward(maps)

    def _of_pixels(self, maps: Tensor) -> Tensor:
        if self.stride[0] > 1:
            maps = F.avg_pool2d(maps, 1, self.stride)  # the pixels themselves, sooner than by slices
        return F.linear(maps.permute(0, 2, 3, 1), self.weight.flatten(1)).permute(0, 3, 1, 2)

    def _of_whole_maps(self, maps: Tensor) -> Tensor:
        count, _, size, _ = maps.shape
        kernel, stride = self.kernel_size[0], self.stride[0]
        elements = self.weight.permute(0, 2, 3, 1).flatten(1, 2)  # (outputs, kernel * kernel, inputs)
        if size > kernel // 2 + 1:  # some pixels are farther apart than the kernel reaches: zeros join them
            elements = F.pad(elements, (0, 0, 0, 1))
        matrix = elements.index_select(1, _joining_elements(size, kernel, stride))
        side = -(-size // stride)
        products = F.linear(maps.permute(0, 2, 3, 1).flatten(1), matrix.view(self.out_channels * side**2, -1))
        return products.view(count, -1, side, side).contiguous(memory_format=torch.channels_last)


@functools.cache
def _joining_elements(size: int, kernel: int, stride: int) -> Tensor:
    """Which element of the kernel joins an output pixel to an input pixel, for every pair; kernel**2: none."""
    with torch.inference_mode(False):  # kept, and needed by a backward pass later, whoever asks first
        position = torch.arange(size) - torch.arange(0, size, stride)[:, None] + kernel // 2  # in the kernel
        inside = (position >= 0) & (position < kernel)
        element = kernel * position[:, None, :, None] + position[None, :, None, :]
        return torch.where(inside[:, None, :, None] & inside[None, :, None, :], element, kernel**2).flatten()
