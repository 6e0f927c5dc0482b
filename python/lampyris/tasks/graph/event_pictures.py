"""A picture of event-graph detection: events, the clusters that became proposals, boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from lampyris.data import EventWindow, batch_events
from lampyris.models import EventGraphDetector
from lampyris.plots import save_figure

from .event_detector import decode
from .pictures import panels

__all__ = ["draw_events"]

SHOWN_SCORE = 0.3
LEAST_MASS = 0.01  # of the events, for a cluster to be drawn


@torch.no_grad()
def draw_events(
    path: str | Path,
    windows: Sequence[EventWindow],
    models: dict[str, EventGraphDetector],
    class_names: Sequence[str],
) -> Path:
    """One row for each window: events by polarity with the true boxes, then each model's clusters and boxes.

    Events are coloured by the cluster that holds most of their voxel; ellipses are one standard deviation.
    True boxes are dashed, boxes with a score of at least 0.3 solid with class and score.

    Args:
        path: PNG to write.
        windows: what to draw.
        models: title -> detector.
        class_names: of the labels.
    """
    figure, axes = panels(len(windows), 1 + len(models), 2.8)
    for row, window in enumerate(windows):
        bright = window.polarity == 1
        left = axes[row][0]
        for mine, colour, name in ((bright, "tab:red", "brighter"), (~bright, "tab:blue", "darker")):
            left.scatter(window.x[mine], window.y[mine], s=2, c=colour, lw=0, label=name)
        left.set_title(f"{len(window)} events", fontsize=8)
        for column, (title, model) in enumerate(models.items(), 1):
            _draw_model(axes[row][column], window, model, title, class_names)
        for axis in axes[row]:
            _draw_boxes(axis, window.boxes, [class_names[c] for c in window.labels], "black", "--", low=True)
    for axis in axes.flat:
        model = next(iter(models.values()))
        axis.set_xlim(-0.5, model.width - 0.5)
        axis.set_ylim(model.height - 0.5, -0.5)
        axis.set_aspect("equal")
        axis.set_axis_on()
        axis.set_xticks([])
        axis.set_yticks([])
    return save_figure(figure, path, tight=False)


def _draw_model(axis, window: EventWindow, model: EventGraphDetector, title: str, class_names) -> None:
    from matplotlib.patches import Ellipse

    batch = batch_events([window])
    out = model.eval()(batch.x, batch.y, batch.t, batch.polarity, batch.recording_ptr)
    cluster = out.assignment.argmax(1)[out.voxels.voxel]
    axis.scatter(window.x, window.y, s=2, c=cluster % 20, cmap="tab20", vmin=0, vmax=19, lw=0)
    for k in (out.moments.mass[0] > LEAST_MASS * len(window)).nonzero()[:, 0].tolist():
        centre, spread = out.moments.centre[0, k].tolist(), out.moments.deviation[0, k].tolist()
        axis.add_patch(
            Ellipse(centre, 2 * spread[0], 2 * spread[1], fill=False, lw=0.8, ec=f"C{k % 10}", alpha=0.7)
        )
    found = decode(out)[0]
    shown = found["scores"] >= SHOWN_SCORE
    pairs = zip(found["labels"][shown].tolist(), found["scores"][shown].tolist(), strict=True)
    names = [f"{class_names[label]} {score:.2f}" for label, score in pairs]
    _draw_boxes(axis, found["boxes"][shown], names, "tab:green", "-", low=False)
    axis.set_title(title, fontsize=8)


def _draw_boxes(axis, boxes: Tensor, names: Sequence[str], colour: str, style: str, low: bool) -> None:
    from matplotlib.patches import Rectangle

    for (x0, y0, x1, y1), name in zip(boxes.tolist(), names, strict=True):
        axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=colour, ls=style, lw=1.2))
        place = (x0, y1 + 0.5) if low else (x0, y0 - 0.5)
        axis.text(*place, name, fontsize=6, color=colour, va="top" if low else "bottom")
