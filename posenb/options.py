"""Options from the outside, a command line or JSON: a mapping of what changes in a dataclass of defaults."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def build(usual: Any, values: Mapping[str, Any], what: str) -> Any:
    """A dataclass with some of its fields changed; nested ones may be mappings of what changes in them.

    Raises:
        ValueError: for an unknown field or a refused value; the message is one line that begins with ``what`` and names
            what is known.
    """
    known = [field.name for field in dataclasses.fields(usual)]
    if unknown := set(values) - set(known):
        raise ValueError(f"{what} has no option {', '.join(sorted(unknown))}; it has {', '.join(known)}")
    whole = {name: _read(getattr(usual, name), value, f"{what}, {name}") for name, value in values.items()}
    hints = get_type_hints(type(usual))
    for name, value in whole.items():
        if not _fits(value, hints[name]):
            default = getattr(usual, name)
            like = "true or false" if isinstance(default, bool) else f"something like {_written(default)}"
            raise ValueError(f"{what}: {name} must be {like}, not {_written(value)}")
    try:
        return dataclasses.replace(usual, **whole)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{what}: {error}") from None


def _read(default: Any, value: Any, what: str) -> Any:
    """A value as its field has it: JSON knows neither dataclasses nor tuples."""
    if isinstance(value, Mapping) and dataclasses.is_dataclass(default):
        return build(default, value, what)
    return tuple(value) if isinstance(value, list) else value


def require_counts(options: Any) -> None:
    """Raise ValueError for a network's option that counts something, alone or in a row, and is below 1."""
    for name, value in vars(options).items():
        row = value if isinstance(value, tuple) else (value,)
        if not row or any(isinstance(part, int) and not isinstance(part, bool) and part < 1 for part in row):
            raise ValueError(f"{name} must be at least 1, not {_written(value)}")


def _written(value: Any) -> str:
    """As a command line has it."""
    return repr(list(value) if isinstance(value, tuple) else value)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a field's type, as far as a command line can be wrong: a text for a number, 1 for true."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool) and math.isfinite(value)
    if hint in (bool, str) or dataclasses.is_dataclass(hint):
        return isinstance(value, hint)
    if kind is Mapping:
        return isinstance(value, Mapping)
    if kind is tuple:
        return isinstance(value, tuple) and all(_fits(part, parts[0]) for part in value)
    return value is None if hint is type(None) else True
