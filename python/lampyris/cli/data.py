"""``lampyris data``: generate, check and describe data sets."""

from __future__ import annotations

from typing import Literal

__all__ = ["check", "command", "generate", "info"]


def generate(
    kind: Literal["digits", "events"],
    folder: str | None = None,
    seed: int = 0,
    train: int | None = None,
    val: int | None = None,
    test: int | None = None,
    variant: Literal["easy", "hard"] = "easy",
) -> None:
    """Write a generated data set (once) and print its folder.

    Args:
        kind: "digits" (COCO format) or "events" (Gen1 format, the class is in the order alone).
        folder: target, new or empty; without it the cache ($XDG_CACHE_HOME/lampyris).
        seed: seed of every random choice.
        train: number of training samples; default 4000 digits, 1500 events.
        val: number of validation samples; default 300 digits, 200 events.
        test: number of test samples; default 500 digits, 300 events.
        variant: difficulty of the digits.
    """
    from lampyris.data.digits_set import digits
    from lampyris.data.order_events_set import order_events

    counts = {
        name: count for name, count in (("train", train), ("val", val), ("test", test)) if count is not None
    }
    if kind == "digits":
        print(digits(folder, variant=variant, seed=seed, **counts))
    elif variant != "easy":
        raise ValueError(f"data: variant must be left out for events, got {variant!r}")
    else:
        print(order_events(folder, seed=seed, **counts))


def check(folder: str) -> int:
    """Read every image, recording and label of a COCO or Gen1 folder; print a line for each defect.

    Args:
        folder: the data set.

    Returns:
        Exit status: 0 sound, 1 defects found.
    """
    from lampyris.data.check import check_folder

    report = check_folder(folder)
    for problem in report.problems:
        print(problem)
    samples = sum(split.samples for split in report.splits)
    boxes = sum(sum(split.boxes.values()) for split in report.splits)
    print(f"{folder}: {report.format}, {samples} samples, {boxes} boxes, {len(report.problems)} defects")
    return 1 if report.problems else 0


def info(folder: str) -> None:
    """Print splits, samples and boxes per class of a COCO or Gen1 folder, from its annotations.

    Args:
        folder: the data set.
    """
    from rich.table import Table

    from lampyris.console import console
    from lampyris.data.check import describe_folder

    report = describe_folder(folder)
    table = Table(title=f"{folder} ({report.format})")
    for column in ("split", "samples", "boxes", "content", "boxes per class"):
        table.add_column(column, justify="right" if column in ("samples", "boxes") else "left")
    for split in report.splits:
        classes = ", ".join(f"{name} {count}" for name, count in sorted(split.boxes.items()))
        total = sum(split.boxes.values())
        table.add_row(split.name, str(split.samples), str(total), split.detail, classes)
    console().print(table)
    if report.problems:
        print(f"{len(report.problems)} defects in the annotations; `lampyris data check {folder}` names them")


command = {"generate": generate, "check": check, "info": info}
