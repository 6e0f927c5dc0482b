"""Images for target ``ems``: named maps, one method per operation (contract sections 2 to 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lampyris.firefly.arrays import from_native, integers
from lampyris.firefly.image import Image

__all__ = ["Neuron", "Program"]


@dataclass(frozen=True)
class Neuron:
    """Neurons fused behind a convolution.

    Args:
        name: of the spikes they give.
        threshold: int, or int [C]; a neuron fires where V > threshold. 18 bits.
        leak: "none" V = V + X; "half_after" V = (V + X) >> 1; "before" V = (V >> k) + X.
        k: 1 to 4, only with "before".
        membrane: give V after the last step (int32 [C, H, W]) instead of spikes.
    """

    name: str
    threshold: int | Sequence[int] | np.ndarray
    leak: str = "none"
    k: int = 2
    membrane: bool = False

    def _native(self) -> object:
        from lampyris import _native

        count = np.atleast_1d(np.asarray(self.threshold))
        threshold = integers(self.name, "threshold", count, np.int32, [None])
        return _native.firefly.NeuronSpec(self.name, threshold, self.leak, self.k, self.membrane)


class Program:
    """Builds one ``ems`` image. Every method returns the name of the map it makes.

    Args:
        parallelism: P, 16 or 32.
        time_steps: T, 1 to 256.
        preset: board, "ultra96", "zcu104" or "kv260".

    Example:
        >>> import numpy as np
        >>> program = Program(parallelism=16, time_steps=2)
        >>> x = program.input("x", channels=16, height=4, width=4, steps=1)
        >>> s = program.neuron("lif", x, threshold=10, leak="before", k=2)
        >>> w, b = np.ones((16, 16, 1, 1), np.int8), np.zeros(16, np.int16)
        >>> program.output("head", s, w, b)
        'head'
        >>> from lampyris import firefly
        >>> frame = np.full((1, 16, 4, 4), 20, np.int16)
        >>> result = firefly.Driver(firefly.Device()).run(program.build(), frame)
        >>> int(result.outputs["head"][0, 0, 0])
        32
    """

    def __init__(self, parallelism: int = 16, time_steps: int = 4, preset: str = "zcu104") -> None:
        from lampyris import _native

        self._native = _native.firefly.Program(parallelism, time_steps, preset)
        self.parallelism, self.time_steps, self.preset = parallelism, time_steps, preset

    def input(
        self, name: str, *, channels: int, height: int, width: int, steps: int = 1, kind: str = "stream"
    ) -> str:
        """The map that the host fills: an int16 stream, or spikes (``kind="spikes"``, steps T).

        Raises:
            ValueError: a second input, sizes below 1, or steps other than 1 or T.
        """
        return self._native.input(name, kind, channels, height, width, steps)

    def neuron(
        self,
        name: str,
        source: str,
        *,
        threshold: int | Sequence[int] | np.ndarray,
        leak: str = "none",
        k: int = 2,
        membrane: bool = False,
    ) -> str:
        """Neurons on a stream (see ``Neuron``). Spikes [T, C, H, W], or int32 [C, H, W]."""
        return self._native.neuron(Neuron(name, threshold, leak, k, membrane)._native(), source)

    def conv(
        self,
        name: str,
        source: str,
        weight: np.ndarray,
        bias: np.ndarray,
        *,
        stride: int = 1,
        padding: int | None = None,
        shift: int = 0,
        residual: str | None = None,
        neuron: Neuron | None = None,
        store_stream: bool = False,
    ) -> str:
        """Convolution of spikes, X = sat16((P << shift) + bias + residual).

        Args:
            name: of the stream X.
            source: spikes.
            weight: int8 [Co, Ci, k, k] in [-127, 127], k 1 or 3.
            bias: int16 [Co], added once per time step.
            stride: 1 or 2.
            padding: 0, or 1 with k = 3; None is k // 2.
            shift: left shift, 0 to 4.
            residual: a stream of X's shape (the shortcut of a residual block).
            neuron: fused neurons; their spikes are then what the method names, and the stream is
                stored only with ``store_stream=True``.

        Raises:
            ValueError: a wrong shape, an unknown or a taken name. Limits of the target (kernel, stride,
                shift and other ranges) are reported by `build`, all at once.
        """
        weight = integers(name, "weight", weight, np.int8, [None] * 4)
        bias = integers(name, "bias", bias, np.int16, [None])
        padding = weight.shape[-1] // 2 if padding is None else padding
        spec = None if neuron is None else neuron._native()
        return self._native.conv(
            name, source, weight, bias, stride, padding, shift, residual or "", spec, store_stream
        )

    def max_pool(self, name: str, source: str) -> str:
        """Maximum over 2 x 2 with stride 2 (OR for spikes). Even sizes."""
        return self._native.max_pool(name, source)

    def upsample(self, name: str, source: str) -> str:
        """Nearest up-sampling by 2."""
        return self._native.upsample(name, source)

    def concat(self, name: str, parts: Sequence[str]) -> str:
        """Channels of the parts behind one another, by address: the parts are written in place.

        Every part but the last must have a multiple of P channels. A part that is already in
        another concatenation, or repeats over T while the others do not, is copied.
        """
        return self._native.concat(name, list(parts))

    def output(self, name: str, source: str, weight: np.ndarray, bias: np.ndarray) -> str:
        """int32 [Co, H, W], the sum over T of P + bias, never clamped. Stride 1, padding k // 2."""
        weight = integers(name, "weight", weight, np.int8, [None] * 4)
        return self._native.output(name, source, weight, integers(name, "bias", bias, np.int16, [None]))

    def host_stem(
        self,
        name: str,
        weight: np.ndarray,
        bias: np.ndarray,
        *,
        stride: int,
        padding: int,
        shift: int,
        input_shape: tuple[int, int, int],
        input_steps: int = 1,
        exponent: int = 8,
    ) -> None:
        """The stem that the host runs in int32: x = sat16(shift_round(acc + bias, shift)).

        Args:
            name: of the program's input, which the stem fills.
            weight: int8 [Co, Ci, kh, kw]. bias: int32 [Co].
            input_shape: (Ci, H, W) of uint8 frames. input_steps: 1 or T.
            exponent: p; a pixel's real value is pixel * 2^-p.

        Raises:
            ValueError: another output shape than the input's, or abs(acc + bias) that can reach 2^24.
        """
        weight = integers(name, "weight", weight, np.int8, [None] * 4)
        bias = integers(name, "bias", bias, np.int32, [None])
        self._native.host_stem(
            name, weight, bias, stride, padding, shift, tuple(input_shape), input_steps, exponent
        )

    def host_output(self, name: str, step: np.ndarray, class_names: Sequence[str] = ()) -> None:
        """Real value of one integer step of output ``name``, float64 [Co], and the class names.

        Once per output; the first is the image's ``host_output``, the others its ``further_outputs``.

        Raises:
            ValueError: no such output, a wrong shape or value, or the same output again.
        """
        self._native.host_output(name, np.asarray(step, np.float64).ravel().tolist(), list(class_names))

    def note(self, key: str, text: str) -> None:
        """Free text for the plan's ``notes``, for instance quantizer settings."""
        self._native.note(key, text)

    def shape(self, name: str) -> tuple[str, int, int, int, int]:
        """(kind, steps, C, H, W) of a map."""
        return self._native.shape(name)

    def build(self) -> Image:
        """The image.

        Raises:
            ValueError: the network breaks limits of the target; all of them are listed.
        """
        return from_native(self._native.build())
