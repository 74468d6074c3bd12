"""Data sets: preparation, the user's own files, and torchvision's files in their canonical formats, made small."""

import gzip
import hashlib
import importlib
import pickle
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from neural_collapse.__main__ import main
from neural_collapse.config.declarations import modules
from neural_collapse.config.imbalance import class_counts
from neural_collapse.data.dataset import read_dataset, standardise, write_dataset
from neural_collapse.data.preparation import RawDataset, balanced_sample, content_digest, load, prepare, resized
from neural_collapse.errors import InputError
from neural_collapse.storage import write_arrays
from neural_collapse.train.networks import build
from neural_collapse.vision import torchvision


def examples(count, shape, classes=10, seed=0):
    """Random images (N, *shape) and labels that run through the classes."""
    images = np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)
    return images, np.arange(count) % classes


def raw_dataset(count=40, shape=(3, 6, 6), classes=4):
    return RawDataset(*examples(count, shape, classes), *examples(12, shape, classes, seed=1), tuple("abcd"[:classes]))


def prepared(raw, train_per_class="all", padding=0, seed=0):
    return prepare(raw, name="mine", train_per_class=train_per_class, padding=padding, seed=seed)


def assert_mistake(*named, when):
    """`when()` raises an InputError of one sentence that names what it must."""
    with pytest.raises(InputError) as error:
        when()
    message = str(error.value)
    assert message.endswith(".") and "\n" not in message
    for name in named:
        assert str(name) in message


# Preparation


def test_subsample_is_balanced_seeded_and_nested():
    labels = np.random.default_rng(3).integers(0, 5, 500)
    chosen = balanced_sample(labels, 20, seed=7)
    assert np.bincount(labels[chosen]).tolist() == [20] * 5
    assert (np.diff(chosen) > 0).all()
    assert np.array_equal(chosen, balanced_sample(labels, 20, seed=7))
    assert not np.array_equal(chosen, balanced_sample(labels, 20, seed=8))
    assert set(balanced_sample(labels, 9, seed=7)) < set(chosen)


def test_all_leaves_the_train_set_as_it_is_and_the_test_set_is_always_whole():
    raw = raw_dataset()
    assert np.array_equal(prepared(raw).train_images, raw.train_images)
    few = prepared(raw, train_per_class=2)
    assert len(few.train_labels) == 8
    assert np.array_equal(few.test_images, raw.test_images) and np.array_equal(few.test_labels, raw.test_labels)


def test_statistics_are_of_the_padded_subsampled_train_set():
    dataset = prepared(raw_dataset(shape=(3, 5, 5)), train_per_class=3, padding=2)
    assert dataset.train_images.shape == (12, 3, 9, 9) and dataset.test_images.shape == (12, 3, 9, 9)
    assert not dataset.train_images[:, :, :2].any() and not dataset.test_images[:, :, :, -2:].any()
    pixels = dataset.train_images.astype(np.float64) / 255
    np.testing.assert_allclose(dataset.mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-14)
    np.testing.assert_allclose(dataset.std, pixels.std(axis=(0, 2, 3)), rtol=1e-14)


def test_a_source_without_a_test_set_tests_on_what_is_left():
    digits = load("digits")
    dataset = prepared(digits, train_per_class=140)
    assert len(dataset.train_labels) == 1400 and len(dataset.test_labels) == 397
    together = np.concatenate([dataset.train_images, dataset.test_images]).reshape(1797, 64)
    everything = digits.train_images.reshape(1797, 64)
    assert sorted(map(bytes, together)) == sorted(map(bytes, everything))
    assert digits.train_images.max() == 255
    assert_mistake("train_per_class", when=lambda: prepared(digits, "all"))


# Classes that are not alike


def varied(raw, train_per_class=8, seed=0, **settings):
    return prepare(raw, name="mine", train_per_class=train_per_class, padding=0, seed=seed, **settings)


def identities(images):
    return set(map(bytes, images))


