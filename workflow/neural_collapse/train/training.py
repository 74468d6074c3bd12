"""Training by the paper's protocol (HPD, appendix A.1): one loop for CPU and GPU, computed as fast as PyTorch allows.

What makes it fast changes nothing of the protocol but the order of roundings: all images are on the device, already
standardised, and each step gathers its batch there; maps lie in memory channels last; SGD is fused; on a GPU the whole
step is one CUDA graph, and the host waits for the device only at the end of an epoch. `torch.compile` is left out: on a
CPU it compiles for longer than a small network trains.
"""

import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.optim.sgd import sgd

from ..config.settings import TrainingSettings
from ..data.dataset import Dataset, standardise
from ..errors import InputError
from .losses import loss_function
from .networks import build
from .schedule import learning_rate

_EVALUATION_BATCH = 512  # images at a time, or fewer where memory is short


class DivergenceError(InputError):
    """The loss is no longer finite."""


@dataclass(frozen=True)
class EpochRecord:
    """One row of history.csv.

    Loss and error on the train set are averages over the epoch's batches as they were trained on (train mode, changing
    weights); the error on the test set is the network's at the end of the epoch, in eval mode. Errors are shares of 1.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_error: float
    test_error: float


def sample_order(examples: int, *, seed: int, epoch: int) -> Tensor:
    """The order, int64 (examples,), of `DataLoader(..., shuffle=True, generator=g)` for a generator seeded anew.

    Every epoch has a seed of its own, so that a training may continue at any epoch.
    """
    generator = torch.Generator().manual_seed(_spread(seed, epoch))
    torch.empty((), dtype=torch.int64).random_(generator=generator)  # a DataLoader first draws its workers' seed
    return torch.randperm(examples, generator=generator)


@contextlib.contextmanager
def _enough_memory(purpose: str) -> Iterator[None]:
    """Say in one sentence that the GPU's memory does not suffice. A smaller batch would be another training."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise InputError(
            f"the GPU has not enough memory {purpose}; let fewer jobs share it (`gpu_jobs`), use one with more, or set "
            "a smaller `batch_size`, which changes the result."
        ) from None


def _channels_last(tensor: Tensor) -> Tensor:
    """A contiguous view of a parameter or its gradient in channels-last memory; SGD copies any other."""
    return tensor.permute(0, 2, 3, 1) if tensor.ndim == 4 else tensor


