"""Pickles of arrays, read without running anything that stands in them.

A pickle is a program, and Python's reader runs it: it imports what the file names and calls it. Here the program is
interpreted by a machine of its own that knows NumPy arrays and plain containers (dict, list, tuple) of numbers, strings
and bytes, and nothing else. Names in the file are compared with a short list and never imported; of what NumPy calls
itself only shapes, types and bytes are taken. No size is believed before as many bytes are there, so a small file
cannot ask for much memory.

Pickles of Python 2 are read as ``encoding="latin1"`` reads them. Protocols 0 to 5.
"""

from __future__ import annotations

import codecs
import math
import pickletools
import re
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from posenb.errors import DataError

MAX_BYTES = 2**30
MAX_OPERATIONS = 20_000_000  # RHD has 6 million; an operation of one byte may take 100 bytes of memory
_KNOWN = {operation.code: operation.name for operation in pickletools.opcodes}
_PLAIN = frozenset({bool, int, float, str, bytes, type(None)})
_CODE = re.compile(r"b1|[iu][1248]|f[248]")
# NumPy's modules before and after version 2
_MODULES = {f"numpy.{core}.{name}": "numpy" for core in ("core", "_core") for name in ("multiarray", "numeric")}
_MODULES |= {"numpy": "numpy", "_codecs": "_codecs"}
_NAMES = {"numpy.ndarray", "numpy.dtype", "numpy._reconstruct", "numpy.scalar", "numpy._frombuffer", "_codecs.encode"}


class _Refused(Exception):
    """Why a pickle is not read."""


class _Name:
    """One of ``_NAMES``: what a pickle calls, and nothing that can be called."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Unfinished:
    """An array or a type that waits for its state; other parts of the pickle may point to it meanwhile."""

    def __init__(self, code: str | None = None) -> None:
        self.code = code  # of a type, such as 'f8'; None for an array
        self.value: Any = None


def load(path: Path, max_bytes: int = MAX_BYTES) -> Any:
    """What a pickle file of arrays and plain containers holds. Arrays are read-only, of numbers or bool.

    Raises:
        DataError: in one line, for a file that is missing, larger than ``max_bytes``, damaged, or that holds anything
            else, such as an object array, a class or a function.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise DataError(f"{path} has more than {max_bytes:,} bytes: it is not what it should be")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    machine = _Machine(data)
    try:
        return machine.run()
    except _Refused as error:
        reason = str(error)
    except Exception as error:  # damaged bytes go wrong in many ways
        reason = f"damaged: {type(error).__name__}"
    raise DataError(f"{path} is not read, at byte {machine.at:,}: {reason}; fetch it again from its authors")


