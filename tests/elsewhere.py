"""A second device on a machine that has none: tensors there compute on the CPU, but mixing them with others fails.

Tensors of :data:`THERE` hold their values in an ordinary tensor, and :class:`Elsewhere` refuses what a GPU refuses: an
operation on tensors of two devices, an index there into a tensor here, a draw there by a generator of the CPU. What it
cannot show is a kernel that a GPU lacks or computes otherwise.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

THERE = torch.device("meta")  # the only device without kernels for which autograd needs nothing of the machine

_aten = torch.ops.aten
_MOVES = (_aten._to_copy.default, _aten.copy_.default)
# an index may lie on the CPU, whatever it points into
_INDEXES = (_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default, _aten._index_put_impl_.default)


class There(Tensor):
    """A tensor of :data:`THERE`; ``values`` are what it holds."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    values: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> There:
        made = Tensor._make_wrapper_subclass(
            cls,
            values.shape,
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=THERE,
        )
        made.values = values
        return made

    def tolist(self) -> Any:
        return self.values.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})


class Elsewhere(ExitStack):
    """A context in which :data:`THERE` can be computed on."""

    def __enter__(self) -> Elsewhere:
        super().__enter__()
        for context in (patch("torch.autocast", _autocast), _Made(), _Computed()):
            self.enter_context(context)
        return self


class _Computed(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})


class _Made(TorchFunctionMode):
    """Calls that copy from Python's memory to a device by ways of their own: here, by way of a tensor of the CPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and "device" in kwargs:
            return func(*args, **{name: value for name, value in kwargs.items() if name != "device"}).to(
                kwargs["device"]
            )
        if func is Tensor.new_tensor:
            like, value = args
            return torch.tensor(value, dtype=kwargs.get("dtype", like.dtype)).to(like.device)
        if func is Tensor.__getitem__:
            tensor, index = args
            parts = index if isinstance(index, tuple) else (index,)
            return func(tensor, tuple(torch.tensor(part) if isinstance(part, list) else part for part in parts))
        return func(*args, **kwargs)


def _autocast(device_type: str, *args: Any, **kwargs: Any) -> AbstractContextManager:
    return nullcontext() if device_type == THERE.type else torch.amp.autocast(device_type, *args, **kwargs)


def _compute(func: Any, args: tuple, kwargs: dict) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = any(isinstance(tensor, There) for tensor in tensors)
    # numbers of the CPU may be mixed with anything, and so may what is moved
    here = [tensor for tensor in tensors if not isinstance(tensor, There) and tensor.dim() > 0]
    if func in _INDEXES and isinstance(args[0], There):
        here = [value for value in here if any(value is given for given in args[2:])]
    if there and here and func not in _MOVES:
        raise RuntimeError(f"{func}: tensors of two devices")
    device = kwargs.get("device")
    if func is _aten.copy_.default:
        there = isinstance(args[0], There)
    elif device is not None:
        there = torch.device(device) == THERE
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if there and kwargs.get("generator") is not None:
        raise RuntimeError(f"{func}: a generator of another device")
    plain_args, plain_kwargs = tree_map_only(There, lambda tensor: tensor.values, (args, kwargs))
    out = func(*plain_args, **plain_kwargs)
    return _with_written(func, args, kwargs, tree_map_only(Tensor, There, out)) if there else out


def _with_written(func: Any, args: tuple, kwargs: dict, out: Any) -> Any:
    """What an operation gives, where it changed an argument that very argument."""
    written = [
        args[number] if number < len(args) else kwargs[argument.name]
        for number, argument in enumerate(func._schema.arguments)
        if argument.alias_info and argument.alias_info.is_write
    ]
    if not written or not func._schema.returns:
        return out
    if len(func._schema.returns) == 1:
        return written[0]
    changed = iter(written)
    return tuple(
        next(changed) if back.alias_info else part for part, back in zip(out, func._schema.returns, strict=True)
    )