def test_long_tails_are_those_that_are_published():
    """CIFAR10-LT with ratio 100, as papers list it."""
    published = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert class_counts(10, 5000, 100, "long_tailed") == published
    assert class_counts(5, 140, 10, "step") == [140, 140, 140, 14, 14]
    assert class_counts(2, 7, 7, "long_tailed") == class_counts(2, 7, 7, "step") == [7, 1]


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("profile", ["long_tailed", "step"])
def test_imbalance_takes_train_examples_alone_and_more_of_it_takes_more(profile, pool):
    raw = raw_dataset()
    if pool:
        raw = replace(raw, test_images=None, test_labels=None)
    balanced, some, more = (
        varied(raw, imbalance=ratio, imbalance_profile=profile) if ratio else varied(raw) for ratio in (None, 2, 8)
    )
    assert np.bincount(some.train_labels).tolist() == ([8, 8, 4, 4] if profile == "step" else [8, 6, 5, 4])
    assert np.bincount(more.train_labels).tolist() == ([8, 8, 1, 1] if profile == "step" else [8, 4, 2, 1])
    assert identities(more.train_images) < identities(some.train_images) < identities(balanced.train_images)
    for dataset in (some, more):
        assert np.array_equal(dataset.test_images, balanced.test_images)
        assert np.array_equal(dataset.test_labels, balanced.test_labels)
        labels = {bytes(image): label for image, label in zip(raw.train_images, raw.train_labels, strict=True)}
        assert [labels[bytes(image)] for image in dataset.train_images] == dataset.train_labels.tolist()
    again = varied(raw, imbalance=2, imbalance_profile=profile)
    assert np.array_equal(again.train_images, some.train_images)
    assert identities(varied(raw, seed=1, imbalance=2).train_images) != identities(
        varied(raw, imbalance=2).train_images
    )


def test_label_noise_replaces_the_share_by_other_classes_all_as_likely(tmp_path):
    raw = raw_dataset(count=4000, shape=(1, 2, 2))
    clean, some, more = (
        varied(raw, "all", label_noise=share) if share else varied(raw, "all") for share in (0, 0.1, 0.4)
    )
    wrong = some.train_labels != clean.train_labels
    assert wrong.sum() == 400 and (more.train_labels != clean.train_labels).sum() == 1600
    assert np.array_equal(some.train_labels[wrong], more.train_labels[wrong]), "more noise keeps what less replaced"
    assert np.array_equal(some.true_train_labels, clean.train_labels) and clean.true_train_labels is None
    assert np.array_equal(some.test_labels, clean.test_labels)
    moves = np.zeros((4, 4), dtype=int)
    np.add.at(moves, (clean.train_labels, more.train_labels), 1)
    off_diagonal = moves[~np.eye(4, dtype=bool)]
    assert np.abs(off_diagonal - 1600 / 12).max() < 5 * (1600 / 12) ** 0.5
    write_dataset(tmp_path / "noisy.safetensors", some)
    assert np.array_equal(read_dataset(tmp_path / "noisy.safetensors").true_train_labels, clean.train_labels)
    write_dataset(tmp_path / "clean.safetensors", clean)
    assert read_dataset(tmp_path / "clean.safetensors").true_train_labels is None
    assert_mistake("label_noise", "0 of 32", when=lambda: varied(raw, label_noise=0.01))
    assert_mistake("label_noise", "32 of 32", when=lambda: varied(raw, label_noise=0.99))


@pytest.mark.parametrize("pool", [False, True])
def test_classes_are_left_out_of_both_splits_and_the_others_numbered_anew(pool):
    raw = raw_dataset()
    if pool:
        raw = replace(raw, test_images=None, test_labels=None)
    whole, part = varied(raw), varied(raw, left_out_classes=[2, 0])
    assert part.class_names == ("b", "d")
    for split in ("train", "test"):
        labels = getattr(whole, f"{split}_labels")
        kept = [i for i in range(len(labels)) if labels[i] in (1, 3)]
        names = [whole.class_names[labels[i]] for i in kept]
        found = getattr(part, f"{split}_labels")
        assert sorted(part.class_names[label] for label in found) == sorted(names)
    pixels = {bytes(image): label for image, label in zip(raw.train_images, raw.train_labels, strict=True)}
    for image, label in zip(part.train_images, part.train_labels, strict=True):
        assert "abcd"[pixels[bytes(image)]] == part.class_names[label]
    for wrong in ([4], [0, 1, 2]):
        assert_mistake("left_out_classes", "0 to 3", when=lambda wrong=wrong: varied(raw, left_out_classes=wrong))


