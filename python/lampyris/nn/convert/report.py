"""What a conversion kept, layer by layer, and what it refuses."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

__all__ = ["ConversionError", "Converted", "Report"]

EXACT = "exact"
ROUNDING = "rounding"
FINE_TUNE = "fine-tune"


@dataclass(frozen=True)
class Converted:
    """One layer of a `Report`.

    Attributes:
        name: qualified name.
        source, target: class before, layer after.
        forward: "exact": the same bits; "rounding": the same in real arithmetic, the last bit of a value may
            differ (and a spike where it lies on the threshold); "fine-tune": another neuron where the note
            says, to be trained on.
        gradient: "exact": the same formula; "fine-tune": another one, as the note says.
        note: what differs.
    """

    name: str
    source: str
    target: str
    forward: str = EXACT
    gradient: str = EXACT
    note: str = ""


@dataclass
class Report:
    """All converted layers, in module order. Printing it shows a table.

    Example:
        >>> report = Report([Converted("0", "IFNode", "IF")])
        >>> report.exact, report.needs_fine_tuning
        (True, [])
    """

    layers: list[Converted] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether every layer gives the same bits."""
        return all(layer.forward == EXACT for layer in self.layers)

    @property
    def needs_fine_tuning(self) -> list[str]:
        """Names of the layers that fire differently."""
        return [layer.name for layer in self.layers if layer.forward == FINE_TUNE]

    def __rich__(self):
        from rich.table import Table

        table = Table("layer", "from", "to", "forward", "gradient", "note")
        for layer in self.layers:
            name = layer.name or "(model)"
            table.add_row(name, layer.source, layer.target, layer.forward, layer.gradient, layer.note)
        return table

    def __repr__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=140).print(self.__rich__())
        return text.getvalue().rstrip()


class ConversionError(ValueError):
    """Layers without a counterpart.

    Attributes:
        problems: (qualified name, reason, remedy) of each.
    """

    def __init__(self, function: str, problems: list[tuple[str, str, str]]) -> None:
        self.problems = problems
        found = " | ".join(f'"{name}" {reason}; remedy: {remedy}' for name, reason, remedy in problems)
        super().__init__(f"{function}: module must hold layers that have a counterpart, got {found}")
