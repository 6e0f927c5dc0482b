"""Scrubbing of the parameters that a driver has put into device memory."""

from __future__ import annotations

import numpy as np

from lampyris.ecc import Scrubber
from lampyris.firefly.image import Image

__all__ = ["scrubbers"]

ALIGN = 64  # bytes


def scrubbers(image: Image, memory: np.ndarray) -> dict[str, Scrubber]:
    """A scrubber for each protected tensor that lies in device memory: weights and biases of layers.

    Args:
        image: as the driver loaded it, protected (``Image.protect``).
        memory: of the device or board, uint8 [n], from the image base on.

    Returns:
        By name of the tensor; ``.step()`` between frames keeps single upsets from adding up.

    Raises:
        ValueError: an image without error correction, or a memory that is too small.

    Example:
        >>> from lampyris import firefly
        >>> layer = firefly.conv(np.ones((16, 16, 3, 3), np.int8), np.zeros(16, np.int16), threshold=3)
        >>> image = firefly.build([layer], input_shape=(1, 16, 4, 4), parallelism=16).protect("row")
        >>> device = firefly.Device(parallelism=16)
        >>> _ = firefly.Driver(device).run(image, np.ones((1, 16, 4, 4), bool))
        >>> scrubber = firefly.scrubbers(image, device.memory)["layer.000.weights"]
        >>> scrubber.data[7] ^= 0x10
        >>> scrubber.run().corrected_bits
        1
    """
    presets = image.plan.get("ecc", {}).get("tensors", {})
    if not presets:
        raise ValueError("scrubbers: image must be protected (Image.protect), got one without check words")
    found, place = {}, 0
    for number in range(len(image.layers)):
        for part in ("registers", "weights", "bias"):
            name = f"layer.{number:03}.{part}"
            if (tensor := image.tensors.get(name)) is None:
                continue
            size = tensor.nbytes
            if part != "registers" and name in presets:
                if place + size > len(memory):
                    raise ValueError(f"scrubbers: memory must have {place + size} bytes, got {len(memory)}")
                preset = presets[name]["preset"]
                view = memory[place : place + size]
                words = Scrubber(tensor.view(np.uint8).copy(), preset=preset).words
                found[name] = Scrubber(view, words, preset)
            place += -(-size // ALIGN) * ALIGN
    return found
