"""Checkpoints: which model they hold, and one clear line where they do not fit."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

__all__ = [
    "check_state",
    "describe_input",
    "load_checkpoint",
    "load_matching",
    "load_model",
    "read_checkpoint",
    "save_model",
]

PREFIX = "model."
UNREADABLE = (pickle.UnpicklingError, RuntimeError, EOFError, zipfile.BadZipFile, ValueError, KeyError)
"""What torch.load raises on a broken file, on no checkpoint at all, or on one with code in it."""


def describe_input(data: Any) -> dict[str, Any]:
    """How a data module makes the network's input, for prediction: plain numbers and words.

    kind "images" or "events", image_size; of events also time_steps, window_us, representation and fit.
    """
    if data is None or not hasattr(data, "image_size"):
        return {}
    found: dict[str, Any] = {"kind": "images", "image_size": [int(side) for side in data.image_size]}
    if getattr(data, "batch_dim", 0) == 1:
        found |= {"kind": "events", "time_steps": data.time_steps, "window_us": data.window_us}
        chosen = data.representation
        found |= {"representation": [chosen.name, chosen.parts, chosen.cutoff, chosen.tau_us]}
        found |= {"fit": data.fit}
    return found


def check_state(module: torch.nn.Module, state: dict[str, Any], source: str = "checkpoint") -> None:
    """Raise ValueError with one line unless ``state`` has exactly the entries and shapes of ``module``."""
    own = module.state_dict()
    missing = [name for name in own if name not in state]
    unknown = [name for name in state if name not in own]
    shapes = [
        name
        for name, value in own.items()
        if name in state and getattr(value, "shape", None) != getattr(state[name], "shape", None)
    ]
    if not (missing or unknown or shapes):
        return
    parts = []
    if shapes:
        name = shapes[0]
        parts.append(
            f"{name} has shape {list(state[name].shape)} instead of {list(own[name].shape)}"
            + (f" (and {len(shapes) - 1} more shapes differ)" if len(shapes) > 1 else "")
        )
    if missing:
        parts.append(f"{len(missing)} entries are missing, first {missing[0]}")
    if unknown:
        parts.append(f"{len(unknown)} entries are unknown, first {unknown[0]}")
    raise ValueError(f"{source} does not fit the model: {'; '.join(parts)}")


def read_checkpoint(path: str | os.PathLike) -> dict[str, Any]:
    """Read any checkpoint onto the host: a dict with at least ``state_dict``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint {path} does not exist")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise ValueError(f"{path} is not a readable checkpoint ({type(error).__name__})") from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise ValueError(f"{path} is not a checkpoint: it must hold a 'state_dict'")
    return content


def load_checkpoint(path: str | os.PathLike) -> dict[str, Any]:
    """Read a checkpoint of `DetectionTask` or `save_model` onto the host.

    Returns:
        dict(state_dict of the model without prefix, detector = dict(options, class_names, time_steps,
        box_scale), and whatever else the file holds).

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint of a detector.
    """
    content = read_checkpoint(path)
    if not isinstance(content.get("detector"), dict):
        raise ValueError(f"{path} is not a detector's checkpoint: it must hold 'detector'")
    state = content["state_dict"]
    if any(name.startswith(PREFIX) for name in state):
        state = {n.removeprefix(PREFIX): v for n, v in state.items() if n.startswith(PREFIX)}
    return {**content, "state_dict": state}


def load_matching(
    model: torch.nn.Module, path: str | os.PathLike, tell: Callable[[str], Any] | None = None
) -> list[str]:
    """Start ``model`` with the weights of a checkpoint, as far as names and shapes agree.

    Args:
        model: changed in place.
        path: float checkpoint of a detector.
        tell: called with one line on what was taken and what was not.

    Returns:
        Names of the model's tensors that the checkpoint does not hold in that shape; they stay as they are.

    Raises:
        FileNotFoundError, ValueError: as `load_checkpoint`, or nothing fits.
    """
    state, own = load_checkpoint(path)["state_dict"], model.state_dict()
    fits = {
        name: state[name]
        for name, value in own.items()
        if getattr(state.get(name), "shape", None) == getattr(value, "shape", None)
    }
    if not any(name.endswith("weight") for name in fits):
        raise ValueError(f"{path} does not fit the model: no weight has a name and shape of it")
    model.load_state_dict(fits, strict=False)
    left = [name for name in own if name not in fits]
    if tell is not None:
        unused = [name for name in state if name not in fits]
        text = f"start from {path}: {len(fits)} of {len(own)} tensors"
        text += f"; fresh: {', '.join(left)}" if left else ""
        tell(text + (f"; not used: {', '.join(unused)}" if set(unused) - set(left) else ""))
    return left


def load_model(path: str | os.PathLike) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Rebuild the detector that a checkpoint holds, float or exact, in evaluation mode.

    Returns:
        The model with T set, and the checkpoint's ``detector`` entry.

    Raises:
        FileNotFoundError, ValueError: as `load_checkpoint`, or a model that `lampyris.models` cannot rebuild.
    """
    from lampyris import models, nn

    content = load_checkpoint(path)
    detector = content["detector"]
    if not detector.get("options"):
        raise ValueError(f"{path} does not say which model it holds: detector.options is empty")
    model = models.ems_yolo(**detector["options"])
    if "plan" in content:  # an exact model (lampyris.compress)
        from lampyris import compress

        compress.apply_plan(model, content["plan"])
    check_state(model, content["state_dict"], str(path))
    model.load_state_dict(content["state_dict"])
    nn.set_time_steps(model, detector["time_steps"])
    return model.eval(), detector


def save_model(
    path: str | os.PathLike,
    model: torch.nn.Module,
    *,
    class_names: list[str],
    time_steps: int = 4,
    box_scale: float = 18.0,
) -> Path:
    """Write weights and what `load_model` needs, without optimizer state.

    Args:
        path: file to write, whole or not at all.
        model: made by `lampyris.models.ems_yolo`.
        class_names, time_steps, box_scale: recorded beside the weights.
    """
    from lampyris.files import atomic_write

    detector = {
        "options": dict(model.options),
        "class_names": list(class_names),
        "time_steps": time_steps,
        "box_scale": box_scale,
    }
    content = {"state_dict": model.state_dict(), "detector": detector}
    if getattr(model, "exact_plan", None) is not None:
        content["plan"] = model.exact_plan
    return atomic_write(path, lambda file: torch.save(content, file))
