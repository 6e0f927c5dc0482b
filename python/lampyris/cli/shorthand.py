"""`lampyris fit --data my_coco/ --model ems_yolo18`: a folder and a name instead of a config."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

__all__ = ["expand", "model_options"]

NAME = re.compile(r"ems_yolo(10|18|34)((?:[-_](?:wide|lite|cat|anchor_free|released))*)")
SIMPLE = ("tiny", "tiny_events", "v1")
STRIDE = 32
"""The coarsest of the large families; their inputs are multiples of it."""
TINY_STRIDE = 8

SGD = ["--model.sgd.lr", "0.01", "--model.weight_decay", "0.0", "--run.average", "0.9999"]
ADAMW = ["--model.lr", "0.012"]
AUGMENT = [
    *("--data.horizontal_flip", "0.5", "--data.augment.mosaic", "1.0", "--data.augment.scale", "0.5"),
    *("--data.augment.translate", "0.1", "--data.augment.hsv", "[0.015,0.7,0.4]"),
]
"""Of the published COCO runs; their Gen1 runs have none."""


def model_options(name: str) -> dict[str, Any] | None:
    """Arguments of `lampyris.models.ems_yolo` that a short name stands for; None if it is none.

    Example:
        >>> model_options("ems_yolo34-cat")
        {'depth': 34, 'family': 'wide', 'variant': 'cat'}
        >>> model_options("ems_yolo18"), model_options("tiny"), model_options("other")
        ({'depth': 18, 'family': 'lite'}, {'family': 'tiny'}, None)
    """
    if name in SIMPLE:
        return {"family": name}
    found = NAME.fullmatch(name)
    if found is None:
        return None
    words = set(re.findall(r"wide|lite|cat|anchor_free|released", found[2]))
    options: dict[str, Any] = {
        "depth": int(found[1]),
        "family": "wide" if words & {"wide", "cat"} else "lite",
    }
    if "cat" in words:
        options["variant"] = "cat"
    if "anchor_free" in words:
        options["head"] = "anchor_free"
    if "released" in words:
        options |= {"full_spike": False, "block_order": "released"}
    return options


def _take(arguments: list[str], key: str) -> str | None:
    """Remove ``key`` and its value; the value."""
    for place, word in enumerate(arguments):
        if word == key and place + 1 < len(arguments):
            del arguments[place]
            return arguments.pop(place)
        if word.startswith(f"{key}="):
            return arguments.pop(place).split("=", 1)[1]
    return None


def _folder(value: str | None) -> bool:
    return value is not None and (Path(value).is_dir() or value.endswith(("/", "\\")))


def _plain_word(value: str) -> bool:
    """Neither a file, nor a dotted name, nor YAML."""
    return not Path(value).exists() and not any(mark in value for mark in ".{[:") and value != "null"


def expand(arguments: list[str]) -> list[str]:
    """The arguments with a folder after ``--data`` and a name after ``--model`` written out.

    What was given beside them wins over the defaults that they bring (classes, channels, size and T of the
    data; SGD as published for the large families, AdamW for the small ones).

    Raises:
        FileNotFoundError, ValueError: as of `lampyris.data.open_folder`.
    """
    rest = list(arguments)
    data, model = _take(rest, "--data"), _take(rest, "--model")
    options = model_options(model) if model else None
    start: list[str] = []
    module = None
    if data is not None and _folder(data):
        from lampyris.data import open_folder

        module = open_folder(data)
        start += ["--data", f"lampyris.data.{type(module).__name__}", "--data.root", data]
    elif data is not None:
        if _plain_word(data):
            raise FileNotFoundError(
                f"--data must be a folder, a config or a class, got {data}: no such folder"
            )
        start += ["--data", data]
    if model is not None and options is None and _plain_word(model):
        known = [*SIMPLE, "ems_yolo10", "ems_yolo18", "ems_yolo34", "ems_yolo34-cat"]
        near = difflib.get_close_matches(model, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"--model must be a config, a class or one of {', '.join(known)}, got {model!r}{hint}"
        )
    if options is None:
        return [*start, *(["--model", model] if model else []), *rest]
    if module is not None:
        options |= {"num_classes": module.num_classes, "in_channels": module.in_channels}
        options |= {"input_exponent": module.input_exponent}
        if "--config" not in rest:
            start += _defaults(module, options, Path(data).resolve().name, model)
    start += ["--model.model", "lampyris.models.ems_yolo"]
    for key, value in options.items():
        start += [f"--model.model.{key}", str(value).lower() if isinstance(value, bool) else str(value)]
    return [*start, *rest]


def _defaults(module: Any, options: dict[str, Any], data: str, model: str) -> list[str]:
    large = "depth" in options
    events = module.batch_dim == 1
    steps = module.time_steps if events else 4
    train = steps if events or large else 1
    stride = STRIDE if large else TINY_STRIDE
    height, width = (-(-side // stride) * stride for side in module.image_size)
    return [
        *(SGD if large else ADAMW),
        *(AUGMENT if large and not events else ()),
        *("--data.image_size", f"[{height},{width}]"),
        *("--model.train_time_steps", str(train), "--model.eval_time_steps", str(steps)),
        *("--trainer.max_epochs", "100", "--trainer.gradient_clip_val", "10.0"),
        *("--trainer.num_sanity_val_steps", "0", "--trainer.enable_model_summary", "false"),
        *("--folder", f"runs/{data}_{model}"),
    ]
