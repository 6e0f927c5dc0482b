"""``lampyris demo``: the whole chain in minutes, with pictures and a proof at the end."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

DEFAULT_IMAGES = 100


def command(
    data: Literal["digits", "events"] = "digits",
    target: Literal["ems", "v1"] = "ems",
    seed: int = 0,
    out: str = "demo_out",
    images: int = DEFAULT_IMAGES,
    epochs: int | None = None,
    progress: bool = True,
) -> int:
    """Train a spiking detector, make it exact-integer, prune, export, run it on FireFly, prove it, draw it.

    Args:
        data: digits on photographs, or events whose order alone tells the class (T = 4 against T = 1).
        target: ems (residual EMS-YOLO) or v1 (plain network for the released accelerator; digits only).
        seed: of weights and of the order of the training images.
        out: folder for checkpoints, weight images, pictures and figures.json.
        images: test inputs on which every value of every layer is compared.
        epochs: epochs of float training; the recipe's when not given.
        progress: show progress bars.
    """
    if (data, target) == ("events", "v1"):
        raise ValueError("the event demo must have target ems, got v1: its network has residual streams")
    if images < 1:
        raise ValueError(f"images must be >= 1, got {images}")
    folder = Path(out) / (data if target == "ems" else f"{data}_{target}")
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".writable"
    probe.touch()
    probe.unlink()

    from lampyris import memory
    from lampyris.cli.pipeline import RECIPES
    from lampyris.console import console

    memory.reuse_pages()
    recipe = RECIPES[data, target]
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    screen = console()
    start = time.perf_counter()
    run = run_demo(recipe, folder, seed, images, screen, progress)
    if data == "events":
        _one_step(run, recipe, folder, seed, screen, progress)
    run.summary.details["total_seconds"] = round(time.perf_counter() - start, 1)
    run.finish()
    screen.print(
        f"{time.perf_counter() - start:.0f} s in all; pictures and figures in {folder}", highlight=False
    )
    return 0 if all(entry["ok"] for entry in run.summary.details["verification"].values()) else 1


def run_demo(recipe, folder: Path, seed: int, images: int, console=None, progress: bool = True):
    """The chain of one recipe; returns the finished `Pipeline`."""
    from lampyris import compress
    from lampyris.cli.pipeline import Pipeline

    run = Pipeline(recipe, folder, seed, console, progress)
    model = run.train()
    exact = run.prepare(model)
    run.network = compress.integer_network(exact)
    run.measure("float", model)
    run.measure("ptq", exact, run.network)
    stages = {"qat": run.fine_tune(exact, recipe.qat_steps)}
    if recipe.prune_steps:
        stages["pruned"] = run.fine_tune(stages["qat"], recipe.prune_steps, recipe.sparsity)
    for name, stage in stages.items():
        run.export(name, stage)
        run.measure(name, stage, run.network)
        run.verify(name, stage, images)
    run.draw("qat", stages["qat"], compress.integer_network(stages["qat"]))
    return run


def _one_step(run, recipe, folder: Path, seed: int, console, progress: bool) -> None:
    """The control: the same network on the sum over time, which says nothing about the class."""
    from lampyris.cli.pipeline import Pipeline

    control = replace(
        recipe,
        title=f"{recipe.title} at T = 1",
        train_time_steps=1,
        time_steps=1,
        data_options={"time_steps": 1},
    )
    other = Pipeline(control, folder / "one_step", seed, console, progress)
    other.network = run.network
    other.measure("float, summed", other.train())
    run.summary.stages += other.summary.stages
    four, one = run.summary.stages[0], other.summary.stages[0]
    run.summary.notes.append(
        f"AP50 {four.ap50:.3f} at T = 4, {one.ap50:.3f} at T = 1: the class is in the order of events"
    )
