"""Curves of a run: loss, learning rate and average precision over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning

from lampyris.plots import pyplot, save_figure

__all__ = ["CurvePlot", "draw_history"]


def draw_history(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """The rows of `ResultsTable` as a PNG of three panels: losses, learning rate, average precision."""
    figure, axes = pyplot().subplots(1, 3, figsize=(12, 3.5), layout="constrained")
    panels = {
        "loss": [name for name in rows[-1] if name.endswith("loss")],
        "learning rate": ["lr"],
        "average precision": ["ap", "ap50", "ap75"],
    }
    for axis, (title, names) in zip(axes, panels.items(), strict=True):
        for name in names:
            points = [(row["epoch"], row[name]) for row in rows if name in row]
            if points:
                axis.plot(*zip(*points, strict=True), marker=".", label=name)
                axis.legend()
        axis.set(title=title, xlabel="epoch")
        axis.grid(alpha=0.3)
    return save_figure(figure, path, tight=False)


class CurvePlot(lightning.Callback):
    """Write ``curves.png`` beside ``results.csv`` after validated epochs and at the end.

    Args:
        table: the run's `ResultsTable`.
        folder: where the file goes.
    """

    def __init__(self, table: Any, folder: Path) -> None:
        self.table = table
        self.folder = folder

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.table.rows and "ap" in self.table.rows[-1]:
            self._write(trainer)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._write(trainer)

    def _write(self, trainer: lightning.Trainer) -> None:
        if trainer.is_global_zero and self.table.rows:
            draw_history(self.folder / "curves.png", self.table.rows)
