"""Networks against published sizes, the dense block against its literal definition, and the promises of `build`."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from neural_collapse.config.checks import read_config
from neural_collapse.config.declarations import building_module
from neural_collapse.config.runs import load_study
from neural_collapse.errors import InputError
from neural_collapse.train.networks import _dense_block, build
from neural_collapse.train.networks._dense_block import DenseBlock
from neural_collapse.train.networks._layers import BatchNorm2d, Convolution, _joining_elements


def size(name, *, image_size=32, classes=10, **options):
    """Number of parameters, and of features P, counted without a single weight."""
    with torch.device("meta"):
        network = build(name, in_channels=3, classes=classes, image_size=image_size, seed=0, **options)
    return sum(parameter.numel() for parameter in network.parameters()), network.classifier.in_features


@pytest.mark.parametrize(
    ("name", "parameters", "features"),
    [
        ("resnet18", 11_173_962, 512),
        ("densenet40", 1_059_298, 456),  # 1,019,722 (published: 1.0M) with a stem of 16 instead of 2k = 24
        ("densenet100", 769_162, 342),  # published: 0.8M
        ("densenet250", 15_324_406, 1734),  # published: 15.3M
    ],
)
def test_size_on_small_images(name, parameters, features):
    assert size(name) == (parameters, features)


@pytest.mark.parametrize(
    ("name", "torchvision_parameters", "features"),
    [
        ("resnet18", 11_689_512, 512),
        ("resnet34", 21_797_672, 512),
        ("resnet50", 25_557_032, 2048),
        ("resnet101", 44_549_160, 2048),
        ("resnet152", 60_192_808, 2048),
        ("densenet121", 7_978_856, 1024),
        ("densenet161", 28_681_000, 2208),
        ("densenet169", 14_149_480, 1664),
        ("densenet201", 20_013_928, 1920),
    ],
)
def test_size_on_large_images_is_that_of_torchvision(name, torchvision_parameters, features):
    assert size(name, image_size=96, classes=1000) == (torchvision_parameters, features)


@pytest.mark.parametrize(("name", "gigaflop"), [("vgg11", 0.306 + 0.038), ("resnet18", 1.11), ("densenet100", 0.58)])
@pytest.mark.parametrize("training", [False, True])
def test_floating_point_operations_can_be_counted_without_weights(name, gigaflop, training):
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = build(name, in_channels=3, classes=10, image_size=32, seed=0).train(training)
        network(torch.empty(2, 3, 32, 32))
    assert counter.get_total_flops() / 2e9 == pytest.approx(gigaflop, rel=0.01)  # 2 to a multiply-add, an image


@pytest.mark.parametrize(
    ("depth", "torchvision_parameters"),
    [(11, 132_868_840), (13, 133_053_736), (16, 138_365_992), (19, 143_678_248)],
)
def test_vgg_is_that_of_torchvision_with_batch_norm_for_dropout(depth, torchvision_parameters):
    with torch.device("meta"):
        network = build(f"vgg{depth}", in_channels=3, classes=1000, image_size=96, seed=0)
    convolved = sum(module.out_channels for module in network.modules() if isinstance(module, nn.Conv2d))
    without_biases = torchvision_parameters - convolved - 2 * 4096
    batch_norms_of_the_head = 2 * 2 * 4096
    assert sum(parameter.numel() for parameter in network.parameters()) == without_biases + batch_norms_of_the_head
    assert network.classifier.in_features == 4096


def test_width_and_growth_rate_scale_the_features():
    assert size("vgg11", width=0.125)[1] == 512
    assert size("vgg11", width=0.125, features=64)[1] == 64
    assert size("resnet18", width=0.125)[1] == 64
    assert size("resnet50", width=0.5)[1] == 1024
    assert size("densenet40", growth_rate=4, compression=0.5)[1] == 86
    assert size("densenet40", growth_rate=4)[1] == 152


NARROW = {
    "vgg11": {"width": 1 / 16},
    "vgg19": {"width": 1 / 16, "features": 20},
    "resnet18": {"width": 1 / 16},
    "resnet50": {"width": 1 / 16},
    "densenet40": {"growth_rate": 2, "compression": 0.5},
    "densenet100": {"growth_rate": 2},
    "densenet121": {"growth_rate": 2},
}


@pytest.mark.parametrize(
    ("name", "comfortable"), [*((name, 2**31) for name in NARROW), ("densenet40", 0), ("densenet121", 0)]
)
@pytest.mark.parametrize(("channels", "image_size"), [(1, 8), (1, 28), (3, 32), (3, 96)])
def test_a_step_of_training(name, comfortable, channels, image_size, monkeypatch):
    monkeypatch.setattr(_dense_block, "_COMFORTABLE", comfortable)
    network = build(name, in_channels=channels, classes=4, image_size=image_size, seed=1, **NARROW[name]).double()
    images = torch.randn(4, channels, image_size, image_size, generator=torch.Generator().manual_seed(0)).double()
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)
    for each, given in ((network, images), (last, images.contiguous(memory_format=torch.channels_last))):
        F.cross_entropy(each(given), torch.arange(4)).backward()
    for parameter, same in zip(network.parameters(), last.parameters(), strict=True):
        assert torch.isfinite(parameter.grad).all()
        torch.testing.assert_close(parameter.grad, same.grad, rtol=1e-6, atol=1e-9)

    network.eval()
    with torch.no_grad():
        features, layers = network.features(images), network.layers(images)
        assert torch.equal(network(images), network.classifier(features))
        assert torch.equal(network(images), network(images))
    assert features.shape == (4, network.classifier.in_features)
    assert torch.equal(list(layers.values())[-1], features)
    assert all(activations.ndim == 2 and len(activations) == 4 for activations in layers.values())
    assert len(layers) >= 4


IMAGES = {"mnist": (1, 32), "fashionmnist": (1, 32), "svhn": (3, 32), "cifar10": (3, 32), "stl10": (3, 96)}
PAPER = load_study(read_config(Path(__file__).parents[2] / "config.yaml"), "paper")


@pytest.mark.parametrize(
    ("name", "images"), sorted({(run.network, IMAGES[run.dataset]) for run in PAPER.runs}), ids=lambda value: str(value)
)
def test_every_network_of_the_paper_study_trains_a_step_on_its_images(name, images):
    channels, size = images
    network = build(name, in_channels=channels, classes=10, image_size=size, seed=0).to(
        memory_format=torch.channels_last
    )
    F.cross_entropy(network(torch.randn(2, channels, size, size)), torch.tensor([0, 1])).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


@pytest.mark.parametrize("name", NARROW)
def test_initial_weights_follow_the_protocol(name):
    network = build(name, in_channels=3, classes=300, image_size=32, seed=0, **NARROW[name])
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            assert module.bias is None
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            spread = (module.weight * (fan_out / 2) ** 0.5).std().item()
            assert spread == pytest.approx(1, abs=4 / module.weight.numel() ** 0.5)
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()
    assert network.classifier.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert (network.classifier.bias == 0).all()


def test_the_seed_alone_decides_the_weights():
    def weights(seed):
        network = build("densenet40", in_channels=1, classes=10, image_size=8, seed=seed, growth_rate=4)
        return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])

    first = weights(0)
    torch.manual_seed(12)
    state = torch.random.get_rng_state()
    assert torch.equal(weights(0), first)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(weights(1), first)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("kernel", "stride", "size", "outputs", "small"),
    [
        (3, 1, 1, 4, True), (3, 2, 1, 4, True), (3, 1, 2, 4, True), (3, 2, 2, 20, True), (3, 1, 4, 4, True),
        (3, 2, 4, 9, True), (7, 2, 5, 4, True), (3, 1, 4, 10, False), (3, 1, 5, 6, False), (3, 2, 8, 4, False),
        (1, 1, 4, 4, True), (1, 2, 5, 20, True), (1, 2, 8, 4, True), (1, 2, 9, 4, False),
    ],
)  # fmt: skip
def test_a_convolution_of_very_small_maps_is_that_of_torch(kernel, stride, size, outputs, small, memory_format):
    torch.manual_seed(0)
    ours = Convolution(5, outputs, kernel, stride).double()
    theirs = nn.Conv2d(5, outputs, kernel, stride, padding=kernel // 2, bias=False).double()
    theirs.load_state_dict(ours.state_dict())
    maps = torch.randn(3, 5, size, size, dtype=torch.float64)
    found = []
    for convolution in (ours, theirs):
        read = maps.clone(memory_format=memory_format).requires_grad_()
        results = convolution.to(memory_format=memory_format)(read)
        (results * torch.arange(results.numel()).view(results.shape)).sum().backward()
        found.append((results, read.grad, convolution.weight.grad))
    torch.testing.assert_close(*found)
    assert found[0][0].is_contiguous(memory_format=torch.channels_last) or memory_format != torch.channels_last
    assert ("Convolution" in found[0][0].grad_fn.name()) != small


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_that_of_torch_but_for_the_count_of_batches(training):
    ours, theirs = BatchNorm2d(5).double().train(training), nn.BatchNorm2d(5).double().train(training)
    maps = 3 + 2 * torch.randn(4, 5, 3, 3, dtype=torch.float64)
    for _ in range(2):
        assert torch.equal(ours(maps), theirs(maps))
    expected = theirs.state_dict() | {"num_batches_tracked": torch.tensor(0)}
    assert all(torch.equal(value, expected[name]) for name, value in ours.state_dict().items())


def test_a_convolution_first_seen_without_gradients_trains_afterwards():
    _joining_elements.cache_clear()
    convolution, maps = Convolution(3, 4, 3), torch.randn(2, 3, 2, 2)
    with torch.inference_mode():
        convolution(maps)
    convolution(maps).sum().backward()
    assert torch.isfinite(convolution.weight.grad).all()


# ---- the dense block ----


def literal(block, maps):
    """The dense block by its definition: concatenate, normalise by the batch, rectify and convolve, layer by layer."""

    def normalised(maps, norm):
        mean = maps.mean(dim=(0, 2, 3))
        variance = maps.var(dim=(0, 2, 3), unbiased=False)
        count = maps.numel() / maps.shape[1]
        with torch.no_grad():
            norm.running_mean.mul_(0.9).add_(0.1 * mean)
            norm.running_var.mul_(0.9).add_(0.1 * variance * count / (count - 1))
        mean, deviation, weight, bias = (
            v[None, :, None, None] for v in (mean, (variance + 1e-5).sqrt(), norm.weight, norm.bias)
        )
        return (maps - mean) / deviation * weight + bias

    grown = [maps]
    for layer in block.layers:
        outputs = torch.cat(grown, dim=1)
        for unit in layer:
            kernel = unit.convolution.weight
            outputs = F.conv2d(normalised(outputs, unit.norm).clamp(min=0), kernel, padding=kernel.shape[2] // 2)
        grown.append(outputs)
    return normalised(torch.cat(grown, dim=1), block.norm).clamp(min=0)


def random_block(bottleneck):
    generator = torch.Generator().manual_seed(3)
    block = DenseBlock(6, 5, 4, bottleneck).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, mean=0.2, std=0.5, generator=generator)
    maps = 3 + 2 * torch.randn(7, 6, 5, 4, dtype=torch.float64, generator=generator)
    return block, maps, generator


@pytest.fixture
def memory_is_scarce(monkeypatch):
    """A CPU trains dense blocks as a GPU does."""
    monkeypatch.setattr(_dense_block, "_COMFORTABLE", 0)


@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("comfortable", [0, 2**31])
def test_dense_block_is_its_literal_definition(bottleneck, memory_format, comfortable, monkeypatch):
    monkeypatch.setattr(_dense_block, "_COMFORTABLE", comfortable)
    block, maps, generator = random_block(bottleneck)
    reference = copy.deepcopy(block)
    ours = maps.clone(memory_format=memory_format).requires_grad_()
    theirs = maps.clone().requires_grad_()
    for _ in range(2):  # the second step sees moved running statistics and accumulated gradients
        found, expected = block(ours), literal(reference, theirs)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        direction = torch.randn(expected.shape, dtype=torch.float64, generator=generator)
        found.backward(direction)
        expected.backward(direction)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-10)
    for (name, parameter), other in zip(block.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-10, atol=1e-10, msg=name)
    for (name, value), other in zip(block.state_dict().items(), reference.state_dict().values(), strict=True):
        torch.testing.assert_close(value, other, rtol=1e-10, atol=1e-10, msg=name)


@pytest.mark.parametrize("bottleneck", [False, True])
def test_dense_block_evaluates_the_same_with_and_without_gradients(bottleneck):
    block, maps, _ = random_block(bottleneck)
    block(maps)
    block.eval()
    with torch.no_grad():
        torch.testing.assert_close(block(maps), block(maps.requires_grad_()).detach(), rtol=1e-10, atol=1e-10)
        assert torch.equal(block(maps), block(maps))
    with torch.enable_grad():
        torch.testing.assert_close(block(maps).detach(), literal_evaluation(block, maps), rtol=1e-10, atol=1e-10)


def literal_evaluation(block, maps):
    for layer in block.layers:
        maps = torch.cat([maps, layer(maps)], dim=1)
    return block.norm(maps).clamp(min=0).detach()


def kept(block, maps):
    """Bytes that the forward pass keeps for the backward pass, without those of the parameters."""
    own = {parameter.data_ptr() for parameter in block.parameters()}
    storages = {}

    def keep(tensor):
        if tensor.data_ptr() not in own:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        block(maps)
    return sum(storages.values())


@pytest.mark.usefixtures("memory_is_scarce")
@pytest.mark.parametrize("bottleneck", [False, True])
def test_dense_block_keeps_memory_linear_in_its_layers(bottleneck):
    maps = torch.randn(4, 8, 8, 8)
    assert kept(DenseBlock(8, 32, 4, bottleneck), maps) < 2.2 * kept(DenseBlock(8, 16, 4, bottleneck), maps)


@pytest.mark.parametrize("bottleneck", [False, True])
def test_dense_block_on_a_cpu_is_literal_only_while_that_takes_little_memory(bottleneck, monkeypatch):
    block = DenseBlock(8, 16, 4, bottleneck).to(memory_format=torch.channels_last)
    maps = torch.randn(4, 8, 8, 8).to(memory_format=torch.channels_last)
    foreseen = 2 * sum(unit.norm.num_features for layer in block.layers for unit in layer) * 4 * 8 * 8 * 4
    monkeypatch.setattr(_dense_block, "_COMFORTABLE", foreseen)
    literally = kept(block, maps)
    assert literally == pytest.approx(foreseen, rel=0.15)
    monkeypatch.setattr(_dense_block, "_COMFORTABLE", foreseen - 1)
    assert kept(block, maps) < literally / 3


@pytest.mark.usefixtures("memory_is_scarce")
def test_dense_block_under_autocast():
    block = DenseBlock(8, 6, 4, True)
    maps = torch.randn(8, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    reference = copy.deepcopy(block)(maps)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = block(maps.bfloat16())
    found.float().sum().backward()
    assert (found - reference).abs().mean() < 0.02
    assert all(parameter.grad.dtype == torch.float32 for parameter in block.parameters())


# ---- what every family can be varied in ----

FAMILIES = {
    "vgg11": {"width": 1 / 16},
    "resnet18": {"width": 1 / 16},
    "densenet40": {"growth_rate": 2},
    "perceptron3": {"features": 12},
}
SIZE = {"in_channels": 1, "classes": 4, "image_size": 8, "seed": 1}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    ("options", "features", "bias"),
    [
        ({"batch_norm": False}, None, True),
        ({"bottleneck": 3}, 3, True),
        ({"classifier_bias": False}, None, False),
        ({"bottleneck": 3, "classifier": "fixed_etf"}, 3, True),
        ({"normalise_features": True}, None, True),
        (
            {
                "batch_norm": False,
                "bottleneck": 6,
                "classifier": "fixed_etf",
                "classifier_bias": False,
                "normalise_features": True,
            },
            6,
            False,
        ),
    ],
)
def test_a_varied_network_is_stages_and_a_linear_classifier(name, options, features, bias):
    plain = build(name, **SIZE, **FAMILIES[name])
    network = build(name, **SIZE, **FAMILIES[name], **options)
    images = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    logits = network(images)
    F.cross_entropy(logits, torch.tensor([0, 1, 2, 3, 0])).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())
    network.eval()
    with torch.no_grad():
        found = network.features(images)
        expected = found @ network.classifier.weight.T + (network.classifier.bias if bias else 0)
        torch.testing.assert_close(network(images), expected)
        assert torch.equal(list(network.layers(images).values())[-1], found)
    assert network.classifier.in_features == found.shape[1] == (features or plain.classifier.in_features)
    assert (network.classifier.bias is not None) == bias
    if "normalise_features" in options:
        torch.testing.assert_close(found.norm(dim=1), torch.ones(5))
    with torch.device("meta"):
        counted = build(name, **SIZE, **FAMILIES[name], **options)
    shapes = {path: tensor.shape for path, tensor in network.state_dict().items()}
    assert {path: tensor.shape for path, tensor in counted.state_dict().items()} == shapes


@pytest.mark.parametrize("name", FAMILIES)
def test_what_an_option_leaves_alone_has_the_same_weights(name):
    plain = build(name, **SIZE, **FAMILIES[name]).state_dict()
    defaults = {"batch_norm": True, "classifier": "linear", "classifier_bias": True, "normalise_features": False}
    for options, absent in [(defaults, set()), ({"classifier_bias": False}, {"classifier.bias"})]:
        found = build(name, **SIZE, **FAMILIES[name], **options).state_dict()
        assert found.keys() == plain.keys() - absent
        assert all(torch.equal(tensor, plain[path]) for path, tensor in found.items())


@pytest.mark.parametrize(("classes", "features"), [(2, 2), (4, 3), (4, 4), (5, 32)])
def test_a_fixed_classifier_is_a_simplex_that_nothing_trains(classes, features):
    network = build("perceptron2", **SIZE | {"classes": classes}, features=features, classifier="fixed_etf")
    rows = network.classifier.weight.double()
    expected = [[1.0 if c == d else -1 / (classes - 1) for d in range(classes)] for c in range(classes)]
    torch.testing.assert_close(rows @ rows.T, torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)
    assert "classifier.weight" in network.state_dict()
    assert "classifier.weight" not in dict(network.named_parameters())
    other = build("perceptron2", **SIZE | {"classes": classes, "seed": 2}, features=features, classifier="fixed_etf")
    assert not torch.equal(other.classifier.weight, network.classifier.weight)


@pytest.mark.parametrize("name", FAMILIES)
def test_without_batch_norm_signals_keep_their_size_and_residual_branches_start_closed(name):
    network = build(name, **SIZE, **FAMILIES[name], batch_norm=False)
    assert not [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    spreads = {}

    def keep(path):
        return lambda _, __, outputs: spreads.update({path: outputs.std().item()})

    for path, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and path != "classifier":
            module.register_forward_hook(keep(path))
    with torch.no_grad():
        network(torch.randn(512, 1, 8, 8, generator=torch.Generator().manual_seed(0)))
    for path, spread in spreads.items():
        if "residual" not in path:
            assert spread == pytest.approx(1, rel=0.25), path
        else:
            assert spread == pytest.approx(0 if path.endswith("3") else 8**-0.5, rel=0.25), path
    assert len(spreads) >= 2


# ---- any classifier of torchvision ----


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "shufflenet_v2_x0_5", "googlenet"])
def test_torchvision_model(name):
    assert building_module(name) == "torchvision_model"
    network = build(name, in_channels=3, classes=7, image_size=96, seed=0)
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    network(images).sum().backward()
    network.eval()
    with torch.no_grad():
        features = network.features(images)
        assert features.shape == (2, network.classifier.in_features)
        assert torch.equal(network(images), network.classifier(features))
        assert torch.equal(network.layers(images)["trunk"], features)
    assert network(images).shape == (2, 7)


def test_models_of_other_libraries_take_their_own_options():
    assert building_module("timm_vit_tiny_patch16_224") == "timm_model"
    size = {"in_channels": 1, "classes": 7, "image_size": 16, "seed": 0}
    network = build("timm_vit_tiny_patch16_224", img_size=16, patch_size=8, depth=2, **size)
    images = torch.randn(2, 1, 16, 16)
    assert torch.equal(network(images), network.classifier(network.features(images)))
    assert network(images).shape == (2, 7)
    with torch.device("meta"):
        narrow = build("mobilenet_v3_small", width_mult=0.5, **size | {"in_channels": 3, "image_size": 32})
    assert narrow.classifier.in_features == 512


def test_a_networks_own_file_may_import_torchvision_beside_any_build_of_torch():
    """`build` has made it importable by then: in a process of its own, where nothing else has."""
    network = "build('perceptron2', in_channels=1, classes=2, image_size=2, seed=0)"
    code = f"from neural_collapse.train.networks import build; {network}; import torchvision; torchvision.models.vgg11"
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=True)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_trained_weights_come_from_a_file_and_the_classifier_is_new_for_other_classes(suffix, tmp_path):
    from safetensors.torch import save_file

    from neural_collapse.vision import torchvision

    trained = torchvision.models.shufflenet_v2_x0_5(num_classes=4).state_dict()
    (torch.save if suffix == ".pth" else save_file)(trained, tmp_path / f"weights{suffix}")
    given = {"in_channels": 3, "image_size": 32, "seed": 0, "weights": str(tmp_path / f"weights{suffix}")}
    for classes in (4, 9):
        network = build("shufflenet_v2_x0_5", classes=classes, **given)
        found = network.state_dict()
        for name, values in trained.items():
            if not name.startswith("fc."):
                assert torch.equal(found[f"stages.trunk.{name}"], values)
        assert network.classifier.out_features == classes
        if classes == 4:
            assert torch.equal(network.classifier.weight, trained["fc.weight"])
    with pytest.raises(InputError, match="does not hold the weights of this network"):
        build("mobilenet_v2", classes=4, **given)


# ---- mistakes ----


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("resnet19", {}, "no network named 'resnet19'; known: resnet18, resnet34, resnet50, resnet101, resnet152."),
        ("net", {}, "no network named 'net'; known: .*mobilenet_v2"),
        ("vgg11", {"widht": 2}, "vgg11: no option named 'widht' .*known: width, features, batch_norm,"),
        ("vgg11", {"depth": 3}, "vgg11: no option named 'depth' .*known: width, features, batch_norm,"),
        ("mobilenet_v2", {"width": 2}, "mobilenet_v2: no option named 'width' in torchvision's mobilenetv2."),
        ("mobilenet_v3_small", {"depth": 2}, "mobilenet_v3_small: no option named 'depth' in torchvision's"),
        (
            "mobilenet_v2",
            {"weights": "none.pth"},
            "weights: none.pth is neither the name of published weights nor a file",
        ),
        ("timm_resnet10t", {"depth": 2}, "timm_resnet10t: timm does not build it with depth=2"),
        ("timm_resnet11t", {}, "timm_resnet11t: timm has no model named 'resnet11t'"),
        (
            "timm_vit_tiny_patch16_224",
            {},
            "can't take images of 3 x 32 x 32 .*; `resize` and `padding` of the data set",
        ),
        ("vgg11", {"bottleneck": 1}, "vgg11.bottleneck: 1 is not allowed; it must be a whole number at least 2"),
        ("vgg11", {"classifier": "etf"}, "vgg11.classifier: no choice named 'etf'.*; known: linear, fixed_etf."),
        ("vgg11", {"classifier_bias": "no"}, "vgg11.classifier_bias: 'no' is not of type boolean."),
        (
            "resnet18",
            {"bottleneck": 8, "classifier": "fixed_etf"},
            "classifier: fixed_etf of 10 classes needs at least 9 features, found 8.",
        ),
        ("resnet18", {"width": 0}, "resnet18.width: 0 is not allowed; it must be a number at least 0.003"),
        ("resnet18", {"width": "wide"}, "resnet18.width: 'wide' is not of type number."),
        ("vgg11", {"features": 1.5}, "vgg11.features: 1.5 is not of type integer."),
        ("densenet40", {"growth_rate": 0}, "growth_rate: 0 is not allowed; it must be a whole number at least 1"),
        ("densenet100", {"compression": 1.5}, "compression: 1.5 is not allowed; it must be a number at most 1"),
        ("densenet40", {"image_size": 3}, "densenet40: images of 3 pixels are too small to be halved 2 times."),
        ("squeezenet1_1", {}, "squeezenet1_1: has no last-layer features"),
        ("mobilenet_v2", {"in_channels": 1}, "mobilenet_v2: can't take images of 1 x 32 x 32"),
        ("vit_b_16", {}, "vit_b_16: can't take images of 3 x 32 x 32"),
    ],
)
def test_a_mistake_is_one_sentence(name, given, message):
    with pytest.raises(InputError, match=message) as error:
        build(name, **{"in_channels": 3, "classes": 10, "image_size": 32, "seed": 0} | given)
    assert "\n" not in str(error.value)


def test_family_tells_our_networks_from_those_of_torchvision():
    assert [building_module(name) for name in ("vgg11", "resnet19", "densenet40")] == ["vgg", "resnet", "densenet"]
    assert {building_module(name) for name in ("vgg11_bn", "inception_v3", "resnext50_32x4d", "alexnet")} == {
        "torchvision_model"
    }
