"""Reading checkpoints of the released EMS-YOLO code, which are pickled objects, without running any of it."""

from __future__ import annotations

import os
import pickle
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["StandIn", "read_released"]

_CALLED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch", "Size"): torch.Size,
    ("builtins", "set"): set,
}
"""The only names that are what they say. Every other one is a `StandIn`, which does nothing when called."""

_UNREADABLE = (pickle.UnpicklingError, RuntimeError, EOFError, zipfile.BadZipFile, ValueError, KeyError)
_UNREADABLE += (AttributeError, TypeError, IndexError, UnicodeDecodeError, ImportError)
_PLACES = ("ema", "model", "state_dict")


class StandIn:
    """What a pickle wanted to build: its name and state, no code of it.

    Attributes:
        kind: qualified name that the pickle asked for.
        state: what it would have set, usually a module's ``__dict__``.
    """

    kind = ""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.state: Any = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def append(self, value: Any) -> None:
        """Lists and their subclasses are filled by this; the values are not kept."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Dicts and their subclasses are filled by this; the values are not kept."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = _CALLED.get((module, name))
        if known is not None:
            return known
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        return type(name.rpartition(".")[2] or "StandIn", (StandIn,), {"kind": f"{module}.{name}"})


def _load(file: Any, **options: Any) -> Any:
    return _Unpickler(file, **options).load()


_SAFE = types.SimpleNamespace(Unpickler=_Unpickler, load=_load, __name__="restricted pickle")


def read_released(path: str | os.PathLike) -> dict[str, Tensor]:
    """The tensors of a checkpoint, by qualified name and in the file's order, on the host in float32.

    Reads the released training code's files (a pickled model under ``ema`` or ``model``), a state dict under
    one of these names or ``state_dict`` or alone, and safetensors. Of a pickle nothing is imported and no
    function is called but those that rebuild tensors.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint, or one without a model.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"model.0.weight": torch.ones(2)}, f"{folder}/a.pt")
        ...     read_released(f"{folder}/a.pt")
        {'model.0.weight': tensor([1., 1.])}
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint {path} does not exist")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        try:
            return {name: _plain(value) for name, value in load_file(path).items()}
        except Exception as error:
            raise ValueError(f"{path} is not a readable safetensors file ({error})") from error
    try:
        content = torch.load(path, map_location="cpu", pickle_module=_SAFE, weights_only=False)
    except _UNREADABLE as error:
        raise ValueError(f"{path} is not a readable checkpoint ({type(error).__name__})") from error
    tensors = _tensors(content)
    if not tensors:
        raise ValueError(f"{path} must hold a model under {', '.join(_PLACES)} or be a state dict, got none")
    return tensors


def _tensors(content: Any) -> dict[str, Tensor]:
    if isinstance(content, StandIn):
        return _flatten(content, "")
    if not isinstance(content, dict):
        return {}
    for place in _PLACES:
        found = _tensors(content.get(place))
        if found:
            return found
    return {
        name.removeprefix("module."): _plain(value)
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }


def _flatten(module: StandIn, prefix: str) -> dict[str, Tensor]:
    """Parameters, buffers and children of a pickled torch module, as its ``state_dict`` names them."""
    state = module.state if isinstance(module.state, dict) else {}
    found = {}
    for place in ("_parameters", "_buffers"):
        for name, value in _entries(state.get(place)):
            if isinstance(value, Tensor):
                found[prefix + name] = _plain(value)
    for name, child in _entries(state.get("_modules")):
        if isinstance(child, StandIn):
            found |= _flatten(child, "" if name == "module" and not prefix else f"{prefix}{name}.")
    return found


def _entries(place: Any) -> list[tuple[str, Any]]:
    return [(str(name), value) for name, value in place.items()] if isinstance(place, dict) else []


def _plain(value: Tensor) -> Tensor:
    value = value.detach()
    return value.float() if value.is_floating_point() else value
