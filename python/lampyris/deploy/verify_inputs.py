"""Test images for a verification: from files, a data-set folder, or the generated data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lampyris.compress.integer_network import IntegerNetwork

from .picture_inputs import read_inputs

__all__ = ["labelled_inputs", "sample_inputs"]

EVENT_CHANNELS = 2
LOADED_AT_ONCE = 16


def sample_inputs(network: IntegerNetwork, count: int, source: str | None = None) -> np.ndarray:
    """`count` inputs uint8 [B, C, H, W], or [T, B, C, H, W] for a network that reads a sequence.

    Args:
        network: whose input they must fit.
        count: at least 1.
        source: a COCO-format folder, a Gen1-format folder (for sequences), a folder of pictures, a picture or
            a .npy file; None takes the test split of the generated digits or order-only events.

    Raises:
        ValueError, FileNotFoundError: nothing that fits.
    """
    if count < 1:
        raise ValueError(f"verify: images must be >= 1, got {count}")
    node = network.nodes[0]
    channels, height, width = node.shape
    steps = int(node.params.get("steps", 1))
    if (
        source is not None
        and not (Path(source) / "annotations").is_dir()
        and not (Path(source) / "test").is_dir()
    ):
        return read_inputs(source, tuple(node.shape), steps, count)
    module = _module(source, steps, channels, (height, width), count)
    batches, found = [], 0
    for images, _ in module.test_dataloader():
        batches.append(images.numpy())
        found += images.shape[-4]
        if found >= count:
            break
    inputs = np.concatenate(batches, axis=-4)
    if inputs.ndim == 5 and steps == 1:
        inputs = inputs[0]
    if inputs.shape[-3:] != tuple(node.shape):
        raise ValueError(f"verify: images must have shape {list(node.shape)}, got {list(inputs.shape[-3:])}")
    return inputs[:count] if steps == 1 else inputs[:, :count]


def labelled_inputs(
    shape: tuple[int, int, int], steps: int, count: int, source: str | None = None
) -> tuple[list[np.ndarray], list[dict]]:
    """Inputs of a test split one by one, with their labels.

    Args:
        shape: C, H, W of the network's input.
        steps: time steps of the input.
        count: at least 1.
        source: COCO-format or Gen1-format folder; None takes the generated digits or order-only events.

    Returns:
        uint8 [C, H, W], or [T, C, H, W] for sequences, each; and a dict of boxes and labels each.

    Raises:
        ValueError, FileNotFoundError: nothing that fits.
    """
    frames: list[np.ndarray] = []
    labels: list[dict] = []
    for images, targets in _module(source, steps, shape[0], shape[1:], count).test_dataloader():
        batch = images.numpy()
        if batch.ndim == 5 and steps == 1:
            batch = batch[0]
        frames += list(batch if steps == 1 else batch.swapaxes(0, 1))
        labels += list(targets)
        if len(frames) >= count:
            break
    if frames[0].shape[-3:] != tuple(shape):
        got = list(frames[0].shape[-3:])
        raise ValueError(f"labelled inputs: images must have shape {list(shape)}, got {got}")
    return [np.ascontiguousarray(frame) for frame in frames[:count]], labels[:count]


def _module(source: str | None, steps: int, channels: int, size: tuple[int, int], count: int):
    from lampyris import data

    batch = min(count, LOADED_AT_ONCE)
    if steps > 1 or channels == EVENT_CHANNELS:
        if source is None:
            return data.OrderEventsDetection(time_steps=steps, batch_size=batch)
        return data.Gen1Detection(source, time_steps=steps, image_size=size, batch_size=batch)
    if source is None:
        return data.DigitsDetection(image_size=size[0], batch_size=batch)
    return data.CocoDetection(source, image_size=size, batch_size=batch)