def test_what_no_train_set_can_be_is_refused():
    raw = raw_dataset()
    assert_mistake("imbalance", "train_per_class", when=lambda: varied(raw, "all", imbalance=2))
    assert_mistake("imbalance 9 of 8", "last class", when=lambda: varied(raw, imbalance=9))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_standardise(memory_format):
    dataset = prepared(raw_dataset())
    images = torch.from_numpy(dataset.train_images).to(memory_format=memory_format)
    before = images.clone()
    result = standardise(images, dataset.mean, dataset.std)
    expected = (dataset.train_images / 255 - dataset.mean[:, None, None]) / dataset.std[:, None, None]
    assert result.dtype == torch.float32 and result.is_contiguous(memory_format=memory_format)
    assert torch.equal(images, before)
    np.testing.assert_allclose(result.numpy(), expected, atol=3e-7)
    assert torch.equal(result, standardise(images, torch.from_numpy(dataset.mean), torch.from_numpy(dataset.std)))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"train_images": np.zeros((40, 3, 6, 6), np.float32)}, "float32"),
        ({"train_images": np.zeros((40, 3, 6, 5), np.uint8)}, "square"),
        ({"train_images": np.zeros((40, 3, 6, 6), np.uint8)}, "channel 0"),
        ({"train_images": np.zeros((39, 3, 6, 6), np.uint8)}, "39 images"),
        ({"test_images": np.zeros((12, 3, 8, 8), np.uint8)}, "3x8x8"),
        ({"train_labels": np.arange(40) % 4 + 1}, "4 is among them"),
        ({"train_labels": np.arange(40) % 4 - 1}, "-1 is among them"),
        ({"train_labels": np.arange(40) % 4 / 1}, "float64"),
        ({"train_labels": np.arange(40) % 3}, "class 3 ('d')"),
        ({"test_labels": np.arange(12) % 3}, "test set has no example of class 3"),
        ({"class_names": ("a",)}, "two classes"),
    ],
)
def test_examples_that_break_the_promise_are_refused(change, named):
    assert_mistake("mine", named, when=lambda: prepared(replace(raw_dataset(), **change)))


def test_a_class_with_too_few_examples_is_named():
    assert_mistake(
        "train_per_class is 11", "class 0 ('a')", "only 10", when=lambda: prepared(raw_dataset(), train_per_class=11)
    )


def test_the_test_set_is_whole_unless_it_is_to_be_sampled():
    raw = raw_dataset()
    whole, part = (
        prepare(raw, name="mine", train_per_class=3, test_per_class=n, padding=0, seed=0) for n in ("all", 1)
    )
    assert len(whole.test_labels) == len(raw.test_labels)
    assert np.bincount(part.test_labels).tolist() == [1] * len(raw.class_names)
    assert_mistake(
        "test_per_class is 99",
        when=lambda: prepare(raw, name="mine", train_per_class=3, test_per_class=99, padding=0, seed=0),
    )


# The step and its file


def prepare_digits(output, seed=0):
    flags = "--source digits --train-per-class 5 --padding 1 --name digits"
    return main(
        ["prepare-dataset", *flags.split(), "--seed", str(seed), "--output", str(output), "--card", f"{output}.json"]
    )


def test_the_step_gives_the_same_bytes_for_the_same_seed(tmp_path):
    files = [tmp_path / f"{index}.safetensors" for index in range(3)]
    assert [prepare_digits(file, seed) for file, seed in zip(files, (0, 0, 1), strict=True)] == [0, 0, 0]
    first, again, other = (file.read_bytes() for file in files)
    assert first == again != other
    dataset = read_dataset(files[0])
    assert dataset.name == "digits" and dataset.class_names == tuple("0123456789")
    assert dataset.train_images.shape == (50, 1, 10, 10) and dataset.train_images.dtype == np.uint8
    assert dataset.train_labels.dtype == np.int64 and dataset.mean.dtype == np.float64


