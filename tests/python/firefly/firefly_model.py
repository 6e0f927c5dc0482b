"""A slow numpy model of contract sections 2 to 4 for random programs; knows nothing of images."""

from __future__ import annotations

import numpy as np

LIMIT18 = 1 << 17


def conv_sum(spikes, weight, stride=1, padding=None):
    """Exact P of spikes [T, C, H, W] by shifted products, int64 [T, Co, H', W']."""
    k = weight.shape[-1]
    padding = k // 2 if padding is None else padding
    x = np.pad(spikes.astype(np.int64), ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    height = (x.shape[2] - k) // stride + 1
    width = (x.shape[3] - k) // stride + 1
    total = 0
    for ky in range(k):
        for kx in range(k):
            rows = slice(ky, ky + (height - 1) * stride + 1, stride)
            columns = slice(kx, kx + (width - 1) * stride + 1, stride)
            window = x[:, :, rows, columns]
            total = total + np.einsum("tchw,oc->tohw", window, weight[:, :, ky, kx].astype(np.int64))
    return total


def current(spikes, weight, bias, stride=1, padding=None, shift=0, residual=None):
    """(X int64 [T, Co, H, W], number of clamped values)."""
    wide = conv_sum(spikes, weight, stride, padding) * 2**shift + bias.astype(np.int64)[:, None, None]
    if residual is not None:
        wide = wide + residual
    x = np.clip(wide, -32768, 32767)
    return x, int((x != wide).sum())


def neurons(x, threshold, leak="none", k=2, time_steps=None):
    """(spikes, membranes after reset, number of saturated membranes) of X [T or 1, C, H, W]."""
    time_steps = time_steps or len(x)
    theta = np.broadcast_to(np.asarray(threshold), (x.shape[1],))[:, None, None]
    v = np.zeros(x.shape[1:], np.int64)
    spikes, membranes, saturated = [], [], 0
    for t in range(time_steps):
        now = x[t if len(x) > 1 else 0]
        if leak == "none":
            wide = v + now
        elif leak == "half_after":
            wide = np.floor_divide(v + now, 2)
        else:
            wide = np.floor_divide(v, 2**k) + now
        v = np.clip(wide, -LIMIT18, LIMIT18 - 1)
        saturated += int((v != wide).sum())
        fires = v > theta
        v = np.where(fires, 0, v)
        spikes.append(fires)
        membranes.append(v)
    return np.stack(spikes), np.stack(membranes), saturated


def pool(x):
    """2 x 2 maximum."""
    t, c, h, w = x.shape
    return x.reshape(t, c, h // 2, 2, w // 2, 2).max((3, 5))


def upsample(x):
    """Nearest, factor 2."""
    return x.repeat(2, 2).repeat(2, 3)


def wrap(x, bits):
    """Two's complement."""
    half = 1 << (bits - 1)
    return (x + half) % (2 * half) - half


def v1_layer(spikes, weight, bias, threshold, parallelism, leak="none", winner=False, pad_bias=0):
    """Released arithmetic, tile by tile: (spikes, membranes after reset)."""
    time_steps, channels = spikes.shape[:2]
    lanes = -(-len(weight) // parallelism) * parallelism
    padded = np.zeros((lanes, *weight.shape[1:]), np.int64)
    padded[: len(weight)] = weight
    offset = np.full(lanes, pad_bias, np.int64)
    offset[: len(weight)] = bias
    v, fired, membranes = 0, [], []
    for t in range(time_steps):
        for first in range(0, channels, parallelism):
            part = slice(first, first + parallelism)
            tile = conv_sum(spikes[t : t + 1, part], padded[:, part])[0]
            v = wrap(v + wrap(tile, 16), 18)
            if first + parallelism >= channels:
                v = wrap(v + offset[:, None, None], 18)
            if leak == "leak_every_pass":
                v = np.floor_divide(v, 2)
        if leak == "half_after":
            v = np.floor_divide(v, 2)
        if winner:
            groups = v.reshape(-1, parallelism, *v.shape[1:])
            fires = (groups > groups.max(1, keepdims=True) - 1).reshape(v.shape)
        else:
            fires = v > threshold
            v = np.where(fires, 0, v)
        fired.append(fires)
        membranes.append(v)
    return np.stack(fired)[:, : len(weight)], np.stack(membranes)[:, : len(weight)]
