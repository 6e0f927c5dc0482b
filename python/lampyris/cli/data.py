"""``lampyris data``: generate, check, describe and cache data sets."""

from __future__ import annotations

from typing import Literal

__all__ = ["cache", "check", "command", "generate", "info"]


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
    """Read every image, recording, label or cached sample of a folder; print a line for each defect.

    Args:
        folder: a data set (COCO, YOLO, Gen1) or a cache of samples.

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
    """Print splits, samples and boxes per class of a data set, from its annotations.

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


def cache(
    folder: str,
    cache_folder: str | None = None,
    shard: str = "0/1",
    workers: int = 0,
    splits: str = "train,val,test",
    image_size: int | list[int] | None = None,
    time_steps: int | None = None,
    window_us: int | None = None,
    representation: str | None = None,
    parts: int | None = None,
    cutoff: int | None = None,
    tau_us: float | None = None,
    fit: Literal["pad", "stretch"] | None = None,
    estimate: bool = False,
) -> None:
    """Write the samples of a data set to shards that training reads with ``cache: shards``.

    Give the options of the training: other options are another cache. What is there already is kept, so an
    interrupted run continues. On several hosts with one file system, give each its part.

    Args:
        folder: the data set (COCO, YOLO or Gen1).
        cache_folder: where caches are kept; without it $XDG_CACHE_HOME/lampyris.
        shard: i/n: write only every n-th shard from i on, for one of n hosts.
        workers: processes; 0: this one.
        splits: names, separated by commas.
        image_size: height and width of the samples.
        time_steps: steps T of a window (Gen1).
        window_us: length of the window (Gen1).
        representation: counts, histogram, polarity, paper, surface or voxel (Gen1).
        parts: parts of a step (histogram).
        cutoff: largest count (counts, histogram).
        tau_us: time constant (surface).
        fit: pad or stretch the frames to image_size (Gen1).
        estimate: print size and time, write nothing else.
    """
    from lampyris.data.folders import open_folder
    from lampyris.data.shards import ShardedSamples

    wanted = {"image_size": image_size, "time_steps": time_steps, "window_us": window_us, "parts": parts}
    wanted |= {"representation": representation, "cutoff": cutoff, "tau_us": tau_us, "fit": fit}
    module = open_folder(folder, **{name: value for name, value in wanted.items() if value is not None})
    first, slash, count = shard.partition("/")
    if not (slash and first.isdigit() and count.isdigit() and int(first) < int(count)):
        raise ValueError(f"data: shard must be i/n with 0 <= i < n, got {shard!r}")
    part = (int(first), int(count))
    names = [name.strip() for name in splits.split(",")]
    unknown = sorted({*names} - {"train", "val", "test"})
    if unknown:
        raise ValueError(f"data: splits must be some of train, val, test, got {unknown[0]!r}")
    for name in module.splits():
        if name not in names:
            continue
        samples = ShardedSamples(module.source(name), cache_folder)
        missing = samples.missing(part)
        if estimate or not missing:
            print(f"{name}: {samples.folder}: to write: {samples.estimate(missing, workers)}")
            continue
        print(f"{name}: ", end="")
        samples.write(part, workers)
        left = len(samples.missing())
        print(
            f"{name}: done, {left} of {samples.shards} shards left for other hosts"
            if left
            else f"{name}: complete"
        )


command = {"generate": generate, "check": check, "info": info, "cache": cache}