def test_an_unknown_source_and_a_file_of_another_kind_are_refused(tmp_path):
    assert_mistake("digit", "cifar10, cifar100, digits", when=lambda: load("digit"))
    assert "preparation" not in modules("data.sources")
    other = tmp_path / "other.safetensors"
    write_arrays(other, {"features": np.zeros(3)})
    assert_mistake(other, when=lambda: read_dataset(other))


def test_reading_a_prepared_data_set_needs_no_torch(tmp_path):
    prepare_digits(tmp_path / "digits.safetensors")
    code = "import sys; from neural_collapse.data.dataset import read_dataset; read_dataset(sys.argv[1]); "
    code += "assert 'torch' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "digits.safetensors"],
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )


# A user's own data


def own_arrays(layout):
    """Arrays for an .npz whose images have the layout given, and the images as (N, C, H, W)."""
    channels = 3 if "C" in layout else 1
    images, labels = examples(12, (channels, 6, 6), classes=3)
    order = {"NHW": images[:, 0], "NCHW": images, "NHWC": images.transpose(0, 2, 3, 1)}[layout]
    arrays = {"train_images": order, "train_labels": labels, "test_images": order, "test_labels": labels[:, None]}
    return arrays, images


@pytest.mark.parametrize("layout", ["NHW", "NHWC", "NCHW"])
def test_arrays_of_every_layout(tmp_path, layout):
    arrays, images = own_arrays(layout)
    np.savez(tmp_path / "own.npz", **arrays)
    dataset = prepared(load("arrays", path=tmp_path / "own.npz"), train_per_class=4)
    assert np.array_equal(dataset.train_images, images)
    assert np.array_equal(dataset.test_labels, arrays["train_labels"])
    assert dataset.class_names == ("0", "1", "2")


def test_mistakes_in_arrays(tmp_path):
    arrays, _ = own_arrays("NHW")
    path = tmp_path / "own.npz"

    def mistake(*named, **changes):
        np.savez(path, **{name: array for name, array in (arrays | changes).items() if array is not None})
        assert_mistake(path, *named, when=lambda: load("arrays", path=path))

    mistake("test_labels", test_labels=None)
    mistake("(12, 5, 6, 6)", train_images=np.zeros((12, 5, 6, 6), np.uint8))
    mistake("whole .npz", train_labels=np.array([{}] * 12, dtype=object))
    np.savez(path, **arrays)
    whole = path.read_bytes()
    altered = bytearray(whole)
    altered[200] ^= 1
    for damaged in (whole[:-100], bytes(altered), pickle.dumps(arrays)):
        path.write_bytes(damaged)
        assert_mistake(path, when=lambda: load("arrays", path=path))
    assert_mistake("nowhere.npz: there is no such file", when=lambda: load("arrays", path=tmp_path / "nowhere.npz"))
    assert_mistake("path", when=lambda: load("arrays"))


def save_images(folder, images, names=("cat", "dog")):
    for split in ("train", "test"):
        for index, image in enumerate(images):
            file = folder / split / names[index % len(names)] / f"{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)


@pytest.mark.parametrize("channels", [1, 3])
def test_folder_of_images(tmp_path, channels):
    images, labels = examples(6, (6, 6, channels), classes=2)
    save_images(tmp_path, images.squeeze())
    digest = content_digest(tmp_path)
    for ignored in ("README", ".DS_Store", "train/.DS_Store", "train/labels.txt", "train/cat/.DS_Store"):
        (tmp_path / ignored).touch()
    assert content_digest(tmp_path) == digest
    raw = load("folder", path=tmp_path)
    order = np.argsort(labels, kind="stable")
    assert np.array_equal(raw.train_images, images[order].transpose(0, 3, 1, 2))
    assert np.array_equal(raw.train_labels, labels[order]) and np.array_equal(raw.test_labels, labels[order])
    assert raw.class_names == ("cat", "dog")
    (tmp_path / "train" / "cat" / "0.png").rename(tmp_path / "train" / "cat" / "9.png")
    assert content_digest(tmp_path) != digest