class _Machine:
    """The pickle machine: a stack, marks in it, and a memo of what was on it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks beneath the marks
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        data, operations = self.data, _OPERATIONS
        for _ in range(MAX_OPERATIONS):
            code = data[self.at]
            self.at += 1
            if code == _STOP:
                break
            operation = operations.get(code)
            if operation is None:
                raise _Refused(f"{_KNOWN.get(chr(code), f'byte {code}')} is more than arrays and containers need")
            operation(self)
        else:
            raise _Refused(f"it has more than {MAX_OPERATIONS:,} operations")
        (result,) = self.stack
        if self.below:
            raise _Refused("it ends within a container")
        _check(result)
        return result

    def take(self, count: int) -> bytes:
        """The next bytes of the file."""
        end = self.at + count
        if count < 0 or end > len(self.data):
            raise _Refused(f"{count:,} bytes are announced, and {len(self.data) - self.at:,} are left")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def line(self) -> bytes:
        return self.take(self.data.index(b"\n", self.at) + 1 - self.at)[:-1]

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def few(self, count: int) -> list[Any]:
        """The last few things, taken off the stack."""
        if len(self.stack) < count:
            raise _Refused("it takes more from the stack than there is")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def marked(self) -> list[Any]:
        """What lies above the last mark; it is taken off the stack with its mark."""
        above = self.stack
        self.stack = self.below.pop()
        return above

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def recall(self, index: int) -> None:
        value = self.memo[index]
        finished = isinstance(value, _Unfinished) and value.value is not None
        self.stack.append(value.value if finished else value)

    def keep(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise _Refused("it appends to what is no list")
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not dict:
            raise _Refused("it puts entries into what is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # tuples within tuples could take for ever to hash
            if type(key) not in _PLAIN:
                raise _Refused("a dict has a key that is no number and no string")
            self.stack[-1][key] = value

    def dictionary(self) -> None:
        items = self.marked()
        self.stack.append({})
        self.update(items)

    def name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise _Refused("it names a thing by what is no string")
        known = f"{_MODULES.get(module)}.{name}"
        if known not in _NAMES:
            raise _Refused(f"it names {f'{module}.{name}'[:60]!r}, and only NumPy's arrays are read")
        self.stack.append(_Name(known))

    def call(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, _Name) or type(arguments) is not tuple or name.name not in _CALLS:
            raise _Refused("it calls what is no function of NumPy's arrays")
        self.stack.append(_CALLS[name.name](*arguments))

    def build(self) -> None:
        state, unfinished = self.stack.pop(), self.stack.pop()
        if not isinstance(unfinished, _Unfinished) or unfinished.value is not None or type(state) is not tuple:
            raise _Refused("it changes what is no array")
        if unfinished.code:
            version, order, subtype, names, fields = state[:5]
            if (version, subtype, names, fields) != (3, None, None, None) or order not in ("<", ">", "|", "="):
                raise _Refused("an array's type is not plain")
            unfinished.value = np.dtype(unfinished.code).newbyteorder(order)
        else:
            version, shape, kind, fortran, contents = state
            unfinished.value = _array(contents, kind, shape, "F" if fortran else "C")
        self.stack.append(unfinished.value)


def _array(contents: Any, kind: Any, shape: Any, order: str) -> Any:
    """An array over the bytes that the pickle holds."""
    if type(contents) is str:
        contents = contents.encode("latin1")
    if not isinstance(kind, np.dtype) or type(contents) is not bytes:
        raise _Refused("an array holds something else than numbers")
    if type(shape) is not tuple or len(shape) > 32 or {type(side) for side in shape} - {int}:
        raise _Refused("an array has no proper shape")
    # NumPy counts in 64 bits and would be led astray
    if not all(0 <= side < 2**63 for side in shape) or math.prod(shape) * kind.itemsize != len(contents):
        raise _Refused(f"an array has {len(contents):,} bytes, and its shape asks for another number")
    return np.ndarray(shape, kind, buffer=contents, order="F" if order == "F" else "C")


def _dtype(code: Any, align: Any = False, copy: Any = True) -> _Unfinished:
    if type(code) is not str or not _CODE.fullmatch(code):
        raise _Refused(f"arrays of type {code[:20] if type(code) is str else '?'!r} are not read, only numbers")
    return _Unfinished(code)


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Unfinished:
    if not isinstance(kind, _Name) or kind.name != "numpy.ndarray":
        raise _Refused("it makes an array of another class than NumPy's")
    return _Unfinished()


def _scalar(kind: Any, contents: Any) -> Any:
    return _array(contents, kind, (), "C")[()]


def _encode(text: Any, encoding: Any) -> bytes:
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise _Refused("it encodes a text in another way than NumPy does")
    return text.encode("latin1")


# a call with another number of arguments is a TypeError, which `load` reports
_CALLS: dict[str, Callable[..., Any]] = {
    "numpy.dtype": _dtype,
    "numpy._reconstruct": _reconstruct,
    "numpy.scalar": _scalar,
    "numpy._frombuffer": _array,
    "_codecs.encode": _encode,
}


def _int_line(machine: _Machine) -> None:
    line = machine.line()
    machine.push({b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line))


def _string_line(machine: _Machine) -> None:
    quoted = machine.line().strip()
    if len(quoted) < 2 or quoted[:1] not in (b"'", b'"') or quoted[:1] != quoted[-1:]:
        raise _Refused("a string has no quotes")
    machine.push(codecs.escape_decode(quoted[1:-1])[0].decode("latin1"))


def _counted(form: str, turn: Callable[[bytes], Any]) -> Callable[[_Machine], None]:
    return lambda m: m.push(turn(m.take(m.number(form))))


_latin1 = partial(str, encoding="latin1")
_text = partial(str, encoding="utf-8", errors="surrogatepass")


def _long(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


_STOP = ord(".")
_OPERATIONS: dict[int, Callable[[_Machine], Any]] = {
    code[0]: operation
    for code, operation in {
        b"\x80": lambda m: m.take(1),  # PROTO: what a file needs shows by its operations
        b"\x95": lambda m: m.take(8),  # FRAME: a hint for readers of streams
        # numbers
        b"N": lambda m: m.push(None),
        b"\x88": lambda m: m.push(True),
        b"\x89": lambda m: m.push(False),
        b"I": _int_line,
        b"L": lambda m: m.push(int(m.line().rstrip(b"L"))),
        b"F": lambda m: m.push(float(m.line())),
        b"J": lambda m: m.push(m.number("<i")),
        b"K": lambda m: m.push(m.number("<B")),
        b"M": lambda m: m.push(m.number("<H")),
        b"\x8a": _counted("<B", _long),
        b"\x8b": _counted("<i", _long),
        b"G": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
        # strings and bytes
        b"S": _string_line,
        b"V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
        b"T": _counted("<i", _latin1),
        b"U": _counted("<B", _latin1),
        b"X": _counted("<I", _text),
        b"\x8c": _counted("<B", _text),
        b"\x8d": _counted("<Q", _text),
        b"B": _counted("<I", bytes),
        b"C": _counted("<B", bytes),
        b"\x8e": _counted("<Q", bytes),
        b"\x96": _counted("<Q", bytes),
        # containers
        b"(": _Machine.mark,
        b"]": lambda m: m.push([]),
        b"l": lambda m: m.push(m.marked()),
        b"a": lambda m: m.extend(m.few(1)),
        b"e": lambda m: m.extend(m.marked()),
        b")": lambda m: m.push(()),
        b"t": lambda m: m.push(tuple(m.marked())),
        b"\x85": lambda m: m.push(tuple(m.few(1))),
        b"\x86": lambda m: m.push(tuple(m.few(2))),
        b"\x87": lambda m: m.push(tuple(m.few(3))),
        b"}": lambda m: m.push({}),
        b"d": _Machine.dictionary,
        b"s": lambda m: m.update(m.few(2)),
        b"u": lambda m: m.update(m.marked()),
        # stack and memo
        b"0": lambda m: m.stack.pop(),
        b"1": lambda m: m.marked(),
        b"2": lambda m: m.push(m.stack[-1]),
        b"p": lambda m: m.keep(int(m.line())),
        b"q": lambda m: m.keep(m.number("<B")),
        b"r": lambda m: m.keep(m.number("<I")),
        b"\x94": lambda m: m.keep(len(m.memo)),
        b"g": lambda m: m.recall(int(m.line())),
        b"h": lambda m: m.recall(m.number("<B")),
        b"j": lambda m: m.recall(m.number("<I")),
        # arrays
        b"c": lambda m: m.name(_text(m.line()), _text(m.line())),
        b"\x93": lambda m: m.name(*m.few(2)),
        b"R": _Machine.call,
        b"b": _Machine.build,
    }.items()
}


def _check(result: Any) -> None:
    """Walk over all that is handed out. Raises _Refused for what is neither array, number, string nor container."""
    waiting, seen = [result], set()
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind in _PLAIN or kind is np.ndarray or isinstance(value, np.generic):
            continue
        if kind not in (dict, list, tuple):
            raise _Refused("it holds a name or an array without contents")
        if id(value) not in seen:
            seen.add(id(value))
            waiting.extend(value.values() if kind is dict else value)
