"""The evaluation of a checkpoint as a folder: figures under named protocols, curves, worst samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from torchvision.io import encode_png

from lampyris.files import atomic_write
from lampyris.plots import pyplot, save_figure

from .curves import Curve, confusion, precision_recall, size_table, worst_samples
from .pictures import draw_samples
from .protocols import PROTOCOLS, chosen_protocols, evaluate_protocols

__all__ = ["EvaluationReport", "evaluation_figures"]

WORST = 8


def evaluation_figures(
    detections: Sequence[dict[str, Any]],
    targets: Sequence[dict[str, Any]],
    class_names: Sequence[str],
    protocols: str | Sequence[str] = ("coco",),
) -> dict[str, Any]:
    """Everything `EvaluationReport` writes as JSON: protocols, classes, sizes, confusion, worst samples.

    Args:
        detections: per sample boxes [n, 4], scores [n], labels [n].
        targets: per sample boxes [m, 4], labels [m], perhaps "t" and "area".
        class_names: names of the classes.
        protocols: as in `evaluate_protocols`.

    Returns:
        A dict of plain values.
    """
    return _figures(detections, targets, class_names, protocols, precision_recall(detections, targets))


def _figures(
    detections: Sequence[dict[str, Any]],
    targets: Sequence[dict[str, Any]],
    class_names: Sequence[str],
    protocols: str | Sequence[str],
    curves: dict[int, Curve],
) -> dict[str, Any]:
    return {
        "samples": len(targets),
        "protocols": {
            name: {"meaning": PROTOCOLS[name].text, **row}
            for name, row in evaluate_protocols(detections, targets, protocols, class_names).items()
        },
        "classes": {
            class_names[label]: {
                "objects": curve.objects,
                "best_f1": curve.best[0],
                "at_score": curve.best[1],
                "recall": float(curve.recall[-1]) if len(curve.recall) else 0.0,
            }
            for label, curve in curves.items()
        },
        "sizes": {
            name: {"objects": objects, "found": found}
            for name, (objects, found) in size_table(detections, targets).items()
        },
        "confusion": confusion(detections, targets, len(class_names)).tolist(),
        "worst": worst_samples(detections, targets, WORST),
    }


class EvaluationReport(lightning.Callback):
    """Write evaluation.json, curves.png, confusion.png and worst.png after a validation run, print a table.

    Args:
        folder: where the files go.
        protocols: one name of `PROTOCOLS` or several, or "all".
    """

    def __init__(self, folder: str | Path, protocols: str | Sequence[str] = ("coco",)) -> None:
        self.folder = Path(folder)
        chosen_protocols(protocols)  # names a wrong one before anything is computed
        self.protocols = protocols
        self.detections: list[dict[str, Any]] = []
        self.targets: list[dict[str, Any]] = []
        self.figures: dict[str, Any] = {}

    def on_validation_epoch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self.detections, self.targets = [], []

    def on_validation_batch_end(
        self, trainer: lightning.Trainer, module: Any, outputs: Any, batch: Any, *_: Any
    ) -> None:
        self.detections += outputs
        self.targets += batch[1]

    def on_validation_end(self, trainer: lightning.Trainer, module: Any) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        names = module.class_names or [str(label) for label in range(1 + _highest(self.targets))]
        curves = precision_recall(self.detections, self.targets)
        self.figures = _figures(self.detections, self.targets, names, self.protocols, curves)
        atomic_write(self.folder / "evaluation.json", json.dumps(self.figures, indent=1) + "\n")
        _draw_curves(self.folder / "curves.png", curves, names)
        _draw_confusion(self.folder / "confusion.png", self.figures["confusion"], names)
        chosen = [row[0] for row in self.figures["worst"]]
        if chosen:
            self._draw_worst(trainer, chosen, names)
        _print(self.figures, self.folder)

    def _draw_worst(self, trainer: lightning.Trainer, chosen: list[int], names: Sequence[str]) -> None:
        loader = trainer.val_dataloaders
        samples = [loader.dataset[index][0] for index in chosen]
        images = torch.stack(samples, 1 if samples[0].dim() == 4 else 0)
        found, truth = [self.detections[i] for i in chosen], [self.targets[i] for i in chosen]
        picture = draw_samples(images, found, truth, names, columns=2)
        atomic_write(self.folder / "worst.png", encode_png(picture).numpy().tobytes())


def _highest(targets: Sequence[dict[str, Any]]) -> int:
    return max((int(t["labels"].max()) for t in targets if len(t["labels"])), default=0)


def _draw_curves(path: Path, curves: dict[int, Curve], names: Sequence[str]) -> None:
    figure, axes = pyplot().subplots(figsize=(6.5, 4.5))
    for label, curve in curves.items():
        axes.step(curve.recall, curve.precision, where="post", label=f"{names[label]} ({curve.objects})")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="IoU 0.5")
    if len(curves) <= 20:
        axes.legend(fontsize=7, title="class (objects)", title_fontsize=7)
    save_figure(figure, path)


def _draw_confusion(path: Path, table: list[list[int]], names: Sequence[str]) -> None:
    size = min(3 + 0.35 * len(table), 24)
    figure, axes = pyplot().subplots(figsize=(size, size))
    values = torch.tensor(table, dtype=torch.float64)
    axes.imshow(values / values.sum(1, keepdim=True).clamp(min=1), cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(table))
    axes.set_xticks(ticks, [*names, "missed"], rotation=90, fontsize=7)
    axes.set_yticks(ticks, [*names, "nothing"], fontsize=7)
    axes.set(xlabel="found", ylabel="true", title="IoU 0.5, score 0.3; share of the row")
    if len(table) <= 30:
        for row in ticks:
            for column in ticks:
                if table[row][column]:
                    bright = table[row][column] > 0.5 * max(sum(table[row]), 1)
                    colour = "white" if bright else "black"
                    text = str(table[row][column])
                    axes.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
    save_figure(figure, path)


def _print(figures: dict[str, Any], folder: Path) -> None:
    from rich.table import Table

    from lampyris.console import console

    screen = console()
    table = Table("protocol", title=f"{figures['samples']} samples", title_justify="left")
    for heading in ("AP", "AP50", "AP75", "samples", "objects"):
        table.add_column(heading, justify="right")
    table.add_column("what counts")
    for name, row in figures["protocols"].items():
        values = [f"{row[key]:.4f}" if row[key] >= 0 else "-" for key in ("ap", "ap50", "ap75")]
        table.add_row(name, *values, str(row["samples"]), str(row["objects"]), row["meaning"])
    screen.print(table)
    sizes = ", ".join(f"{name} {row['found']} of {row['objects']}" for name, row in figures["sizes"].items())
    screen.print(f"found at IoU 0.5 and score 0.3: {sizes}", highlight=False)
    screen.print(f"wrote evaluation.json, curves.png, confusion.png, worst.png in {folder}", highlight=False)