def test_mistakes_in_a_folder_of_images(tmp_path):
    images, _ = examples(4, (6, 6, 3))
    save_images(tmp_path, images)

    def mistake(*named):
        assert_mistake(tmp_path, *named, when=lambda: load("folder", path=tmp_path))

    file = tmp_path / "train" / "cat" / "0.png"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    mistake(file)
    file.write_text("not an image")
    mistake(file)
    Image.fromarray(images[0, :, :, 0].astype(np.uint16)).save(file)
    mistake(file, "8 bits")
    Image.fromarray(images[0, :5]).save(file)
    mistake(file, "6x5", "6x6")
    file.write_bytes(whole)
    (tmp_path / "train" / "eel").mkdir()
    mistake("train", "at least one image")
    (tmp_path / "train" / "eel" / "0.png").write_bytes(whole)
    mistake("eel")
    assert_mistake("nowhere", when=lambda: load("folder", path=tmp_path / "nowhere"))


# torchvision's data sets, from small files in their canonical formats


def md5(file):
    return hashlib.md5(file.read_bytes()).hexdigest()


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    return header + array.astype(np.uint8).tobytes()


def idx_files(root, name, train, test):
    files = {}
    for split, (images, labels) in (("train", train), ("t10k", test)):
        files |= {f"{split}-images-idx3-ubyte": idx(images[:, 0]), f"{split}-labels-idx1-ubyte": idx(labels)}
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return [folder / file for file in files]


def make_mnist(root, patch, source, name):
    train, test = examples(20, (1, 28, 28)), examples(10, (1, 28, 28), seed=1)
    files = idx_files(root, name, train, test)
    patch.setattr(f"neural_collapse.data.sources.{source}.MD5", {file.name: md5(file) for file in files})
    return train, test, files


def make_svhn(root, patch):
    train, test = examples(20, (3, 32, 32)), examples(10, (3, 32, 32), seed=1)
    files = {split: root / f"{split}_32x32.mat" for split in ("train", "test")}
    for (images, labels), file in zip((train, test), files.values(), strict=True):
        # The digit 0 has the label 10 in these files.
        y = np.where(labels == 0, 10, labels)[:, None].astype(np.uint8)
        scipy.io.savemat(file, {"X": images.transpose(2, 3, 1, 0), "y": y})
    entries = {split: ["http://none", file.name, md5(file)] for split, file in files.items()}
    patch.setattr(torchvision.datasets.SVHN, "split_list", entries)
    return train, test, list(files.values())


def make_cifar(root, patch, data_set, classes, label_key):
    train, test = (examples(classes * n, (3, 32, 32), classes, seed=n) for n in (2, 1))
    folder = root / data_set.base_folder
    folder.mkdir()
    names = [file for file, _ in data_set.train_list]
    batches = dict(zip(names, np.array_split(np.arange(classes * 2), len(names)), strict=True))
    contents = {
        file: {"data": train[0][chosen].reshape(len(chosen), -1), label_key: train[1][chosen].tolist()}
        for file, chosen in batches.items()
    }
    contents[data_set.test_list[0][0]] = {"data": test[0].reshape(classes, -1), label_key: test[1].tolist()}
    contents[data_set.meta["filename"]] = {data_set.meta["key"]: [f"class {label}" for label in range(classes)]}
    for file, content in contents.items():
        (folder / file).write_bytes(pickle.dumps(content))
    patch.setattr(data_set, "train_list", [[file, md5(folder / file)] for file in batches])
    patch.setattr(data_set, "test_list", [[data_set.test_list[0][0], md5(folder / data_set.test_list[0][0])]])
    patch.setattr(data_set, "meta", data_set.meta | {"md5": md5(folder / data_set.meta["filename"])})
    return train, test, [folder / file for file in contents]


