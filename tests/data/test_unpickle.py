"""The reader of pickles: what it admits, and that whatever else a file holds is refused in one line."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posenb.data import unpickle
from posenb.errors import DataError

SAMPLE = {
    0: {"uv_vis": np.arange(126.0).reshape(42, 3), "xyz": np.ones((42, 3), np.float32), "K": np.eye(3)},
    17: {"uv_vis": np.full((42, 3), np.nan), "xyz": np.zeros((42, 3), ">f4"), "K": np.asfortranarray([[1, 2], [3, 4]])},
}


def read(contents: bytes, folder: Path) -> Any:
    path = folder / "anno.pickle"
    path.write_bytes(contents)
    return unpickle.load(path)


def refusal(contents: bytes, folder: Path) -> str:
    """The message with which a pickle is refused."""
    with pytest.raises(DataError) as caught:
        read(contents, folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(folder))
    assert len(message) < len(str(folder)) + 200
    return message


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, np.ndarray):
        return found.dtype == expected.dtype and np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f")
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(same(found[key], value) for key, value in expected.items())
    if isinstance(expected, list | tuple):
        return type(found) is type(expected) and all(map(same, found, expected)) and len(found) == len(expected)
    return type(found) is type(expected) and found == expected


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_and_containers_come_back(tmp_path: Path, protocol: int) -> None:
    shared = np.arange(5, dtype=np.int16)
    value = [
        SAMPLE,
        (),
        (1, -1, 255, 256, 65536, -(2**31), 2**40, -(2**2100), True, False, None, 0.1, float("inf")),
        ["", "õ\ud800'\"\\\n", "x" * 300, b"\x00\xff", b"y" * 300, [], {}, ({"a": (1, 2, 3, 4)},)],
        [shared, shared, np.array(7), np.ones((2, 2), bool), np.arange(6)[::2]],
        [np.float64(2.5), np.int8(-3), np.bool_(True)],
        {True: "a key", 2.5: 1, b"k": 2, None: 3},
    ]
    if protocol > 2:  # before, empty bytes are pickled as a call of their class
        value.append([b"", np.zeros((0, 3))])
    found = read(pickle.dumps(value, protocol), tmp_path)
    assert same(found, value)
    assert found[4][0] is found[4][1]
    with pytest.raises(ValueError, match="read-only"):
        found[4][0][0] = 1


def test_pickle_of_python_2(tmp_path: Path) -> None:
    """Strings of bytes, and NumPy's names of then: {0: {'K': array([1.5, -2.])}} as cPickle wrote it."""
    contents = (
        b"\x80\x02}q\x01K\x00}q\x02U\x01Kcnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b"
        b"\x87Rq\x05(K\x01K\x02\x85cnumpy\ndtype\nq\x06U\x02f8K\x00K\x01\x87Rq\x07(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x10" + struct.pack("<2d", 1.5, -2.0) + b"tbss."
    )
    assert same(read(contents, tmp_path), {0: {"K": np.array([1.5, -2.0])}})
    text = b"(dp0\nS'it\\'s \\xff'\np1\nI01\nsV\\u00f5\nL12345678901L\ns."
    assert read(text, tmp_path) == {"it's \xff": True, "õ": 12345678901}


def test_arrays_keep_their_type_when_it_was_met_before(tmp_path: Path) -> None:
    found = read(pickle.dumps([np.full(3, n, ">i4") for n in range(5)]), tmp_path)
    assert [array.tolist() for array in found] == [[n] * 3 for n in range(5)]


