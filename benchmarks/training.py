"""The training engine against the loop of published notebooks, side by side in one process.

Last shown, on two cores of an AMD EPYC (Zen 4) virtual machine, one thread, torch 2.13.0, Python 3.11; no GPU was at
hand, so what runs on one (CUDA graph, TF32, bfloat16) was not run. Ratios to the notebook's loop:

                                     step    with loading: no worker    best number of workers
    --quick   VGG11, width 1/8       1.57                      2.90                      2.16
              ResNet18, width 1/8    1.45                      2.48                      1.86
              DenseNet40, k = 4      1.55                      1.85                      1.68
    full      VGG11                  1.13                      1.26                      1.26    --rounds 2 --batches 2
              ResNet18               1.19                      1.20                      1.09
              DenseNet40, k = 12     1.40                      1.36                      1.32

ResNet18's step gave 1.34 to 1.49 in six other runs of --quick.

A worker has the second core to itself there, while the engine keeps to one.

The notebook's loop: torchvision's transforms on one PIL image after the other, a DataLoader (with no worker, and with
the best number of workers found, which stay alive between epochs), NCHW, eager mode, `torch.optim.SGD` and all flags of
torch as they are by default, loss and accuracy read after every batch; networks as published, without what this
project's layers do for speed. "Step" is the step alone, on batches that are already there; "epoch" includes loading,
and no test. Rounds are interleaved, so that a slow moment of the machine hits all alike; the table gives medians, and
ratios to the notebook's step, to the faster of its epochs, and to its epoch without workers. "Prepared in" is what a
first epoch takes longer than a second.

Roofline: for every operation of an eager step, the longer of FLOPs / (FLOP/s of a matrix product or, where that is
faster, a convolution) and bytes read and written / (bytes/s of a copy), all timed in the same run, summed. The share is
that sum over the measured time of a step; what stays in caches and what is fused can bring it above 1.

    PYTHONPATH=workflow python benchmarks/training.py [--quick] [--networks resnet18] [--rounds 9] [--threads 1]

`--quick`: the quick study's networks, 8x8 images and batch 64 (a minute or two on two CPU cores) instead of VGG11,
ResNet18 and DenseNet40 in full, 32x32 and batch 128.
"""

import argparse
import contextlib
import ctypes
import functools
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as ExampleDataset
from torch.utils.flop_counter import flop_registry

from neural_collapse.config.settings import TrainingSettings
from neural_collapse.data.dataset import Dataset
from neural_collapse.device import keep_freed_memory, prepare_device
from neural_collapse.train.networks import build
from neural_collapse.train.networks._dense_block import DenseBlock
from neural_collapse.train.networks._layers import BatchNorm2d, Convolution
from neural_collapse.train.training import Training
from neural_collapse.vision import torchvision

FULL = {"vgg11": {}, "resnet18": {}, "densenet40": {}}
QUICK = {"vgg11": {"width": 0.125}, "resnet18": {"width": 0.125}, "densenet40": {"growth_rate": 4, "compression": 0.5}}
RATE = 0.01
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the quick study's sizes")
    parser.add_argument("--networks", nargs="+", choices=FULL, default=list(FULL))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of both loops")
    parser.add_argument("--batches", type=int, default=21, help="batches an epoch, and steps a round")
    options = parser.parse_args()
    batch = 64 if options.quick else 128
    dataset = random_dataset(options.batches * batch, image_size=8 if options.quick else 32)

    device = prepare_device("float32", options.threads)
    keep_freed_memory()
    print(hardware(device), flush=True)
    limits = {precision: measured_limits(device, precision) for precision in tiers(device)}
    for precision, (flops, bandwidth) in limits.items():
        print(f"limits, {precision}: {flops / 1e9:.0f} GFLOP/s, {bandwidth / 1e9:.1f} GB/s")
    for name in options.networks:
        network_options = (QUICK if options.quick else FULL)[name]
        compare(name, network_options, dataset, batch, device, limits, options)