def make_stl10(root, patch):
    train, test = examples(20, (3, 96, 96)), examples(10, (3, 96, 96), seed=1)
    folder = root / "stl10_binary"
    folder.mkdir()
    data_set = importlib.import_module("neural_collapse.data.sources.stl10")._LabelledSTL10
    for split, (images, labels) in (("train", train), ("test", test)):
        images.transpose(0, 1, 3, 2).tofile(folder / f"{split}_X.bin")
        (labels + 1).astype(np.uint8).tofile(folder / f"{split}_y.bin")
        files = [[file, md5(folder / file)] for file in (f"{split}_X.bin", f"{split}_y.bin")]
        patch.setattr(data_set, f"{split}_list", files)
    return train, test, sorted(folder.iterdir())


MAKERS = {
    "mnist": lambda root, patch: make_mnist(root, patch, "mnist", "MNIST"),
    "fashionmnist": lambda root, patch: make_mnist(root, patch, "fashionmnist", "FashionMNIST"),
    "svhn": make_svhn,
    "cifar10": lambda root, patch: make_cifar(root, patch, torchvision.datasets.CIFAR10, 10, "labels"),
    "cifar100": lambda root, patch: make_cifar(root, patch, torchvision.datasets.CIFAR100, 100, "fine_labels"),
    "stl10": make_stl10,
}


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.mark.parametrize("source", MAKERS)
def test_an_existing_copy_is_read_without_a_network(source, tmp_path, monkeypatch, no_network):
    train, test, _ = MAKERS[source](tmp_path, monkeypatch)
    dataset = prepared(load(source, root=tmp_path))
    assert np.array_equal(dataset.train_images, train[0]) and np.array_equal(dataset.train_labels, train[1])
    assert np.array_equal(dataset.test_images, test[0]) and np.array_equal(dataset.test_labels, test[1])


@pytest.mark.parametrize("source", MAKERS)
def test_a_damaged_or_missing_file_is_one_sentence(source, tmp_path, monkeypatch, no_network):
    _, _, files = MAKERS[source](tmp_path, monkeypatch)
    for file in files:
        whole = file.read_bytes()
        for damaged in (whole[:-3], whole[:-1] + bytes([whole[-1] ^ 1])):
            file.write_bytes(damaged)
            assert_mistake(file, "truncated or altered", "delete it", when=lambda: load(source, root=tmp_path))
            assert file.read_bytes() == damaged
        file.write_bytes(whole)
    files[0].unlink()
    assert_mistake(tmp_path, "no network", "connect", when=lambda: load(source, root=tmp_path))


def test_archives_of_idx_files_are_unpacked(tmp_path, monkeypatch, no_network):
    train, _, files = MAKERS["mnist"](tmp_path, monkeypatch)
    archives = []
    for file in files:
        archives.append(file.with_name(f"{file.name}.gz"))
        archives[-1].write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    resources = [(archive.name, md5(archive)) for archive in archives]
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    assert np.array_equal(load("mnist", root=tmp_path).train_images, train[0])


@pytest.mark.parametrize(("shape", "size"), [((6, 6), 3), ((7, 5), 3), ((4, 4), 8), ((5, 9), 5)])
def test_scaling_is_that_of_pillow_up_to_its_rounding(shape, size):
    """Pillow's bilinear filter, whose weights have eight bits, applied to the middle square."""
    images = np.random.default_rng(0).integers(0, 256, (3, 2, *shape), dtype=np.uint8)
    found = resized(images, size)
    side, top, left = min(shape), (shape[0] - min(shape)) // 2, (shape[1] - min(shape)) // 2
    for index, image in enumerate(images[:, :, top : top + side, left : left + side]):
        for channel, pixels in enumerate(image):
            expected = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR), dtype=int)
            assert np.abs(found[index, channel] - expected).max() <= 1
    assert found.dtype == np.uint8


