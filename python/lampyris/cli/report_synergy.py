"""``lampyris report synergy``: what neighbours tell together, and what an aggregate of them keeps."""

from __future__ import annotations


def command(neighbours: int = 4, samples: str | None = None, out: str | None = None) -> int:
    """Print interaction information of neighbours and a label, and what sum, mean, max and order keep of it.

    Args:
        neighbours: bits (1 to 12) of the functions listed; the last one, XOR at the middle keys, takes 4.
        samples: .npz file with `neighbours` [S, n] (or [S, n, F]) and `label` [S], integers: estimates for
            these instead.
        out: JSON file with every figure; nothing is written when left out.
    """
    import json
    import zipfile

    import numpy as np
    from rich.table import Table

    from lampyris.console import console
    from lampyris.files import atomic_write
    from lampyris.report.synergy import AGGREGATIONS, TARGETS, function_synergy, middle_xor, synergy

    if samples is not None:
        try:
            with np.load(samples, allow_pickle=False) as file:
                arrays = file["neighbours"], file["label"]
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{samples} must be .npz with neighbours and label, got {error}") from None
        rows = {f"{samples}, {len(arrays[1])} samples": synergy(*arrays)}
    else:
        rows = {name: function_synergy(target, neighbours) for name, target in TARGETS.items()}
        rows["middle XOR, n = 4"] = middle_xor(4)
    title = "bits about the label; " + (
        "plug-in estimate" if samples else f"{neighbours} independent fair bits, exact"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("label")
    names = ("H(Y)", "together", "singly", "synergy", "interact.")
    for name in (*names, *(f"{a} keeps" for a in AGGREGATIONS)):
        table.add_column(name, justify="right", no_wrap=len(name) < 10)
    for name, found in rows.items():
        figures = found.label, found.whole, found.single, found.synergy, found.interaction
        table.add_row(
            name, *(f"{v + 0.0:.3f}".replace("-0.000", "0.000") for v in (*figures, *found.kept.values()))
        )
    screen = console()
    screen.print(table)
    for line in (
        "together: I(X1 ... Xn; Y); singly: sum of I(Xi; Y); synergy: their difference; interact.: McGill's "
        "interaction information, +1 for the XOR of any number of fair bits",
        "keeps: I(aggregate; Y) of the features as they are (linear messages), for any readout; a linear "
        "readout gets less: the parity of a sum needs one that is not monotone",
    ):
        screen.print(line, highlight=False, soft_wrap=True)
    if out is not None:
        stored = {name: found.to_json() for name, found in rows.items()}
        atomic_write(out, json.dumps(stored, indent=1) + "\n")
        screen.print(f"wrote {out}", highlight=False)
    return 0
