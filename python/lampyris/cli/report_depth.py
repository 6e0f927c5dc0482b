"""``lampyris report depth``: how plain, SEW, MS and EMS networks carry gradients at depths 10 to 100."""

from __future__ import annotations


def command(
    depths: list[int] | None = None, steps: int = 150, probes: int = 4, seed: int = 0, out: str | None = None
) -> int:
    """Measure block isometry and gradient ratios of fresh networks, and which of them train on digits.

    Args:
        depths: convolutions of the networks; left out: 10, 20, 34, 50, 100.
        steps: training steps of each network (batch 32).
        probes: Hutchinson vectors a block.
        seed: of weights, batches and probes.
        out: folder for depth.json and depth.png; nothing is written when left out.
    """
    import json
    from dataclasses import asdict
    from pathlib import Path

    import torch
    from rich.table import Table
    from sklearn.datasets import load_digits

    from lampyris.console import console
    from lampyris.files import atomic_write
    from lampyris.report.depth import KINDS, study_depth
    from lampyris.report.pictures import draw_depth

    digits = load_digits()
    pictures = torch.from_numpy(digits.images).float().mul(255 / 16).round().to(torch.uint8)[:, None]
    images = pictures.repeat_interleave(4, 2).repeat_interleave(4, 3)
    labels = torch.from_numpy(digits.target).long()
    screen = console()
    table = Table("network", title="gradients through depth", title_justify="left")
    for heading in ("depth", "phi(JJ^T) least", "mean", "most", "first / last", "loss", "accuracy", "s"):
        table.add_column(heading, justify="right")
    rows = []
    with screen.status("") as status:
        for kind in KINDS:
            for depth in depths or (10, 20, 34, 50, 100):
                status.update(f"{kind}, depth {depth}")
                options = {"steps": steps, "probes": probes, "seed": seed}
                rows += study_depth(images, labels, kinds=(kind,), depths=(depth,), **options)
                row = rows[-1]
                numbers = [f"{value:.3g}" for value in (*row.phi, row.gradient_ratio)]
                accuracy = f"{100 * row.accuracy:.0f} %"
                table.add_row(kind, str(depth), *numbers, f"{row.loss:.2f}", accuracy, f"{row.seconds:.0f}")
    screen.print(table)
    screen.print(
        "first / last: root of the summed squares of the loss's gradient at the first over the last block's "
        f"output, fresh weights; loss, accuracy: after {steps} steps on scikit-learn's digits (ln 10 = 2.30)",
        highlight=False,
        soft_wrap=True,
    )
    if out is not None:
        content = {"seed": seed, "steps": steps, "rows": [asdict(row) for row in rows]}
        atomic_write(Path(out) / "depth.json", json.dumps(content, indent=1) + "\n")
        draw_depth(Path(out) / "depth.png", rows)
        screen.print(f"wrote depth.json and depth.png in {out}")
    return 0
