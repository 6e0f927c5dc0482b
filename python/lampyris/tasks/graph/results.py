"""What a graph task found: figures of every run, one table with spread, figures.json and a picture."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lampyris.files import atomic_write
from lampyris.plots import pyplot, save_figure

__all__ = ["Results", "spread"]


def spread(values: list[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (0 for one value).

    Example:
        >>> spread([1.0, 3.0])
        (2.0, 1.4142135623730951)
    """
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


@dataclass
class Results:
    """Figures of a task by setting (a column), model (a row) and run.

    Attributes:
        task: name, of the files too.
        protocol: one sentence: data, split, number of runs, what was chosen on what.
        measure: what a figure is, with its unit.
        better: which figures are the better ones.
        digits: significant digits in the table.
        values: setting -> model -> one figure for each run.
        notes: lines under the table.
        details: anything else for figures.json.

    Example:
        >>> results = Results("toy", "two runs", "error", values={"small": {"constant": [0.5, 0.7]}})
        >>> results.best("small")
        'constant'
    """

    task: str
    protocol: str
    measure: str
    better: Literal["lower", "higher"] = "lower"
    digits: int = 3
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def add(self, setting: str, model: str, value: float) -> None:
        """One more run."""
        self.values.setdefault(setting, {}).setdefault(model, []).append(float(value))

    def mean(self, setting: str, model: str) -> float:
        return spread(self.values[setting][model])[0]

    def models(self) -> list[str]:
        """Every model of any setting, in the order in which they came."""
        return list(dict.fromkeys(model for rows in self.values.values() for model in rows))

    def best(self, setting: str) -> str:
        """The model with the best mean; NaN loses."""
        sign = 1 if self.better == "lower" else -1
        means = {model: sign * self.mean(setting, model) for model in self.values[setting]}
        return min(means, key=lambda m: math.inf if math.isnan(means[m]) else means[m])

    def _number(self, value: float) -> str:
        return "-" if math.isnan(value) else f"{value:#.{self.digits}g}".rstrip(".")

    def table(self):
        """A rich table: mean and standard deviation over the runs; a star at the best of each column."""
        from rich.table import Table

        table = Table(title=f"{self.task}: {self.measure}", title_justify="left")
        table.add_column("model")
        for setting in self.values:
            table.add_column(setting, justify="right")
        best = {setting: self.best(setting) for setting in self.values}
        for model in self.models():
            cells = []
            for setting, rows in self.values.items():
                if model not in rows:
                    cells.append("-")
                    continue
                mean, deviation = spread(rows[model])
                star = "*" if best[setting] == model else " "
                cells.append(f"{self._number(mean)} ± {self._number(deviation)}{star}")
            table.add_row(model, *cells)
        return table

    def show(self, screen: Any) -> None:
        """Table, protocol and notes on a rich console."""
        screen.print(self.table())
        for line in (f"protocol: {self.protocol}", *self.notes):
            screen.print(line, highlight=False, soft_wrap=True)

    def to_json(self) -> dict[str, Any]:
        """Everything, with mean and standard deviation beside the figures of the runs."""
        figures = {}
        for setting, rows in self.values.items():
            figures[setting] = {}
            for model, runs in rows.items():
                mean, deviation = spread(runs)
                figures[setting][model] = {"mean": mean, "sd": deviation, "runs": runs}
        return {
            "task": self.task,
            "protocol": self.protocol,
            "measure": self.measure,
            "better": self.better,
            "figures": figures,
            "notes": self.notes,
            **self.details,
        }

    def write(self, folder: str | Path) -> list[Path]:
        """figures.json and <task>.png in ``folder``; returns both paths."""
        folder = Path(folder)
        text = json.dumps(self.to_json(), indent=1, default=float) + "\n"
        return [atomic_write(folder / "figures.json", text), self.draw(folder / f"{self.task}.png")]

    def draw(self, path: str | Path) -> Path:
        """One panel for each setting: a bar for each model, its runs as dots."""
        plt = pyplot()
        models = self.models()
        figure, panels = plt.subplots(
            1,
            len(self.values),
            figsize=(2.2 + 2.6 * len(self.values), 1.2 + 0.3 * len(models)),
            sharey=True,
            squeeze=False,
        )
        for panel, (setting, rows) in zip(panels[0], self.values.items(), strict=True):
            for row, model in enumerate(models):
                runs = rows.get(model, [])
                if runs:
                    panel.barh(row, spread(runs)[0], color=plt.cm.viridis(0.15 + 0.7 * row / len(models)))
                    panel.plot(runs, [row] * len(runs), ".", color="black", ms=3, alpha=0.6)
            panel.set_yticks(range(len(models)), models)
            panel.set_title(setting, fontsize=9)
            panel.tick_params(labelsize=8)
        panels[0][0].invert_yaxis()
        figure.suptitle(f"{self.task}: {self.measure}", fontsize=10)
        figure.tight_layout()
        return save_figure(figure, path, tight=False)