def compare(name, network_options, dataset, batch, device, limits, options) -> None:
    """Print the table of one network."""
    engines, prepared = {}, {}
    for precision in tiers(device):
        settings = TrainingSettings(
            network=name,
            network_options=network_options,
            loss="mse",
            loss_options={},
            seed=0,
            epochs=100,
            batch_size=batch,
            learning_rate=RATE,
            learning_rate_drops=[],
            warmup_epochs=0,
            momentum=0.9,
            weight_decay=5e-4,
            precision=precision,
            threads=options.threads,
        )
        prepare_device(precision, options.threads)
        engine = engines[precision] = Training(dataset, settings, device)
        engine.test_error = lambda: 0.0  # an epoch of the notebook's does not test either
        seconds = [timed(functools.partial(engine.train_epoch, epoch), device) for epoch in (1, 2)]
        prepared[precision] = max(0.0, seconds[0] - seconds[1])  # making kernels and, on a GPU, capturing the graph
    notebook = Notebook(name, network_options, dataset, batch, device)
    workers = notebook.tuned_workers()

    images, labels = next(iter(notebook.loaders[0]))
    images, labels = images.to(device), labels.to(device)
    rows = torch.arange(batch, device=device)
    ways: dict[str, Callable[[], object]] = {
        "notebook, step": lambda: [notebook.step(images, labels) for _ in range(options.batches)],
        "notebook, epoch, 0 workers": lambda: notebook.epoch(0),
        f"notebook, epoch, {workers} workers": lambda: notebook.epoch(workers),
    }
    for precision, engine in engines.items():
        ways[f"engine {precision}, step"] = lambda engine=engine: [engine.step(rows) for _ in range(options.batches)]
        ways[f"engine {precision}, epoch"] = lambda engine=engine: engine.train_epoch(3)

    seconds = {way: [] for way in ways}
    for repetition in range(options.rounds + 1):
        for way, action in ways.items():
            if way.startswith("notebook"):
                default_flags()
                warm = functools.partial(notebook.step, images, labels)
            else:
                precision = way.split()[1][:-1]
                prepare_device(precision, options.threads)
                warm = functools.partial(engines[precision].step, rows)
            start = time.perf_counter()
            while time.perf_counter() < start + 0.05:  # memory comes back from the system, as after any switch of flags
                warm()
            elapsed = timed(action, device)
            if repetition:  # the first round warms up
                seconds[way].append(elapsed)

    print(f"\n{name}, batch {batch}, {dataset.train_images.shape[2]} pixels a side")
    print(f"{'':32}{'images/s':>10}{'ratio':>8}{'to 0 workers':>14}{'roofline':>10}{'prepared in':>13}")
    for way, times in seconds.items():
        line = f"{way:32}{options.batches * batch / statistics.median(times):10.0f}"
        if way.endswith("step"):
            line += f"{ratio(seconds, 'notebook, step', way):8.2f}"
        else:
            line += f"{ratio(seconds, best_loading(seconds), way):8.2f}"
            line += f"{ratio(seconds, 'notebook, epoch, 0 workers', way):14.2f}"
        if way.startswith("engine") and way.endswith("step"):
            precision = way.split()[1][:-1]
            bound = roofline(engines[precision], rows, *limits[precision])
            line += f"{'':14}{bound * options.batches / statistics.median(times):10.0%}{prepared[precision]:11.1f} s"
        print(line, flush=True)


def ratio(seconds: dict[str, list[float]], base: str, way: str) -> float:
    """How many times faster than `base` a way is, as the median over rounds."""
    return statistics.median(theirs / ours for theirs, ours in zip(seconds[base], seconds[way], strict=True))


def best_loading(seconds: dict[str, list[float]]) -> str:
    loops = [way for way in seconds if way.startswith("notebook, epoch")]
    return min(loops, key=lambda way: statistics.median(seconds[way]))


class Examples(ExampleDataset):
    """torchvision's MNIST with the transforms of notebooks: one PIL image at a time, padded as it is read."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, mean: np.ndarray, std: np.ndarray):
        padding = 2 if images.shape[2] == 32 else 0
        end = images.shape[2] - padding
        self.images = torch.from_numpy(images[:, 0, padding:end, padding:end])
        self.labels = torch.from_numpy(labels)
        transforms = torchvision.transforms
        self.transform = transforms.Compose(
            [transforms.Pad(padding), transforms.ToTensor(), transforms.Normalize(mean.tolist(), std.tolist())]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index].numpy())), int(self.labels[index])


class Notebook:
    """The training loop as notebooks publish it."""

    def __init__(self, name: str, options: dict, dataset: Dataset, batch: int, device: torch.device):
        self.device = device
        self.classes = len(dataset.class_names)
        network = build(
            name, in_channels=1, classes=self.classes, image_size=dataset.train_images.shape[2], seed=0, **options
        )
        self.network = as_published(network).to(device)
        self.network.train()
        self.criterion = nn.MSELoss()
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=RATE, momentum=0.9, weight_decay=5e-4)
        examples = Examples(dataset.train_images, dataset.train_labels, dataset.mean, dataset.std)
        self.loaders = {
            workers: DataLoader(
                examples,
                batch_size=batch,
                shuffle=True,
                drop_last=True,
                num_workers=workers,
                persistent_workers=workers > 0,
                pin_memory=device.type == "cuda",
            )
            for workers in sorted({0, 1, 2, 4, 8, 16} & set(range(os.cpu_count() + 1)))
        }

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, float]:
        self.optimizer.zero_grad()
        logits = self.network(images)
        loss = self.criterion(logits, nn.functional.one_hot(labels, self.classes).float())
        loss.backward()
        self.optimizer.step()
        accuracy = torch.mean((logits.argmax(dim=1) == labels).float()).item()
        return loss.item(), accuracy

    def epoch(self, workers: int) -> None:
        for images, labels in self.loaders[workers]:
            self.step(images.to(self.device), labels.to(self.device))

    def tuned_workers(self) -> int:
        """The best number of workers, at least one."""
        seconds = {}
        for workers in [workers for workers in self.loaders if workers]:
            self.epoch(workers)
            seconds[workers] = timed(lambda workers=workers: self.epoch(workers), self.device)
        best = min(seconds, key=seconds.get)
        for workers in seconds:
            if workers != best:
                self.loaders.pop(workers)  # and with it its idle processes
        return best


def as_published(network: nn.Module) -> nn.Module:
    """The network without what this project's layers do for speed, in place."""
    for module in network.modules():
        if isinstance(module, DenseBlock):
            module.forward = functools.partial(concatenating, module)
        elif isinstance(module, Convolution | BatchNorm2d):
            module.forward = functools.partial(type(module).__base__.forward, module)
    return network


