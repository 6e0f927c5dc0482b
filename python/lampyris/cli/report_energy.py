"""``lampyris report energy``: operations and energy of any detector, float or exact, by operand type."""

from __future__ import annotations


def command(
    checkpoint: str,
    images: int = 20,
    data: str | None = None,
    time_steps: int | None = None,
    out: str | None = None,
) -> int:
    """Print firing rates, additions, multiply-accumulates and energy of a checkpoint, layer by layer.

    Operand types are seen while the detector runs: a convolution on real values counts as multiplications.

    Args:
        checkpoint: of `lampyris fit` or `lampyris compress`.
        images: inputs that are run.
        data: labelled folder (COCO, YOLO or Gen1 format) whose test or validation split is run; left out: the
            generated set that fits the network's channels.
        time_steps: T; left out: the checkpoint's.
        out: JSON file to write.
    """
    import json

    from rich.table import Table

    from lampyris import report
    from lampyris.console import console
    from lampyris.files import atomic_write
    from lampyris.tasks import detection

    if images < 1:
        raise ValueError(f"images must be >= 1, got {images}")
    model, about = detection.load_model(checkpoint)
    steps = time_steps or about["time_steps"]
    counted = report.count_operations(model, _inputs(model, data, images, steps), time_steps=steps)
    screen = console()
    table = Table("layer", "reads", title=f"per input, T = {counted.time_steps}, {counted.samples} inputs")
    for heading in ("density", "additions", "MACs", "dense"):
        table.add_column(heading, justify="right")
    for layer in counted.layers:
        numbers = [f"{value / counted.samples / 1e6:.3f} M" for value in (layer.ac, layer.mac, layer.dense)]
        table.add_row(layer.name, layer.operand, f"{100 * layer.density:.1f} %", *numbers)
    table.add_section()
    totals = [f"{value / 1e6:.3f} M" for value in (counted.ac, counted.mac, counted.dense)]
    table.add_row("all", "", "", *totals)
    screen.print(table)
    for line in (
        f"firing rate {100 * counted.firing_rate:.2f} % of the neurons a step",
        f"{counted.millijoule:.4f} mJ (0.9 pJ an addition, 4.6 pJ a multiply-accumulate, 45 nm, arithmetic "
        f"only); papers' formula {counted.papers_millijoule:.4f} mJ; "
        f"without sparsity {counted.dense_millijoule:.4f} mJ",
        f"NeuroBench: {json.dumps(counted.neurobench())}",
    ):
        screen.print(line, highlight=False, soft_wrap=True)
    if out is not None:
        atomic_write(out, json.dumps(counted.to_json(), indent=1) + "\n")
        screen.print(f"wrote {out}")
    return 0


def _inputs(model, source: str | None, images: int, steps: int):
    """Batches of one, so that layers are never wider than an input."""
    from lampyris import data

    if source is not None:
        module = data.open_folder(
            source, **({"time_steps": steps} if data.folder_format(source) == "gen1" else {})
        )
    elif model.in_channels == 3:
        module = data.DigitsDetection(batch_size=1)
    elif model.in_channels == 2:
        module = data.OrderEventsDetection(batch_size=1, time_steps=steps)
    else:
        raise ValueError(f"--data must name a folder: no generated set has {model.in_channels} channels")
    if module.in_channels != model.in_channels:
        raise ValueError(
            f"{source} must hold {model.in_channels} channels as the detector, got {module.in_channels}"
        )
    try:
        dataset = module.dataset("test")
    except (ValueError, FileNotFoundError):
        dataset = module.dataset("val")
    for index in range(min(images, len(dataset))):
        sample, _ = dataset[index]
        yield sample.unsqueeze(1 if sample.dim() == 4 else 0)
