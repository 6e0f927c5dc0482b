"""Spike rasters, firing rates and gradients through depth as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lampyris.plots import pyplot, save_figure

__all__ = ["draw_activity", "draw_depth"]


def draw_activity(
    path: str | Path, spikes: dict[str, np.ndarray], *, neurons: int = 400, title: str = "", seed: int = 0
) -> Path:
    """Spike raster of one input and firing rate of every layer.

    Args:
        path: PNG to write.
        spikes: bool arrays [T, B, C, H, W] by layer; the raster shows the first of the batch, the
            rates use all of it.
        neurons: neurons drawn per layer, chosen at random among those of the layer.
        title: heading of the picture.
        seed: seed of that choice.

    Returns:
        The path written.
    """
    plt = pyplot()

    random = np.random.default_rng(seed)
    names = list(spikes)
    steps = next(iter(spikes.values())).shape[0]
    figure, (raster, bars) = plt.subplots(
        1, 2, figsize=(11, 0.45 * len(names) + 1.6), width_ratios=(3, 2), sharey=True
    )
    for row, name in enumerate(names):
        first = spikes[name][:, 0].reshape(steps, -1)
        chosen = np.sort(random.permutation(first.shape[1])[:neurons])
        step, neuron = np.nonzero(first[:, chosen])
        # Each layer is a band of height 0.8; within a step the neurons spread over 0.8 of the width.
        height = row - 0.4 + 0.8 * (neuron + 0.5) / len(chosen)
        jitter = 0.8 * (random.permutation(len(chosen))[neuron] + 0.5) / len(chosen) - 0.4
        raster.scatter(
            step + 1 + jitter, height, s=2.2, color=plt.cm.viridis(row / max(len(names) - 1, 1)), lw=0
        )
    raster.set_yticks(range(len(names)), names, fontsize=8)
    raster.set_xticks(range(1, steps + 1))
    raster.set_xlim(0.5, steps + 0.5)
    raster.set_xlabel("time step")
    raster.set_title(f"spikes of one input (up to {neurons} neurons per layer)", fontsize=9)
    for boundary in range(1, steps):
        raster.axvline(boundary + 0.5, color="0.85", lw=0.8)
    rates = [100 * float(value.mean()) for value in spikes.values()]
    bars.barh(
        range(len(names)),
        rates,
        color=[plt.cm.viridis(i / max(len(names) - 1, 1)) for i in range(len(names))],
    )
    for row, rate in enumerate(rates):
        bars.text(rate, row, f" {rate:.1f} %", va="center", fontsize=8)
    bars.set_xlim(0, 1.18 * max([*rates, 1]))
    bars.set_xlabel("spikes per neuron and step, %")
    bars.set_title(f"firing rate over {next(iter(spikes.values())).shape[1]} inputs", fontsize=9)
    bars.invert_yaxis()
    if title:
        figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return save_figure(figure, path)


def draw_depth(path: str | Path, rows: list) -> Path:
    """Gradient ratio and loss against depth, a line for every kind of `report.depth.DepthRow`."""
    plt = pyplot()

    figure, (ratio, loss) = plt.subplots(1, 2, figsize=(9, 3.6))
    for kind in dict.fromkeys(row.kind for row in rows):
        mine = [row for row in rows if row.kind == kind]
        depths = [row.depth for row in mine]
        ratio.plot(depths, [row.gradient_ratio for row in mine], "o-", label=kind, ms=4)
        loss.plot(depths, [row.loss for row in mine], "o-", label=kind, ms=4)
    ratio.axhspan(0.5, 2, color="0.92")
    ratio.set(yscale="log", xlabel="convolutions", title="gradient, first over last block")
    loss.set(xlabel="convolutions", title="loss at the end of training")
    loss.axhline(np.log(10), color="0.7", lw=0.8, ls="--")
    ratio.legend(fontsize=8)
    figure.tight_layout()
    return save_figure(figure, path)