def concatenating(block: DenseBlock, maps: Tensor) -> Tensor:
    """A dense block as published: every layer concatenates and normalises all channels before it."""
    for layer in block.layers:
        maps = torch.cat([maps, layer(maps)], dim=1)
    return nn.functional.relu(block.norm(maps), inplace=True)


class Bound(TorchDispatchMode):
    """Adds up, over all operations, the least time that each takes within the machine's limits."""

    def __init__(self, flops: float, bandwidth: float):
        super().__init__()
        self.flops, self.bandwidth, self.seconds = flops, bandwidth, 0.0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = operation(*args, **kwargs)
        if not operation.is_view:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
            moved = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
            count = flop_registry.get(operation.overloadpacket)
            work = count(*args, **kwargs, out_val=result) if count else 0
            self.seconds += max(work / self.flops, moved / self.bandwidth)
        return result


def roofline(engine: Training, rows: Tensor, flops: float, bandwidth: float) -> float:
    """The least seconds for one step within the limits, each operation by itself."""
    with Bound(flops, bandwidth) as bound:
        engine.eager_step(rows)
    return bound.seconds


def measured_limits(device: torch.device, precision: str) -> tuple[float, float]:
    """FLOP/s of a large matrix product or convolution in this precision, and bytes/s of a large copy."""
    prepare_device(precision, torch.get_num_threads())
    size = 8 if device.type == "cuda" else 1
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    matrix = torch.randn(1024 * size, 1024 * size, device=device, dtype=dtype)
    product = min(timed(lambda: matrix @ matrix, device) for _ in range(10))
    maps = torch.randn(32 * size, 64, 32, 32, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    kernel = torch.randn(64, 64, 3, 3, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    convolution = min(timed(lambda: torch.conv2d(maps, kernel, padding=1), device) for _ in range(10))
    flops = max(2 * matrix.shape[0] ** 3 / product, 2 * maps.numel() * kernel[0].numel() / convolution)
    source = torch.zeros(2**25 * size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = min(timed(lambda: target.copy_(source), device) for _ in range(10))
    return flops, 2 * source.numel() / copy


def timed(action: Callable[[], object], device: torch.device) -> float:
    synchronise = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    synchronise()
    start = time.perf_counter()
    action()
    synchronise()
    return time.perf_counter() - start


def tiers(device: torch.device) -> list[str]:
    """The precisions that differ on this device; the first is that of torch's default flags."""
    return ["tf32", "float32", "bfloat16"] if device.type == "cuda" else ["float32"]


def default_flags() -> None:
    """What `prepare_device` changes, back to torch's defaults."""
    torch.use_deterministic_algorithms(False)
    torch.backends.cuda.matmul.fp32_precision = "none"
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
    with contextlib.suppress(AttributeError):  # of another C library than GNU's
        libc = ctypes.CDLL(None)
        # Where GNU's own thresholds end up in a process that frees tensors: it adapts them upwards, to at most these.
        for option, value in ((_M_MMAP_MAX, 65536), (_M_MMAP_THRESHOLD, 32 << 20), (_M_TRIM_THRESHOLD, 64 << 20)):
            libc.mallopt(option, value)
        libc.malloc_trim(0)


def random_dataset(examples: int, image_size: int) -> Dataset:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (examples, 1, image_size, image_size), dtype=np.uint8)
    labels = random.integers(0, 10, examples)
    names = tuple("0123456789")
    return Dataset("random", images, labels, images[:10], labels[:10], names, np.array([0.5]), np.array([0.29]))


def hardware(device: torch.device) -> str:
    name = torch.cuda.get_device_name() if device.type == "cuda" else _processor()
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} CPU threads"
    return f"{name}, {threads}; torch {torch.__version__}, Python {platform.python_version()}"


def _processor() -> str:
    with open("/proc/cpuinfo") as file:
        return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))


if __name__ == "__main__":
    main()