def test_images_of_a_folder_may_differ_in_size_once_they_are_scaled(tmp_path):
    for split in ("train", "test"):
        for number, size in enumerate([(9, 6), (6, 6), (12, 30)]):
            for class_ in "ab":
                (tmp_path / split / class_).mkdir(parents=True, exist_ok=True)
                Image.new("L", size, 10 * number).save(tmp_path / split / class_ / f"{number}.png")
    with pytest.raises(InputError, match="differ; set `resize`"):
        load("folder", path=tmp_path)
    raw = load("folder", path=tmp_path, resize=6)
    assert raw.train_images.shape == (6, 1, 6, 6) and set(raw.train_images[2].ravel()) == {20}
    dataset = prepare(raw, name="mine", train_per_class="all", resize=6, padding=1, seed=0)
    assert dataset.train_images.shape == (6, 1, 8, 8)


def test_features_that_are_no_image_are_standardised_and_trained_on(tmp_path):
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = 100 * generator.normal(size=(3, 7))[labels] + generator.normal(size=(60, 7)) - 1000
    arrays = {"train_features": features[:45], "train_labels": labels[:45], "test_features": features[45:]}
    np.savez(tmp_path / "mine.npz", **arrays, test_labels=labels[45:])
    raw = load("arrays", path=tmp_path / "mine.npz")
    dataset = prepare(raw, name="mine", train_per_class="all", padding=0, seed=0)
    write_dataset(tmp_path / "data.safetensors", dataset)
    dataset = read_dataset(tmp_path / "data.safetensors")
    images = torch.from_numpy(dataset.train_images)
    before = images.clone()
    found = standardise(images, dataset.mean, dataset.std)[:, :, 0, 0]
    expected = (features[:45] - features[:45].mean(0)) / features[:45].std(0)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)
    assert torch.equal(images, before)
    network = build("perceptron3", in_channels=7, classes=3, image_size=1, seed=0, features=16)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(found[:, :, None, None]), torch.from_numpy(labels[:45])).backward()
        optimizer.step()
    assert (network(found[:, :, None, None]).argmax(1).numpy() == labels[:45]).all()
    with pytest.raises(InputError, match="features are no images"):
        prepare(raw, name="mine", train_per_class="all", padding=1, seed=0)
    np.savez(tmp_path / "mine.npz", **arrays | {"train_features": features[:45] * 1e300}, test_labels=labels[45:])
    with pytest.raises(InputError, match="train features: all numbers must be finite"):
        prepare(load("arrays", path=tmp_path / "mine.npz"), name="mine", train_per_class="all", padding=0, seed=0)


def test_data_of_ones_own_that_change_before_or_while_they_are_read_leave_no_card(tmp_path, monkeypatch, capsys):
    path = tmp_path / "mine.npz"
    images, labels = examples(20, (6, 6), 2)
    save = partial(np.savez, path, train_labels=labels, test_labels=labels, test_images=images)
    save(train_images=images)
    files = [tmp_path / name for name in ("mine.safetensors", "mine.json", "origin.json")]
    flags = ["--name", "mine", "--source", "arrays", "--train-per-class", "all", "--padding", "0", "--seed", "0"]
    flags += ["--path", str(path), "--content", content_digest(path)]
    flags += ["--output", str(files[0]), "--card", str(files[1]), "--origin", str(files[2])]
    assert main(["prepare-dataset", *flags]) == 0 and all(file.exists() for file in files)
    for file in files:
        file.unlink()

    def edited_and_put_back(*arguments, **options):
        before = path.read_bytes()
        save(train_images=images[::-1])
        raw = load(*arguments, **options)
        path.write_bytes(before)
        return raw

    monkeypatch.setattr("neural_collapse.steps.prepare_dataset.load", edited_and_put_back)
    assert main(["prepare-dataset", *flags]) == 1
    monkeypatch.undo()
    save(train_images=images[::-1])
    assert main(["prepare-dataset", *flags]) == 1
    assert capsys.readouterr().err.count(f"{path}: was changed after this was planned; repeat the command.") == 2
    assert not any(file.exists() for file in files)
