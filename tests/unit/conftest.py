"""A folder with a valid file of each kind that a command reads."""

import os
import shutil

import pytest
from valid_files import make_all


@pytest.fixture(scope="session")
def valid(tmp_path_factory):
    """A folder with a valid file of each kind; never to be changed."""
    folder, before = tmp_path_factory.mktemp("valid"), os.getcwd()
    os.chdir(folder)
    try:
        make_all()
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def files(valid, tmp_path, monkeypatch):
    """A copy of the valid files, for one test to damage; the working folder."""
    shutil.copytree(valid, tmp_path / "files")
    monkeypatch.chdir(tmp_path / "files")
    return tmp_path / "files"
