"""A stand-in for conda, for the tests alone: it is NOT conda, and its solver and installer are not conda's.

Where no conda is installed, the tests of `--use-conda` put this in its place. It answers exactly the calls that
Snakemake 9.27 makes of conda, and refuses every other. Environments are solved and installed by rattler
(https://github.com/conda/rattler), from the channels that lie under the variable CONDA_CHANNEL_ALIAS; the conda-forge
that `build_channel` makes there holds one empty package for each distribution that envs/*.yaml name, in the version
installed beside the tests, and a `python` that is the tests' own interpreter and finds its packages. So the tests see
whether the environment files can be solved at the versions tested, whether every job runs in its environment, and what
a wrong pin does; they can't see what conda-forge offers.
"""

import asyncio
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import site
import sys
import tarfile
from pathlib import Path

import rattler
import yaml
from packaging.version import Version
from rattler.exceptions import SolverError
from rattler.index import index_fs

ON_PYPI = {"pytorch": "torch", "matplotlib-base": "matplotlib"}

# As conda's: the environment takes the place of the active one in PATH, which need not be at its front.
ACTIVATE = """
if [ -n "${CONDA_PREFIX:-}" ] && [[ ":$PATH:" == *":$CONDA_PREFIX/bin:"* ]]; then
    PATH=${PATH/"$CONDA_PREFIX/bin"/"$1/bin"}
else
    PATH=$1/bin:$PATH
fi
export PATH CONDA_PREFIX=$1
"""


def install_stand_in(prefix: Path) -> None:
    """Make the folder of the stand-in's own "base" environment, with bin/conda and bin/activate."""
    conda = prefix / "bin" / "conda"
    conda.parent.mkdir(parents=True)
    call = f"'{sys.executable}' '{__file__}' '{prefix}' \"$@\""
    conda.write_text(f"#!/bin/sh\nexec {call}\n")
    conda.chmod(0o755)
    (prefix / "bin" / "activate").write_text(ACTIVATE)


def build_channel(channel: Path, environments: list[Path]) -> None:
    """Make a conda channel of what the environment files name, as it is installed beside the tests.

    Raises importlib.metadata.PackageNotFoundError for a distribution that is not installed.
    """
    (channel / "noarch").mkdir(parents=True)
    for name in {spec.split()[0] for file in environments for spec in _read(file)["dependencies"]} - {"python"}:
        version = Version(importlib.metadata.version(ON_PYPI.get(name, name))).public
        _write_package(channel, name, version, files={}, links={})
    interpreter = os.path.realpath(sys.executable)
    packages = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    finds = "".join(f"import site; site.addsitedir({folder!r})\n" for folder in site.getsitepackages())
    _write_package(
        channel,
        "python",
        platform.python_version(),
        files={"pyvenv.cfg": f"home = {os.path.dirname(interpreter)}\n", f"{packages}/beside_the_tests.pth": finds},
        links={"bin/python": interpreter},
    )
    asyncio.run(index_fs(channel))


def _write_package(channel: Path, name: str, version: str, files: dict[str, str], links: dict[str, str]) -> None:
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": [], "subdir": "noarch"}
    paths = [
        {"_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(text.encode()).hexdigest()}
        for path, text in files.items()
    ] + [{"_path": path, "path_type": "softlink"} for path in links]
    info = {"info/index.json": index, "info/paths.json": {"paths": paths, "paths_version": 1}}
    with tarfile.open(channel / "noarch" / f"{name}-{version}-0.tar.bz2", "w:bz2") as package:
        for path, text in {**{path: json.dumps(value) for path, value in info.items()}, **files}.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            package.addfile(member, io.BytesIO(text.encode()))
        for path, target in links.items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            package.addfile(member)


def _read(environment: Path) -> dict:
    return yaml.safe_load(environment.read_text())


async def _create(base: Path, environment: Path, prefix: Path) -> None:
    wanted = _read(environment)
    channels = rattler.ChannelConfig(channel_alias=os.environ["CONDA_CHANNEL_ALIAS"] + "/")
    records = await rattler.solve(
        [rattler.Channel(name, channels) for name in wanted["channels"]],
        wanted["dependencies"],
        gateway=rattler.Gateway(cache_dir=base / "repodata"),
    )
    await rattler.install(records, prefix, cache_dir=base / "pkgs", show_progress=False)


def main(base: Path, call: list[str]) -> str | None:
    """Answer a call of conda's; returns what is wrong with it, if anything."""
    match call:
        case ["--version"]:
            print("conda 24.7.1")
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": str(base), "platform": str(rattler.Subdir.current())}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["env", "create", "--quiet", "--no-default-packages", "--file", environment, "--prefix", prefix]:
            try:
                asyncio.run(_create(base, Path(environment), Path(prefix)))
            except SolverError as error:
                return f"stand-in for conda: {environment} can't be solved:\n{error}"
        case ["clean", "-y", "--tarballs"]:
            pass
        case _:
            return f"stand-in for conda: no answer to `conda {' '.join(call)}`; Snakemake 9.27 does not ask this."
    return None


if __name__ == "__main__":
    if wrong := main(Path(sys.argv[1]), sys.argv[2:]):
        print(wrong, file=sys.stderr)
    sys.stdout.flush()
    os._exit(bool(wrong))  # rattler's threads may still run, and abort a Python that finalises (seen under load)
