"""Images for target ``v1``, the released accelerator: a list of layers (contract section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lampyris.firefly.arrays import from_native, integers
from lampyris.firefly.image import Image

__all__ = ["Layer", "build", "conv", "linear"]


@dataclass(frozen=True)
class Layer:
    """A released layer; make it with ``conv`` or ``linear``."""

    kind: str
    weight: np.ndarray
    bias: np.ndarray
    threshold: int
    leak: str = "none"
    pool: bool = False
    winner_takes_all: bool = False


def conv(
    weight: np.ndarray, bias: np.ndarray, threshold: int, pool: bool = False, leak: str = "none"
) -> Layer:
    """A 3 x 3 convolution, stride 1, zero padding 1, with neurons and optional 2 x 2 OR pooling.

    Args:
        weight: int8 [Co, Ci, 3, 3].
        bias: int16 [Co], added once per time step.
        threshold: 18-bit integer; a neuron fires where V > threshold.
        pool: OR over 2 x 2, stride 2, after the neurons.
        leak: "none", "half_after", or "leak_every_pass" (the released source, which halves after
            every input-channel tile).

    Raises:
        ValueError: a wrong shape or a value out of range.

    Example:
        >>> conv(np.ones((4, 2, 3, 3), np.int8), np.zeros(4, np.int16), threshold=5).weight.shape
        (4, 2, 3, 3)
    """
    weight = integers("conv", "weight", weight, np.int8, [None, None, 3, 3])
    bias = integers("conv", "bias", bias, np.int16, [weight.shape[0]])
    return Layer("conv", weight, bias, int(threshold), leak, pool)


def linear(
    weight: np.ndarray,
    bias: np.ndarray,
    threshold: int = 0,
    winner_takes_all: bool = False,
    leak: str = "none",
) -> Layer:
    """A fully connected layer on the flattened map.

    Args:
        weight: int8 [Co, C * H * W], torch's flatten order.
        bias: int16 [Co].
        threshold: as ``conv``; not used with winner_takes_all.
        winner_takes_all: classifier: the largest membrane fires, nothing is reset.

    Raises:
        ValueError: a wrong shape or a value out of range.

    Example:
        >>> linear(np.ones((3, 8), np.int8), np.zeros(3, np.int16), winner_takes_all=True).kind
        'linear'
    """
    weight = integers("linear", "weight", weight, np.int8, [None, None])
    bias = integers("linear", "bias", bias, np.int16, [weight.shape[0]])
    return Layer("linear", weight, bias, int(threshold), leak, False, winner_takes_all)


def build(
    layers: Sequence[Layer],
    input_shape: tuple[int, int, int, int],
    parallelism: int = 16,
    target: str = "v1",
    *,
    preset: str = "ultra96",
    names: Sequence[str | Mapping[str, str]] | None = None,
    host_stem: Mapping[str, Any] | None = None,
    host_output: Mapping[str, Any] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Image:
    """A ``v1`` image. Proves from the weights that no sum wraps, else refuses.

    Args:
        layers: ``conv`` layers, then ``linear`` ones.
        input_shape: (T, C, H, W) of the spikes that enter the first layer.
        parallelism: P, 16 or 32.
        target: "v1"; ``Program`` makes ``ems`` images.
        preset: board whose limits count ("ultra96" has 16-bit output transfers).
        names: a name per layer, or {"neuron": name of its spikes, "pool": name behind the pooling}.
            A plain name means what the layer gives; the spikes before pooling are then name + ".fire".
        host_stem: weight int8 [Co, Ci, kh, kw], bias int32 [Co], stride, padding, shift, input_shape
            (Ci, H, W), input_steps, exponent, threshold, leak, and optional name, neuron.
        host_output: weight int8 [Co, Ci, k, k], bias int16 [Co], step float64 [Co], and optional name,
            class_names: computed by the host from the spikes of the last layer.
        notes: free text for the plan.

    Raises:
        ValueError: limits of the accelerator that the network breaks, all of them, by layer name.

    Example:
        >>> layer = conv(np.ones((16, 16, 3, 3), np.int8), np.zeros(16, np.int16), threshold=3)
        >>> image = build([layer], input_shape=(4, 16, 8, 8))
        >>> len(image.layers[0].weight_stream)
        2304
    """
    from lampyris import _native

    if target != "v1":
        raise ValueError(f"build: target must be v1, got {target!r} (firefly.Program makes ems images)")
    if names is not None and len(names) != len(layers):
        raise ValueError(f"build: names must have {len(layers)} entries, got {len(names)}")
    native = _native.firefly.V1Builder(parallelism, tuple(int(n) for n in input_shape), preset)
    for index, layer in enumerate(layers):
        neuron, pool = _layer_names(names[index] if names is not None else f"layer{index}", layer)
        native.layer(
            neuron, pool, layer.kind, layer.weight.reshape(*layer.weight.shape[:2], -1), layer.bias,
            layer.threshold, layer.leak, layer.winner_takes_all,
        )  # fmt: skip
    if host_stem is not None:
        _add_stem(native, dict(host_stem))
    if host_output is not None:
        _add_output(native, dict(host_output))
    for key, text in (notes or {}).items():
        native.note(key, text)
    return from_native(native.build())


def _layer_names(name: str | Mapping[str, str], layer: Layer) -> tuple[str, str]:
    if isinstance(name, str):
        return (f"{name}.fire", name) if layer.pool else (name, "")
    if layer.pool:
        return name["neuron"], name["pool"]
    return name["neuron"], ""


def _take(op: str, options: dict[str, Any], known: Sequence[str]) -> None:
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"{op}: keys must be among {', '.join(known)}, got {', '.join(unknown)}")


def _add_stem(native: Any, stem: dict[str, Any]) -> None:
    known = (
        "weight", "bias", "stride", "padding", "shift", "exponent", "input_shape", "input_steps",
        "threshold", "leak", "name", "neuron",
    )  # fmt: skip
    _take("host_stem", stem, known)
    name = stem.get("name", "stem")
    weight = integers(name, "weight", stem["weight"], np.int8, [None] * 4)
    native.host_stem(
        name, stem.get("neuron", f"{name}.neuron"), weight,
        integers(name, "bias", stem["bias"], np.int32, [weight.shape[0]]),
        stem["stride"], stem["padding"], stem["shift"], tuple(stem["input_shape"]),
        stem.get("input_steps", 1), stem.get("exponent", 8), int(stem["threshold"]),
        stem.get("leak", "none"),
    )  # fmt: skip


def _add_output(native: Any, output: dict[str, Any]) -> None:
    _take("host_output", output, ("weight", "bias", "step", "name", "class_names"))
    name = output.get("name", "output")
    weight = integers(name, "weight", output["weight"], np.int8, [None] * 4)
    native.host_output(
        name, weight, integers(name, "bias", output["bias"], np.int16, [weight.shape[0]]),
        np.asarray(output["step"], np.float64).ravel().tolist(), list(output.get("class_names", ())),
    )  # fmt: skip
