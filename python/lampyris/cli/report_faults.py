"""``lampyris report faults``: detection quality against the bit error rate of the weight memory."""

from __future__ import annotations


def command(
    image: str,
    images: int = 60,
    data: str | None = None,
    rates: str = "1e-6 1e-5 1e-4 3e-4 1e-3 2e-3 5e-3 1e-2",
    protections: str = "none page row line bram strong row,bias=strong",
    seeds: int = 3,
    policy: str = "zero_weights",
    out: str | None = None,
) -> int:
    """Inject bit errors into a weight image, with and without check words, and measure the detector.

    The measure is AP50 against labels where the image has a detection head, else the share of output
    places whose strongest channel is that of the fault-free run.

    Args:
        image: weight image written by `lampyris export`, protected or not.
        images: test inputs.
        data: COCO-format or Gen1-format folder; left out: the test split of the generated set that fits.
        rates: bit error rates, separated by spaces.
        protections: none or PRESET[,CLASS=PRESET...], separated by spaces.
        seeds: exposures per protection and rate.
        policy: for uncorrectable pages of weights: refuse, zero_page or zero_weights.
        out: folder for faults.json and faults.png; nothing is written when left out.
    """
    import json
    from pathlib import Path

    from rich.progress import Progress
    from rich.table import Table

    from lampyris.cli.images import load_reported
    from lampyris.console import console
    from lampyris.files import atomic_write
    from lampyris.report.fault_quality import fault_quality
    from lampyris.report.faults import draw_faults, expected_report, fault_study

    try:
        numbers = [float(rate) for rate in rates.split()]
    except ValueError:
        raise ValueError(f"rates must be numbers separated by spaces, got {rates!r}") from None
    weights = load_reported(image)
    names = protections.split()
    measure, quality = fault_quality(weights, images, data)
    screen = console()
    with Progress(console=screen, transient=True) as bar:
        job = bar.add_task("exposures", total=len(names) * len(numbers) * seeds)
        study = fault_study(
            weights,
            quality,
            protections=names,
            rates=numbers,
            seeds=seeds,
            policy=policy,
            measure=measure,
            title=f"{Path(image).name}, {images} inputs, {seeds} exposures, {policy.replace('_', ' ')}",
            progress=lambda _: bar.advance(job),
        )
    title = f"{measure}, {study.baseline:.3f} without faults; (n): n of {seeds} refused without the policy"
    table = Table(title=title, title_justify="left")
    table.add_column("rate", justify="right")
    for name in names:
        table.add_column(f"{name}\n+{study.overhead[name]:.1%}", justify="right", no_wrap=True)
    for rate in numbers:
        cells = []
        for name in names:
            runs = [run for run in study.runs if run.protection == name and run.rate == rate]
            refused = sum(run.refused for run in runs)
            mean = sum(run.quality for run in runs) / len(runs)
            cells.append(f"{mean:.3f}" + (f" ({refused})" if refused else ""))
        table.add_row(f"{rate:g}", *cells)
    screen.print(table)
    expected = expected_report(weights, numbers)
    guarded = weights.plan.get("ecc", {}).get("tensors", {})
    unit = "" if guarded else " (no check words: by the byte)"
    for row in expected:
        screen.print(
            f"this image at {row['rate']:g}: {row['wrong_bits']:.3g} wrong bits, "
            f"{row['uncorrectable']:.2g} of {row['pages']} pages uncorrectable{unit}",
            highlight=False,
        )
    if out is not None:
        summary = {**study.to_json(), "expected": expected}
        atomic_write(Path(out) / "faults.json", json.dumps(summary, indent=1) + "\n")
        draw_faults(Path(out) / "faults.png", study)
        screen.print(f"wrote faults.json and faults.png in {out}")
    return 0
