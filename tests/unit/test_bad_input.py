"""What a user may get wrong ends in one sentence, whichever way it comes in, and leaves every file as it was."""

import io
import json
import os
import shutil
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_training
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from valid_files import COMMANDS, call, called

from neural_collapse.config.checks import read_config
from neural_collapse.config.runs import load_study
from neural_collapse.data.dataset import write_dataset
from neural_collapse.data.preparation import content_digest, load
from neural_collapse.errors import InputError
from neural_collapse.storage import read_arrays, read_metadata, write_arrays

pytest_plugins = ["valid_files"]

ROOT = Path(__file__).parents[2]


def state(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


# Damage, each a function of nothing that works in the folder of the files


def cut(name, share=0.5):
    return lambda: Path(name).write_bytes(Path(name).read_bytes()[: int(share * Path(name).stat().st_size)])


def cut_in_a_number(name):
    def save():
        content = Path(name).read_bytes()
        Path(name).write_bytes(content[: content.index(b"\n", len(content) // 2) - 1])

    return save


def written(name, content):
    content = content.encode() if isinstance(content, str) else content
    return lambda: Path(name).write_bytes(content)


def edited(name, old, new):
    """One piece of a file in place of another: both text, or both bytes."""
    old, new = (piece.encode() if isinstance(piece, str) else piece for piece in (old, new))

    def edit():
        content = Path(name).read_bytes()
        assert old in content
        Path(name).write_bytes(content.replace(old, new, 1))

    return edit


def arrays_of(name, **changed):
    """An .npz with some arrays replaced."""

    def save():
        with np.load(name) as file:
            arrays = dict(file)
        np.savez(name, **arrays | changed)

    return save


def checkpoint(change=lambda arrays: None, **architecture):
    def save():
        arrays, about = read_arrays("00.safetensors"), read_metadata("00.safetensors")
        change(arrays)
        write_arrays("00.safetensors", arrays, about | {"architecture": about["architecture"] | architecture})

    return save


def data(**changed):
    return lambda: write_dataset("data.safetensors", replace(tiny_training.dataset(), **changed))


def with_member(flags=0, method=zipfile.ZIP_STORED, content=b"", size=None):
    """images.npz whose train_images is written byte by byte: encrypted, of unknown compression, of any claimed size."""

    def save():
        with zipfile.ZipFile("images.npz", "w") as archive:
            archive.writestr("train_images.npy", content)
        raw = bytearray(Path("images.npz").read_bytes())
        directory = raw.index(b"PK\x01\x02")
        for start, offset in ((0, 6), (directory, 8)):
            struct.pack_into("<HH", raw, start + offset, flags, method)
        if size:
            struct.pack_into("<I", raw, directory + 24, size)
        Path("images.npz").write_bytes(raw)

    return save


def claims(shape):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return header.getvalue()


def bomb():
    with zipfile.ZipFile("images.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_images.npy", claims((2**29, 1, 1)) + bytes(2**29))


def picture(image, name="images/train/a/0.png", kind="PNG"):
    return lambda: image().save(name, kind)


def large_png():
    """60,000 x 60,000 pixels by its header."""
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    Path("images/train/a/0.png").write_bytes(
        png + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )


def deep_png():
    """A 16-bit RGB picture, which Pillow can read, and cuts, but not write."""
    rows = b"".join(b"\0" + bytes(36) for _ in range(6))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 6, 6, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    Path("images/train/a/0.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def not_finite(arrays):
    arrays["classifier.bias"][0] = np.inf


def no_number(arrays):
    arrays["classifier.weight"][0, 0] = np.nan


def damaged_metadata():
    save_file(read_arrays("00.safetensors"), "00.safetensors", {"metadata": "{"})


def no_measure(name):
    """metrics.csv without one row."""

    def drop():
        lines = Path("metrics.csv").read_text().splitlines(keepends=True)
        Path("metrics.csv").write_text("".join(lines) + lines[1].replace(",1,train", ",2,train"))

    return drop


def of_nine_classes():
    """system.csv with one value of a closed form given to another system."""
    lines = Path("system.csv").read_text().splitlines(keepends=True)
    place = max(place for place, line in enumerate(lines) if "snr_1__closed_form" in line and "within" in line)
    lines[place] = lines[place].replace("system,3,", "system,9,")
    Path("system.csv").write_text("".join(lines))


def nothing():
    pass


CASES = [
    # data out of distribution
    (
        nothing,
        COMMANDS["extract-outside"].replace("others=data", "others=colour"),
        "colour.safetensors: the images of 'others' are uint8 3x8x8, but the networks of 'squares' see uint8 1x8x8",
    ),
    (nothing, COMMANDS["extract-outside"].replace("others=", "test="), "--outside: 'test' is of the run's own data"),
    (nothing, COMMANDS["extract-outside"].replace("others=", "left_out="), "no class of it is left out of 'squares'"),
    (
        nothing,
        COMMANDS["measure-outside"].replace("outside.s", "data.s"),
        "data.safetensors: not what networks make of data out of distribution",
    ),
    # damaged tables
    (cut_in_a_number("metrics.csv"), "summarise", "metrics.csv: its last line has no end, so it was cut"),
    (cut_in_a_number("metrics.csv"), "collect", "metrics.csv: its last line has no end, so it was cut"),
    (edited("metrics.csv", "train,error,", "train,"), "collect", "metrics.csv"),
    (edited("metrics.csv", "squares,vgg11", "squares,"), "collect", "metrics.csv: row 2 lacks a value"),
    (no_measure("error"), "collect", "is not there for every epoch"),
    (written("metrics.csv", ""), "collect", "metrics.csv: can't be read as a table"),
    (written("metrics.csv", b"\xff\xfe\0"), "collect", "metrics.csv: can't be read as a table"),
    (nothing, "summarise metrics.csv other.csv --output out.json", "squares-vgg11-mse-seed0, squares-vgg11-mse-seed1"),
    (cut("tried.csv", 0.95), "choose", "tried.csv: its last line has no end"),
    (edited("tried.csv", "0.3", "7"), "choose", "tried.csv: not a file of `try-learning-rate`"),
    (written("squares-vgg11-mse.json", "[]"), "collect-sweep", "squares-vgg11-mse.json: not a file of `choose-"),
    (edited("squares-vgg11-mse.json", "0.7", "NaN"), "collect-sweep", "squares-vgg11-mse.json: not a file of"),
    (edited("checks.csv", "statement", "sentence"), "claims", "checks.csv: no statement; the columns of such a table"),
    (cut_in_a_number("system.csv"), "figure-of-systems", "system.csv: its last line has no end"),
    (
        of_nine_classes,
        "figure-of-systems",
        "9 classes, 4 examples each and 3 features has no snr_1: a table is damaged",
    ),
    (
        edited("system.csv", "system,3,4,3,within,0.0,snr_1", "a,3,4,3,within,0.0,snr_1"),
        "figure-of-systems",
        "every time",
    ),
    (nothing, COMMANDS["figure-of-portraits"].replace("squares-v", "v"), "mse-seed0.json: must be named after its run"),
    (edited("squares-vgg11-mse-seed0.json", '"labels":[0', '"labels":[7'), "figure-of-portraits", "not a portrait"),
    # data sets and networks that don't belong together, or are not whole
    (data(std=np.zeros(1)), "attack", "data.safetensors: not a prepared data set"),
    (data(test_labels=np.full(21, 9)), "extract", "data.safetensors: not a prepared data set"),
    (cut("data.safetensors"), "train", "data.safetensors: not a whole safetensors file"),
    (checkpoint(not_finite), "extract", "00.safetensors: classifier.bias is not finite"),
    (checkpoint(not_finite), "attack", "00.safetensors: classifier.bias is not finite"),
    (checkpoint(no_number), "attack", "00.safetensors: classifier.weight is not finite"),
    (damaged_metadata, "extract", "00.safetensors: what it says of its arrays is damaged"),
    (damaged_metadata, "attack", "00.safetensors: what it says of its arrays is damaged"),
    (written("00.safetensors", b""), "attack", "00.safetensors: not a whole safetensors file"),
    (checkpoint(classes=5), "attack", "its classes is 5, not 3"),
    (
        data(train_images=np.zeros((45, 1, 9, 9), np.uint8), test_images=np.zeros((21, 1, 9, 9), np.uint8)),
        "extract",
        "its image_size is 8, not 9",
    ),
    (written("card.json", "\x00"), "claims", "card.json: not a data set's card"),
    (written("card.json", '{"name": "own"}'), "report", "card.json: not a data set's card"),
    (written("card.json", "[]"), "expect", "card.json"),
    (checkpoint(image_size="8"), "extract", "00.safetensors: image_size: '8' is not of type integer"),
    (checkpoint(options={"width": -1}), "extract", "vgg11.width: -1 is not allowed"),
    (checkpoint(options={"width": 0.125}), "extract", "do not fit the network 'vgg11'"),
    (nothing, COMMANDS["attack"].replace("data.", "colour."), "its in_channels is 1, not 3"),
    (nothing, COMMANDS["extract"].replace("data.", "colour."), "its in_channels is 1, not 3"),
    (cut("features.safetensors"), "measure", "features.safetensors: not a whole safetensors file"),
    # flags
    *(
        (nothing, f"{COMMANDS[command]} {flag}", sentence)
        for command, flag, sentence in [
            ("train", "--batch-size -1", "--batch-size: -1 is not allowed; it must be a whole number at least 2"),
            ("train", "--batch-size 0", "--batch-size: 0 is not allowed"),
            ("train", "--batch-size 1", "--batch-size: 1 is not allowed"),
            ("train", "--batch-size 46", "batch_size: 46 is more than the 45 train images"),
            ("train", "--momentum 1", "--momentum: 1.0 is not allowed"),
            ("train", "--learning-rate 0", "--learning-rate: 0.0 is not allowed"),
            ("train", "--learning-rate nan", "--learning-rate: nan is not"),
            ("train", "--threads 0", "--threads: 0 is not allowed"),
            ("train", "--threads 1000000000", "--threads: 1000000000 is not allowed"),
            ("train", "--seed -1", "argument --seed: -1 is not allowed"),
            ("train", "--seed 9223372036854775808", "argument --seed: 9223372036854775808 is not allowed"),
            ("train", "--learning-rate-drops 1", "--learning_rate_drops: [1] must rise and end before"),
            ("train", "--network-options width=wide", "vgg11.width: 'wide' is not of type number"),
            ("train", "--network-options width=1e-9", "vgg11.width: 1e-09 is not allowed"),
            ("attack", "--overshoot nan", "argument --overshoot: nan is not"),
            ("attack", "--images 0", "argument --images: 0 is not allowed"),
            ("attack", "--loss mse,x", "argument --loss: 'mse,x' is not a name"),
            ("attack", "--network 'vgg11\n'", "argument --network: 'vgg11\\n' is not a name"),
            ("simulate", "--horizon 1e30", "argument --horizon: 1e+30 is not allowed"),
            ("simulate", "--output 'two\udce9.csv'", "two\\udce9: no text in UTF-8; give it another name"),
            ("simulate", "--spectrum 1e30 1e-30", "argument --spectrum: 1e+30 is not allowed"),
            ("extract", "--loss-options k=1", "loss 'mse': its options are none"),
            ("extract", "--output images", "images"),
            ("measure", "--weight-decay nan", "--weight-decay: must be a number of at least 0, found nan"),
            ("prepare-arrays", "--padding 40000", "argument --padding: 40000 is not allowed"),
            ("prepare-arrays", "--path ~nouser/x", "~nouser/x: can't be a path"),
            ("prepare-arrays", "--path /dev/zero", "/dev/zero: this is neither a file nor a folder"),
            ("prepare-arrays", f"--path {'x' * 5000}", "x...x"),
            ("prepare-arrays", "--expect card.json --card", "argument"),
            ("simulate", "--seed -1", "argument --seed: -1 is not allowed"),
            ("simulate", "--features 1", "argument --features: 1 is not allowed"),
        ]
    ),
    # a user's own arrays
    (with_member(flags=1, content=claims((1,))), "prepare-arrays", "encrypted"),
    (with_member(method=77, content=claims((1,))), "prepare-arrays", "images.npz: not a whole .npz file"),
    (with_member(content=b"text"), "prepare-arrays", "images.npz: not a whole .npz file"),
    (with_member(content=claims((2**46,))), "prepare-arrays", "has not the size that its header says"),
    (bomb, "prepare-arrays", "unpacks to 536871040 bytes from"),
    (arrays_of("images.npz", train_images=np.zeros((12, 0, 0), np.uint8)), "prepare-arrays", "H > 0"),
    (cut("images.npz"), "prepare-arrays", "images.npz: not a whole .npz file"),
    (edited("images.npz", b"PK\x01\x02", b"PK\x01\x03"), "prepare-arrays", "images.npz: not a whole .npz file"),
    (arrays_of("own.npz", weight=np.full((3, 4), np.nan)), "measure-own", "weight: all numbers must be finite"),
    # a user's own images
    (large_png, "prepare-folder", "images/train/a/0.png: not a whole image"),
    (deep_png, "prepare-folder", "its pixels have more than 8 bits"),
    (written("images/train/a/0.png", b"P6 6 6 65535\n" + bytes(216)), "prepare-folder", "have more than 8 bits"),
    (written("images/train/a/0.png", b"P6 x 6 255\n" + bytes(108)), "prepare-folder", "0.png: not a whole image"),
    (written("images/train/a/0.png", b"DDS " + bytes(40)), "prepare-folder", "0.png: not a whole image"),
    (written("images/train/a/0.png", b"\x01\xda" + b"\xff" * 600), "prepare-folder", "0.png: not a whole image"),
    (lambda: os.mkdir("images/train/a/b"), "prepare-folder", "images/train/a/b: this is no file"),
    (lambda: os.rename("images/train/b", "images/train/a\x1b[2J\n"), "prepare-folder", "'a\\x1b[2J\\n' is in only one"),
]


@pytest.mark.parametrize(("damage", "command", "sentence"), CASES, ids=range(len(CASES)))
def test_a_mistake_is_one_sentence_and_leaves_every_file_as_it_was(damage, command, sentence, files):
    damage()
    before = state(files)
    status, errors = call(COMMANDS.get(command, command))
    said = errors.splitlines()[-1]
    assert status != 0 and "error: " in said and sentence in said, errors
    assert "Traceback" not in errors and len(said) < 2100
    assert state(files) == before


def test_what_an_npz_holds_besides_is_named(files):
    np.savez("images.npz", **dict(np.load("images.npz")), class_names=np.array(["x"]))
    assert call(COMMANDS["prepare-arrays"]) == (0, "images.npz: not read: class_names\n")


def test_a_file_name_need_not_be_utf8(files):
    os.rename(b"images/train/a/0.png", b"images/train/a/\xe9.png")
    assert call(COMMANDS["prepare-folder"]) == (0, "") and content_digest("images")


def test_a_pickle_of_an_old_torchvision_is_never_opened(tmp_path, monkeypatch):
    from neural_collapse.vision import torchvision

    (tmp_path / "MNIST/processed").mkdir(parents=True)
    for name in ("training.pt", "test.pt"):
        (tmp_path / "MNIST/processed" / name).write_bytes(b"not a pickle")
    asked = []
    monkeypatch.setattr("torch.load", lambda *path, **_: asked.append(path))
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [])
    with pytest.raises(InputError):
        load("mnist", root=tmp_path)
    assert not asked


def test_a_training_that_diverges_in_its_last_step_says_so(files):
    """The only step: its loss is that of the initial weights."""
    step = "--batch-size 45 --learning-rate 1e30"
    status, errors = call(f"{COMMANDS['train']} {step}")
    assert status == 1 and errors.startswith("error: the training diverged in the last step of epoch 1: at learning")
    assert not Path("out").exists()
    assert call(f"{COMMANDS['try']} {step} --resume other")[0] == 0
    assert Path("out.csv").read_text().splitlines()[1:] == ["1e+30,1,1,nan,nan,nan,True"]


# The configuration

CONFIG = """\
study: small
studies:
  small:
    measured_epochs: 3
    networks: {vgg11: {width: 0.5}, densenet40: {growth_rate: 4}}
    datasets: {mine: {source: arrays, path: mine.npz}}
    runs:
      digits-vgg11-mse: {epochs: 9, learning_rate: 0.1}
      mine-densenet40-ce: {epochs: 9}
"""


def study_of(text, folder):
    path = folder / "config.yaml"
    path.write_bytes(text.encode(errors="surrogateescape") if isinstance(text, str) else text)
    return load_study(read_config(path))


def levels(count):
    return "\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, count))])


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("width: 0.5", "width: wide", "networks.vgg11.width: 'wide' is not of type number"),
        ("width: 0.5", "width: .inf", "networks.vgg11.width: inf is not"),
        ("width: 0.5", 'width: "0.1; x"', "networks.vgg11.width: '0.1; x' is not"),
        ("width: 0.5", "width: 1e-5", "networks.vgg11.width: 1e-05 is not allowed"),
        (
            "width: 0.5",
            "features: 1",
            "networks.vgg11.features: 1 is not allowed; it must be a whole number at least 2",
        ),
        ("growth_rate: 4", "growth_rate: -4", "networks.densenet40.growth_rate: -4 is not allowed"),
        ("growth_rate: 4", "growth_rate: abc", "networks.densenet40.growth_rate: 'abc' is not"),
        ("growth_rate: 4", "compression: .nan", "networks.densenet40.compression: nan is not"),
        ("epochs: 9,", "epochs: 9, batch_size: 1401,", "batch_size: 1401 is more than the 1400 train images"),
        ("epochs: 9,", "epochs: 9, threads: 1e9,", "threads: 1000000000 is not allowed"),
        ("epochs: 9,", "epochs: 010,", "line 8: 010 may be misread"),
        ("epochs: 9,", "epochs: 1:30,", "line 8: 1:30 may be misread"),
        ("epochs: 9,", "no: 9,", "line 8: no may be misread"),
        ("path: mine.npz", "path: -x", "'-x' is not a path"),
        ("path: mine.npz", "path: ''", "'' is not allowed"),
        ("path: mine.npz", 'path: "a\\0"', "'a\\x00' is not a path"),
        ("path: mine.npz", 'path: "\\ud800"', "is not a path"),
        ("path: mine.npz", "path: a, seed: -1", "datasets.mine.seed: -1 is not allowed"),
        ("path: mine.npz", "path: a, padding: 40000", "padding: 40000 is not allowed"),
        ("measured_epochs: 3", "seeds: [9223372036854775808]", "seeds.0: 9223372036854775808 is not allowed"),
        ("measured_epochs: 3", "sweep: {count: 3000000}", "sweep.count: 3000000 is not allowed"),
        ("measured_epochs: 3", "measured_epochs: [", "line 6: not valid YAML"),
        ("measured_epochs: 3", f"measured_epochs: {'x' * 9999}", "xx...xx"),
        ("measured_epochs: 3", "measured_epochs: &a [*a]", "too deep"),
        ("study: small", f"study: small\n{levels(9)}", "has more than 100000 values"),
        ("study: small", "study: sm\udce9ll", "line 1: not in UTF-8"),
        ("study: small", f"study: {'[' * 3000}", "too deep"),
        ("study: small", f"study: {'9' * 5000}", "can't be read"),
        ("  small:", '  "small\\n":', "is not a name"),
        ("  small:", f"  {'s' * 300}:", "at most 64"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_sentence(old, new, sentence, tmp_path):
    assert old in CONFIG
    study_of(CONFIG, tmp_path)
    with pytest.raises(InputError) as error:
        study_of(CONFIG.replace(old, new, 1), tmp_path)
    message = str(error.value)
    assert sentence in message and message.isprintable() and len(message) < 2100


def test_a_study_of_images_that_a_network_refuses_is_not_planned(tmp_path):
    config = yaml.safe_load(CONFIG)
    config["studies"]["small"]["runs"] = {"digits-densenet121-mse": {"epochs": 9}}
    load_study(config)
    config["studies"]["small"]["datasets"] = {"digits": {"train_per_class": 180}}
    with pytest.raises(InputError, match="there are no 180 examples of each class"):
        load_study(config)


def test_a_path_is_read_as_written(tmp_path):
    study = study_of(CONFIG.replace("mine.npz", '"2024e5"'), tmp_path)
    assert study.datasets["mine"]["path"] == "2024e5"


# Whatever comes in

MORE = int(os.environ.get("BAD_INPUT_CASES", 0))
"""Cases of each of the three tests below when they are run by hand, such as 10000; else what 60 s allow in all."""


def fuzzed(cases):
    return settings(
        max_examples=MORE or cases,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=not MORE,
        phases=[Phase.generate],  # the case as it was found says enough, and a smaller one takes minutes to find
    )


JUNK = st.sampled_from(
    [
        *[
            "",
            "-1",
            "0",
            "1",
            "1.5",
            "1e30",
            "-1e-30",
            "nan",
            "inf",
            "9" * 30,
            "9" * 5000,
            "abc",
            "\u00e9\udce9",
            "a\nb",
        ],
        *[
            "~x",
            "[]",
            "{}",
            "null",
            "true",
            "no",
            "010",
            "1:30",
            "2024-01-01",
            "&a",
            "*a",
            "!!python/none",
            "a,b",
            "--",
        ],
        "\x1b[2J",
    ]
)


@fuzzed(400)
@given(place=st.integers(0, len(CONFIG)), length=st.integers(0, 12), junk=JUNK | st.text(max_size=8))
def test_any_configuration_is_a_study_or_one_sentence(tmp_path_factory, place, length, junk):
    folder = tmp_path_factory.getbasetemp()
    text = CONFIG[:place] + junk + CONFIG[place + length :]
    try:
        study_of(text.encode(errors="replace" if "\udce9" not in text else "surrogateescape"), folder)
    except InputError as error:
        assert str(error).isprintable()


def in_copy(valid, work):
    """Whether a command, called in a fresh copy of the valid files after `work`, does well or says why not."""
    before, folder = os.getcwd(), valid.parent / "fuzzed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(valid, folder)
    os.chdir(folder)
    try:
        status, errors = call(work())
        assert "Traceback" not in errors
        if status != 0:
            assert "error: " in errors.splitlines()[-1]
        else:
            assert_finite(folder)
    finally:
        os.chdir(before)


def assert_finite(folder):
    for path in folder.glob("out*"):
        if path.suffix == ".json":
            json.loads(path.read_text(), parse_constant=pytest.fail)  # NaN, Infinity
        if path.suffix == ".csv":
            header, *rows = path.read_text().splitlines()
            for row in rows if header.endswith((",value", ",diverged")) else []:
                # An image that is not fooled has no distance; a rate that diverged has no errors.
                excused = "robustness" in row or "cosine_margin" in row or row.endswith("True")
                assert excused or not {"nan", "inf", "-inf"} & set(row.split(",")[3:]), row  # after the names


SLOW = {"attack", "simulate", "figure", "figure-of-systems", "figure-of-portraits", "figures", "claims", "report"}
"""Commands that take seconds: a case in ten."""


def often(choices, is_slow):
    quick, slow = [[x for x in choices if is_slow(x) == of] for of in (False, True)]
    return st.integers(0, 9).flatmap(lambda case: st.sampled_from(quick if case else slow))


@fuzzed(120)
@given(command=often(sorted(COMMANDS), SLOW.__contains__), place=st.integers(0, 99), junk=JUNK)
def test_any_flag_is_followed_or_refused_with_one_sentence(valid, command, place, junk):
    words = COMMANDS[command].split()
    values = [i for i, word in enumerate(words) if i and not word.startswith("--")]
    place = values[place % len(values)]
    words[place] = junk if "=" not in words[place] else f"{words[place].split('=')[0]}={junk}"
    in_copy(valid, lambda: words)


READ = [
    *[("train", "data.safetensors"), ("attack", "00.safetensors"), ("extract", "00.safetensors")],
    *[("extract-outside", "data.safetensors"), ("measure-outside", "outside.safetensors")],
    *[("extract", "data.safetensors"), ("measure", "features.safetensors"), ("measure-own", "own.npz")],
    *[("summarise", "metrics.csv"), ("collect", "metrics.csv"), ("choose", "tried.csv")],
    *[("collect-sweep", "squares-vgg11-mse.json"), ("prepare-arrays", "images.npz")],
    *[("prepare-folder", "images/train/a/0.png"), ("resume", "half/state.safetensors"), ("plan", "config.yaml")],
    *[("measure-pt", "own.pt"), ("measure-h5", "own.h5"), ("measure-table", "own.csv")],
    *[("measure-parquet", "own.parquet"), ("portrait", "features.safetensors")],
    *[("figure-of-portraits", "squares-vgg11-mse-seed0.json"), ("report", "squares-vgg11-mse-seed0.json")],
    *[("table", "metrics.csv"), ("figure", "metrics.csv"), ("figures", "metrics.csv"), ("claims", "card.json")],
    *[("claims", "checks.csv"), ("figure-of-systems", "system.csv"), ("report", "card.json")],
    *[("take", "brought/1.pt"), ("measure-brought", "brought/1.npz"), ("find", "brought.yaml")],
]


FOUND = {
    "take": COMMANDS["find"].replace("out.", "weights."),
    "measure-brought": COMMANDS["find"].replace("digits-vgg11-mse", "wide").replace("out.", "wide."),
}
"""The look at the files that these commands read, which comes before them."""


@fuzzed(120)
@given(
    read=often(READ, lambda read: read[0] in SLOW),
    place=st.floats(0, 1, exclude_max=True),
    early=st.booleans(),
    change=st.sampled_from(["cut", "flip", "drop", "repeat"]),
    value=st.integers(1, 255),
)
def test_any_damaged_file_is_read_or_refused_with_one_sentence(valid, read, place, early, change, value):
    command, name = read

    def damage():
        content = bytearray(Path(name).read_bytes())
        at = int(place * min(len(content), 400 if early else len(content)))
        if change == "cut":
            del content[at:]
        elif change == "flip":
            content[at] ^= value
        elif change == "drop":
            del content[at : at + value]
        else:
            content[at:at] = content[at : at + value]
        Path(name).write_bytes(content)
        if command in FOUND:  # or it would be refused for not being the file that was found
            called(FOUND[command])
        return COMMANDS[command]

    in_copy(valid, damage)
