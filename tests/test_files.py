"""Atomic writing, checked reading."""

import json
import zipfile
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest
import torch
from filelock import FileLock

from posenb import files


def test_tensors_round_trip_and_damage_is_noticed(tmp_path):
    path = tmp_path / "deep" / "state.pt"
    files.save_tensors({"a": torch.arange(1000.0), "b": [1, "two"]}, path)
    assert torch.equal(files.load_tensors(path)["a"], torch.arange(1000.0))
    whole = path.read_bytes()
    at = whole.index(torch.arange(1000.0).numpy().tobytes()[400:440])
    for damaged in (whole[:-50], whole[:200], b"", whole[:at] + b"\xff" + whole[at + 1 :]):
        path.write_bytes(damaged)
        with pytest.raises(OSError, match=r"state\.pt is damaged"):
            files.load_tensors(path)


def tensor_or_none(path: Path) -> torch.Tensor | None:
    """What a file of one tensor holds; None where it is told to be damaged."""
    try:
        return files.load_tensors(path)["a"]
    except OSError:
        return None


def test_one_bit_anywhere_is_told_as_damage_or_does_not_matter(tmp_path):
    path, tensor = tmp_path / "state.pt", torch.arange(4.0)
    files.save_tensors({"a": tensor}, path)
    whole = path.read_bytes()
    # bit 3 everywhere, because it turns a stored entry into a compressed one; of the others some
    flips = [*((at, 3) for at in range(len(whole))), *((at, at // 8 % 8) for at in range(0, len(whole), 8))]
    told = 0
    for at, bit in flips:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
        found = tensor_or_none(path)
        assert found is None or torch.equal(found, tensor), (at, bit)
        told += found is None
    assert told > len(flips) / 4


def test_a_whole_archive_of_something_else_is_told(tmp_path):
    files.save_tensors({"a": torch.zeros(3)}, tmp_path / "state.pt")
    with zipfile.ZipFile(tmp_path / "state.pt") as old, zipfile.ZipFile(tmp_path / "other.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, b"no pickle" if name.endswith("data.pkl") else old.read(name))
    with pytest.raises(OSError, match=r"other\.pt is damaged"):
        files.load_tensors(tmp_path / "other.pt")


def test_code_in_a_checkpoint_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("owned",))

    torch.save({"x": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(OSError, match=r"evil\.pt is damaged: it holds more than tensors") as caught:
        files.load_tensors(tmp_path / "evil.pt")
    assert "\n" not in str(caught.value)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "value.json"
    files.save_json({"a": 1}, path)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        files.save_json({"a": 2}, path)
    assert json.loads(path.read_text()) == {"a": 1}


def test_tensors_for_which_there_is_no_room_leave_no_part_of_them(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    files.save_tensors({"a": torch.zeros(3)}, path)

    def full(state, partial):
        partial.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 128 vs 64")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"cannot write .*state\.pt \(.*unexpected pos.*\): is the disk full"):
        files.save_tensors({"a": torch.ones(3)}, path)
    assert list(tmp_path.iterdir()) == [path]
    assert torch.equal(files.load_tensors(path)["a"], torch.zeros(3))


def test_json_has_no_nan(tmp_path):
    files.save_json({"a": [float("nan"), 1.5], "b": float("inf")}, tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [None, 1.5], "b": None}


@pytest.mark.parametrize("moment, said", [(5.0, ""), (0.01, "busy; waiting for it\n")])
def test_only_who_holds_a_lock_for_long_is_named(tmp_path, monkeypatch, capsys, moment, said):
    monkeypatch.setattr(files, "MOMENT", moment)
    taken = Event()

    def hold():
        with FileLock(tmp_path / "a.lock"):
            taken.set()
            sleep(0.4)

    holder = Thread(target=hold)
    holder.start()
    assert taken.wait(10)
    with files.alone(tmp_path / "a.lock", "busy"):
        assert capsys.readouterr().err == said
    holder.join()
