"""What preparing LSP leaves on disk: elsewhere, on a full disk, killed, damaged, replaced, read by many."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from posenb import data
from posenb.cli import app
from posenb.data import fetch, lsp, prepared
from posenb.errors import DataError, UserError
from tests.formats.leeds_files import Official, kept, left, three_people
from tests.formats.leeds_files import load_lsp as load


@pytest.fixture
def official() -> Official:
    return three_people()


class TestKeptElsewhere:
    @pytest.fixture
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("POSENB_HOME", str(tmp_path / "home"))
        monkeypatch.setattr(lsp, "COUNT", 3)
        return tmp_path / "home"

    @staticmethod
    def prepare(archive: Path, folder: Path) -> Result:
        return CliRunner().invoke(app, ["data", "lsp", "--archive", str(archive), "--folder", str(folder)])

    def test_its_name_finds_it(self, official: Official, tmp_path: Path, home: Path) -> None:
        archive = official.write(tmp_path / "lsp.zip")
        for place in ("disk", "larger"):  # the last one counts
            assert self.prepare(archive, tmp_path / place).exit_code == 0
            assert (home / "data" / "lsp").resolve() == tmp_path / place
        found = data.load("lsp", "train", size=32)
        assert torch.equal(found.images, load("train", size=32, folder=tmp_path / "disk").images)
        # the same folder again is no other place
        assert self.prepare(archive, home / "data" / "lsp").exit_code == 0

    def test_what_lies_there_already_stays(self, official: Official, tmp_path: Path, home: Path) -> None:
        (home / "data").mkdir(parents=True)
        kept(official, home / "data" / "lsp")
        done = self.prepare(tmp_path / "lsp.zip", tmp_path / "disk")
        assert isinstance(done.exception, UserError) and "leave --folder out" in str(done.exception)
        assert not (tmp_path / "disk").exists() and not (home / "data" / "lsp").is_symlink()


def full_disk(*arguments: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(("module", "function"), [(shutil, "copyfileobj"), (np, "savez")])
def test_full_disk_while_preparing(
    official: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, function: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, function, full_disk)
        with pytest.raises(DataError, match="No space left"):
            kept(official, tmp_path / "lsp")
    assert left(tmp_path / "lsp") <= {"attribution.csv"}
    assert len(load("train", folder=kept(official, tmp_path / "lsp"))) == 3


def test_full_disk_while_cropping(official: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = kept(official, tmp_path / "lsp")
    before = left(folder)
    with monkeypatch.context() as patch:
        patch.setattr(prepared, "crop", full_disk)
        with pytest.raises(DataError, match=r"cannot write .*crops.*No space left"):
            load("train", folder=folder)
    assert left(folder) == before
    assert len(load("train", folder=folder)) == 3


def test_killed_between_unpacking_and_the_end(official: Official, tmp_path: Path) -> None:
    """What a killed process leaves is never taken for the data set, and does not disturb the next try."""
    folder, archive = tmp_path / "lsp", official.write(tmp_path / "lsp.zip")
    fetch.unpack(archive, folder / "unpacked")
    (folder / "people-0123456789ab").mkdir()
    (folder / "people-0123456789ab" / "00000.npz.partial").write_bytes(b"half")
    with pytest.raises(DataError, match=r"not prepared in .*: run `posenb data lsp --archive lsp_dataset\.zip`"):
        load("train", folder=folder)
    kept(official, folder)
    assert left(folder) == {"people", "attribution.csv"}
    assert len(load("train", folder=folder)) == 3


def test_damaged_crops_are_made_anew(official: Official, tmp_path: Path) -> None:
    folder = kept(official, tmp_path / "lsp")
    expected = load("train", folder=folder).images.clone()
    (path,) = folder.glob("crops-*.npy")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[5000] ^= 1
    for damaged in (b"", bytes(4), b"no array", whole[:-1], whole[:1000], bytes(len(whole)), bytes(flipped)):
        path.write_bytes(damaged)
        assert torch.equal(load("train", folder=folder).images, expected)
        assert path.read_bytes() == whole


def test_prepared_anew_while_loading(official: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, read = kept(official, tmp_path / "lsp"), prepared.read

    def read_then_replace(*arguments: Any) -> dict[str, Any]:
        monkeypatch.setattr(prepared, "read", read)
        before = read(*arguments)
        official.joints[0, 0, 0] += 5
        kept(official, folder)
        return before

    monkeypatch.setattr(prepared, "read", read_then_replace)
    with pytest.raises(DataError, match=r"prepared anew .* load it again"):
        load("train", folder=folder)
    assert len(load("train", folder=folder)) == 3


def test_writing_to_images_does_not_reach_the_file(official: Official, tmp_path: Path) -> None:
    folder = kept(official, tmp_path / "lsp")
    data = load("train", folder=folder)
    expected = data.images.clone()
    data.images.zero_()
    assert torch.equal(load("train", folder=folder).images, expected)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("00000.npz", lambda old: b""),
        ("00000.npz", lambda old: old[:-100]),
        ("00000.pictures", lambda old: b""),
        ("00000.pictures", lambda old: old.replace(b"JFIF", b"FIJF")),
    ],
)
def test_damaged_preparation_is_noticed(
    official: Official, tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    folder = kept(official, tmp_path / "lsp")
    path = folder / "people" / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"00000\..* is damaged.*run `posenb data lsp"):
        load("train", folder=folder)
    assert len(load("train", folder=kept(official, folder))) == 3


def test_preparing_other_contents_replaces_the_crops(official: Official, tmp_path: Path) -> None:
    folder = kept(official, tmp_path / "lsp")
    first = load("train", folder=folder).images.clone()
    official.files["images/im0001.jpg"] = official.files["images/im0002.jpg"]
    kept(official, folder)
    assert not list(folder.glob("crops-*.npy"))
    assert not torch.equal(load("train", folder=folder).images, first)


def test_loaded_by_many_at_once(official: Official, tmp_path: Path) -> None:
    folder = kept(official, tmp_path / "lsp")
    with ThreadPoolExecutor() as pool:
        loaded = list(pool.map(lambda _: load("train", folder=folder).images, range(4)))
    assert all(torch.equal(images, loaded[0]) for images in loaded)