def _spread(seed: int, epoch: int) -> int:
    """Independent seeds out of the run's one: for the initial weights (epoch 0) and for the order of each epoch."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0])


class Training:
    """One network in training: its data, weights and optimiser, all on the device.

    Parameters
    ----------
    dataset, settings: what to train on, and how.
    device: of `prepare_device`.
    between_batches: called before every batch; may raise to stop.

    Raises
    ------
    InputError
        Where the network, the loss or one of their options is unknown or does not fit the data, and where the GPU has
        not enough memory for them.
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: TrainingSettings,
        device: torch.device,
        between_batches: Callable[[], None] = lambda: None,
    ):
        self.settings = settings
        self.device = device
        self.precision = settings.precision if device.type == "cuda" else "float32"
        self.between_batches = between_batches
        self.batches = len(dataset.train_images) // settings.batch_size
        if not self.batches:
            raise InputError(
                f"batch_size: {settings.batch_size} is more than the {len(dataset.train_images)} train images of "
                f"data set '{dataset.name}'."
            )
        self.architecture = {
            "name": settings.network,
            "in_channels": dataset.train_images.shape[1],
            "classes": len(dataset.class_names),
            "image_size": dataset.train_images.shape[2],
            # Whoever rebuilds it has its weights, and need not have those that it started from.
            "options": {key: value for key, value in settings.network_options.items() if key != "weights"},
        }
        fixed = {key: value for key, value in self.architecture.items() if key != "options"}
        network = build(**fixed, seed=_spread(settings.seed, 0), **settings.network_options)
        self.loss = loss_function(settings.loss, **settings.loss_options)
        with _enough_memory(f"for {settings.network} and all images of data set '{dataset.name}'"):
            self.network = network.to(device, memory_format=torch.channels_last)
            self.train_images, self.train_labels = self._resident(dataset, dataset.train_images, dataset.train_labels)
            self.test_images, self.test_labels = self._resident(dataset, dataset.test_images, dataset.test_labels)
        self.tested_at_once = min(_EVALUATION_BATCH, len(self.test_labels))
        self.totals = torch.zeros(2, dtype=torch.float64, device=device)  # of the epoch's losses and errors

        self.parameters = list(self.network.parameters())
        self.weights = [_channels_last(parameter.detach()) for parameter in self.parameters]  # the same memory
        self.momentum = [torch.zeros_like(weights) for weights in self.weights]
        self.rate = 0.0
        self.step = self.eager_step
        self.captures = device.type == "cuda"  # whether steps are CUDA graphs

    def train_epoch(self, epoch: int) -> EpochRecord:
        """Train for one epoch, numbered from 1, and test.

        Raises
        ------
        DivergenceError
            Where not all ends up finite.
        InputError
            Where the GPU has not enough memory for a step, or for a single test image.
        """
        settings = self.settings
        rate = learning_rate(
            epoch,
            base=settings.learning_rate,
            drops=settings.learning_rate_drops,
            warmup_epochs=settings.warmup_epochs,
        )
        self._set_learning_rate(rate)
        order = sample_order(len(self.train_labels), seed=settings.seed, epoch=epoch).to(self.device)
        self.network.train()
        self.totals.zero_()
        with _enough_memory(f"for a step of {settings.network} on {settings.batch_size} images"):
            for batch in range(self.batches):
                self.between_batches()
                self.step(order[batch * settings.batch_size : (batch + 1) * settings.batch_size])
        loss, wrong = self.totals.tolist()
        if not math.isfinite(loss):
            raise DivergenceError(
                f"the training diverged in epoch {epoch}: at learning rate {rate:g} its loss is no longer finite; "
                "choose a smaller learning rate."
            )
        # The losses are those before each step: the last step shows in the weights, and in the loss on the test set.
        test_loss, test_error = self._test()
        sums = torch.stack([tensor.double().sum() for tensor in self._changing().values()])
        if not math.isfinite(sums.sum().item()) or not math.isfinite(test_loss):
            raise DivergenceError(
                f"the training diverged in the last step of epoch {epoch}: at learning rate {rate:g} its weights, or "
                "their loss on the test set, are no longer finite; choose a smaller learning rate."
            )
        error = wrong / (self.batches * settings.batch_size)
        return EpochRecord(epoch, rate, loss / self.batches, error, test_error)

    def test_error(self) -> float:
        """The share of all test images that the network, in eval mode, gets wrong."""
        return self._test()[1]

    def _test(self) -> tuple[float, float]:
        """Loss and error on all test images of the network in eval mode; the loss is a mean over batches."""
        while self.tested_at_once > 1:
            try:
                return self._tested()
            except torch.OutOfMemoryError:
                self.tested_at_once //= 2  # it decides no more than how sums are rounded
        with _enough_memory(f"to test {self.settings.network} on a single image"):
            return self._tested()

    @torch.inference_mode()
    def _tested(self) -> tuple[float, float]:
        self.network.eval()
        losses = []
        wrong = torch.zeros((), dtype=torch.int64, device=self.device)
        for images, labels in zip(
            self.test_images.split(self.tested_at_once), self.test_labels.split(self.tested_at_once), strict=True
        ):
            self.between_batches()
            logits = self._logits(images)
            wrong += (logits.argmax(1) != labels).sum()
            losses.append(self.loss(logits, labels))
        return torch.stack(losses).mean().item(), wrong.item() / len(self.test_labels)

    def state(self) -> dict[str, np.ndarray]:
        """A copy of all that training changes: weights, batch-norm statistics, momentum."""
        return {name: tensor.cpu().numpy().copy() for name, tensor in self._changing().items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from a `state()` of a training with the same settings."""
        for name, tensor in self._changing().items():
            tensor.copy_(torch.from_numpy(state[name]).view(tensor.shape))  # a file holds a number as an array of one

    def _changing(self) -> dict[str, Tensor]:
        return self.network.state_dict() | {f"momentum.{place}": buffer for place, buffer in enumerate(self.momentum)}

    def _resident(self, dataset: Dataset, images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
        """Standardised images, float32 (N, H, W, C), and labels, on the device."""
        pixels = torch.from_numpy(images).to(self.device, memory_format=torch.channels_last)
        pixels = standardise(pixels, dataset.mean, dataset.std)
        # Channels are the last axis from here on: gathering rows would otherwise undo the memory format.
        return pixels.permute(0, 2, 3, 1).contiguous(), torch.from_numpy(labels).to(self.device)

    def _logits(self, images: Tensor) -> Tensor:
        """Logits, float32 (N, classes), of resident images (N, H, W, C)."""
        images = images.permute(0, 3, 1, 2)
        if self.precision != "bfloat16":
            return self.network(images)
        with torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False):
            return self.network(images).float()

    def eager_step(self, rows: Tensor) -> None:
        """One step of SGD on the train images `rows`, int64 (batch,)."""
        labels = self.train_labels.index_select(0, rows)
        logits = self._logits(self.train_images.index_select(0, rows))
        loss = self.loss(logits, labels)
        self._descend(torch.autograd.grad(loss, self.parameters))
        self.totals += torch.stack((loss.detach(), (logits.argmax(1) != labels).sum()))

    @torch.no_grad()
    def _descend(self, gradients: tuple[Tensor, ...]) -> None:
        """Stochastic gradient descent as `torch.optim.SGD` does it, without its bookkeeping at every step.

        SGD starts its momentum as a copy of the first gradient; starting at zero gives the same.
        """
        sgd(
            self.weights,
            [_channels_last(gradient) for gradient in gradients],
            self.momentum,
            weight_decay=self.settings.weight_decay,
            momentum=self.settings.momentum,
            lr=self.rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            has_sparse_grad=False,
            foreach=False,
            fused=True,
        )

    def _set_learning_rate(self, rate: float) -> None:
        if self.rate != rate:
            self.rate = rate
            if self.captures:
                before = self.state()
                self.step = self.eager_step  # which frees the memory of the last graph
                try:
                    self.step = self._captured_step()
                except RuntimeError as error:
                    reason = str(error).partition("\n")[0]
                    print(
                        f"warning: steps can't be captured as a CUDA graph ({reason}); they go on without one.",
                        file=sys.stderr,
                        flush=True,
                    )
                    self.captures = False
                self.restore(before)

    def _captured_step(self) -> Callable[[Tensor], None]:
        """The step as one CUDA graph, which holds the learning rate as a constant; the state is not as it was then."""
        rows = torch.arange(self.settings.batch_size, device=self.device)
        self.network.train()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):  # libraries choose their kernels and take their workspaces before the capture
                self.eager_step(rows)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.eager_step(rows)

        def step(chosen: Tensor) -> None:
            rows.copy_(chosen)
            graph.replay()

        return step