class Runs:
    """Unpickled by Python's reader it runs a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch hacked",)


class Persistent(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return "id" if obj == "outside" else None


def persistent(protocol: int) -> bytes:
    file = io.BytesIO()
    Persistent(file, protocol).dump(["outside"])
    return file.getvalue()


class Plain:
    """A class with a state."""

    def __init__(self) -> None:
        self.x = 1


def object_array() -> Any:
    array = np.empty(2, dtype=object)
    array[0], array[1] = Runs(), 1
    return array


class Hidden:
    """An array whose state carries an object that runs a command, where its bytes should be."""

    def __init__(self, place: int) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        make, arguments, state = np.arange(3.0).__reduce__()
        return make, arguments, (*state[: self.place], Runs(), *state[self.place + 1 :])


class Subclass(np.ndarray):
    pass


HOSTILE: dict[str, Callable[[], Any]] = {
    "command": Runs,
    "command in a dict": lambda: {0: {"K": Runs()}},
    "command as an array": object_array,
    **{f"command in an array's state, {k}": (lambda k=k: Hidden(k)) for k in range(5)},
    "object array of numbers": lambda: np.array([1, None]),
    "text array": lambda: np.array(["a"]),
    "bytes array": lambda: np.array([b"a"]),
    "structured array": lambda: np.zeros(2, [("a", "f8"), ("b", "O")]),
    "dates": lambda: np.array(["2020-01-01"], "datetime64[D]"),
    "complex numbers": lambda: np.zeros(2, complex),
    "array subclass": lambda: np.zeros(2).view(Subclass),
    "matrix": lambda: np.ma.masked_array([1.0], [True]),
    "class": lambda: Runs,
    "object": Plain,
    "function": lambda: len,
    "set": lambda: {1},
    "frozen set": lambda: frozenset({1}),
    "ordered dict": OrderedDict,
    "bare type": lambda: np.dtype("f8"),
    "complex": lambda: 1j,
    "name without call": lambda: [np.ndarray],
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("what", HOSTILE)
def test_everything_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    refusal(pickle.dumps(HOSTILE[what](), protocol), tmp_path)
    assert not (tmp_path / "hacked").exists()


def test_the_hostile_pickle_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused above does run a command when Python's own reader has it."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Runs()))
    assert (tmp_path / "hacked").exists()


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
TYPE = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
BY_HAND: dict[str, tuple[bytes, str]] = {
    "GLOBAL": (b"cposix\nsystem\n(S'touch hacked'\ntR.", "it names 'posix.system'"),
    "STACK_GLOBAL": (b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x01x\x85R.", "it names 'posix.system'"),
    "STACK_GLOBAL of no strings": (b"\x80\x04K\x01K\x02\x93.", "by what is no string"),
    "name with a line break": (b"\x80\x04\x8c\x03a\nb\x8c\x01c\x93.", r"it names 'a\\nb\.c'"),
    "name in NumPy": (b"cnumpy\nload\n(S'x'\ntR.", "it names 'numpy.load'"),
    "name through NumPy": (b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93.", "it names"),
    "builtins": (b"c__builtin__\neval\n(S'1'\ntR.", "it names '__builtin__.eval'"),
    "INST": (b"(S'touch hacked'\niposix\nsystem\n.", "INST"),
    "OBJ": (b"(cposix\nsystem\no.", "it names"),
    "OBJ of an array": (b"(cnumpy\nndarray\no.", "OBJ"),
    "NEWOBJ": (b"\x80\x02cnumpy\nndarray\n)\x81.", "NEWOBJ"),
    "NEWOBJ_EX": (b"\x80\x04cnumpy\nndarray\n)}\x92.", "NEWOBJ_EX"),
    "EXT1": (b"\x80\x02\x82\x01.", "EXT1"),
    "EXT2": (b"\x80\x02\x83\x01\x00.", "EXT2"),
    "EXT4": (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
    "NEXT_BUFFER": (b"\x80\x05\x97.", "NEXT_BUFFER"),
    "EMPTY_SET": (b"\x80\x04\x8f.", "EMPTY_SET"),
    "persistent id": (persistent(0), "PERSID"),
    "binary persistent id": (persistent(2), "BINPERSID"),
    "no operation": (b"\x80\x04\xfe.", "byte 254"),
    "call of a number": (b"I1\n(tR.", "it calls what is no function"),
    "call of an array": (b"cnumpy\nndarray\n(I5\ntR.", "it calls what is no function"),
    "call with a list": (b"cnumpy\ndtype\n]R.", "it calls what is no function"),
    "state for a dict": (b"}}b.", "it changes what is no array"),
    "state for a name": (b"cnumpy\nndarray\n}b.", "it changes what is no array"),
    "dict as an array's state": (ARRAY + b"}b.", "it changes what is no array"),
    "state twice": (ARRAY + b"p0\n(I1\n(I0\nt" + TYPE + b"I00\nS''\ntb0g0\n(tb.", "it changes what is no array"),
    "array without state": (b"(l" + ARRAY + b"a.", "an array without contents"),
    "array of arrays": (ARRAY + b"(I1\n(I1\nt" + TYPE + b"I00\n(lcposix\nsystem\natb.", "it names"),
    "array of a list": (ARRAY + b"(I1\n(I1\nt" + TYPE + b"I00\n(ltb.", "something else than numbers"),
    "array without a type": (ARRAY + b"(I1\n(I1\ntNI00\nS'12345678'\ntb.", "something else than numbers"),
    "type with fields": (b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nN(S'a'\ntNI-1\nI-1\nI0\ntb.", "not plain"),
    "type of objects": (b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.", "arrays of type 'O8'"),
    "type by a list": (b"cnumpy\ndtype\n(]I0\nI1\ntR.", "arrays of type '\\?'"),
    "absurd shape": (ARRAY + b"(I1\n(L9223372036854775807L\nL4L\nt" + TYPE + b"I00\nS''\ntb.", "its shape asks for"),
    "shape that overflows to nothing": (
        ARRAY + b"(I1\n(L4294967296L\nL4294967296L\nt" + TYPE + b"I00\nS''\ntb.",
        "its shape asks for",
    ),
    "negative shape": (ARRAY + b"(I1\n(I-1\nI-8\nt" + TYPE + b"I00\nS'12345678'\ntb.", "its shape asks for"),
    "a thousand sides": (ARRAY + b"(I1\n(" + b"I1\n" * 1000 + b"t" + TYPE + b"I00\nS'12345678'\ntb.", "proper shape"),
    "other text codec": (b"c_codecs\nencode\n(Vx\nS'rot13'\ntR.", "it encodes a text"),
    "BINBYTES8": (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.", "bytes are announced"),
    "BINBYTES": (b"\x80\x04B" + struct.pack("<I", 2**32 - 1) + b"x.", "bytes are announced"),
    "BINUNICODE8": (b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b"x.", "bytes are announced"),
    "BINUNICODE": (b"\x80\x04X" + struct.pack("<I", 2**32 - 1) + b"x.", "bytes are announced"),
    "BYTEARRAY8": (b"\x80\x05\x96" + struct.pack("<Q", 2**64 - 1) + b"x.", "bytes are announced"),
    "BINSTRING": (b"T" + struct.pack("<i", 2**31 - 1) + b"x.", "bytes are announced"),
    "negative BINSTRING": (b"T" + struct.pack("<i", -5) + b"x.", "bytes are announced"),
    "LONG4": (b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"x.", "bytes are announced"),
    "long number": (b"L" + b"9" * 1_000_000 + b"L\n.", "damaged"),
    "tuples as keys": (b"}(I1\ntI1\ns.", "a dict has a key"),
    "key without value": (b"}(I1\nu.", "damaged"),
    "entries of a list": (b"](I1\nI1\nu.", "what is no dict"),
    "items of a dict": (b"}I1\na.", "what is no list"),
    "items of a tuple": (b")(I1\ne.", "what is no list"),
    "memo that is empty": (b"j" + struct.pack("<I", 2**32 - 1) + b".", "damaged"),
    "stack that is empty": (b"0.", "damaged"),
    "tuple of too few": (b"I1\n\x87.", "more from the stack"),
    "mark that is missing": (b"t.", "damaged"),
    "mark left over": (b"(I1\n.", "ends within a container"),
    "two results": (b"I1\nI1\n.", "damaged"),
    "no result": (b".", "damaged"),
    "no end": (b"I1\n", "damaged"),
    "empty": (b"", "damaged"),
    "text": (b"<html>log in first</html>", "byte 60"),
    "string without quotes": (b"Sx\n.", "no quotes"),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_pickles_made_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.chdir(tmp_path)
    contents, message = BY_HAND[what]
    with pytest.raises(DataError, match=message):
        read(contents, tmp_path)
    refusal(contents, tmp_path)
    assert not (tmp_path / "hacked").exists()


def test_small_files_take_little_memory(tmp_path: Path) -> None:
    """Announced sizes, absurd frames and places in the memo are not provided for."""
    tracemalloc.start()
    frame = b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"K\x01."
    assert read(frame, tmp_path) == 1
    far_memo = b"K\x01r" + struct.pack("<I", 2**32 - 1) + b"0j" + struct.pack("<I", 2**32 - 1) + b"."
    assert read(far_memo, tmp_path) == 1
    for contents, _ in BY_HAND.values():
        refusal(contents, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 2**20


def test_what_doubles_again_and_again(tmp_path: Path) -> None:
    """A list of twice the list before it, 200 times over: read as it is, in no time, and never hashed nor printed."""
    doubled = b"".join(b"(lp%d\ng%d\nag%d\na" % (k + 1, k, k) for k in range(200))
    found = read(b"(lp0\n" + b"0" + doubled.replace(b"a(l", b"a0(l") + b".", tmp_path)
    assert found[0] is found[1]
    tuples = b")p0\n0" + b"0".join(b"g%d\ng%d\n\x86p%d\n" % (k, k, k + 1) for k in range(200))
    assert "a dict has a key" in refusal(b"}" + tuples + b"I1\ns.", tmp_path)
    assert "arrays of type '?'" in refusal(b"cnumpy\ndtype\n(" + tuples + b"I0\nI1\ntR.", tmp_path)


def test_deeply_nested(tmp_path: Path) -> None:
    depth = 100_000
    found = read(b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b".", tmp_path)
    levels = 1
    while found:
        found, levels = found[0], levels + 1
    assert levels == depth
    assert "within a container" in refusal(b"(" * depth + b"I1\n.", tmp_path)


def test_a_list_that_holds_itself(tmp_path: Path) -> None:
    found = read(pickle.dumps((lambda x: x.append(x) or x)([])), tmp_path)
    assert found[0] is found


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = pickle.dumps(SAMPLE)
    with monkeypatch.context() as patch:
        patch.setattr(unpickle, "MAX_OPERATIONS", 50)
        assert "more than 50 operations" in refusal(contents, tmp_path)
    with pytest.raises(DataError, match="more than 100 bytes"):
        unpickle.load(tmp_path / "anno.pickle", max_bytes=100)
    with pytest.raises(DataError, match=r"cannot read .*No such file"):
        unpickle.load(tmp_path / "missing.pickle")
    with pytest.raises(DataError, match="cannot read"):
        unpickle.load(tmp_path)


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_flipped_bytes_give_data_or_one_line(tmp_path: Path, protocol: int) -> None:
    """Every byte outside of the arrays' contents counts, so a small pickle is spoilt in many places."""
    random = np.random.default_rng(protocol)
    value = {0: {"uv_vis": np.arange(6.0).reshape(2, 3), "K": np.eye(2, dtype=">f4")}, 1: [True, "a"]}
    whole = pickle.dumps(value, protocol)
    refused = 0
    for _ in range(200):
        spoilt = bytearray(whole)
        for place in random.integers(0, len(whole), random.integers(1, 4)):
            spoilt[place] = random.integers(0, 256)
        try:
            read(bytes(spoilt), tmp_path)
        except DataError as error:
            assert "\n" not in str(error)
            refused += 1
    assert 50 < refused < 200
    for end in range(0, len(whole), 3):
        refusal(whole[:end], tmp_path)
