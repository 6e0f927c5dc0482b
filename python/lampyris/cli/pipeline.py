"""The whole chain as one object: train, make exact, fine-tune, prune, export, verify, draw."""

from __future__ import annotations

import contextlib
import copy
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["RECIPES", "Pipeline", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """What a demo trains: measured choices."""

    title: str
    data: str
    family: str
    target: str
    epochs: int
    train_time_steps: int
    time_steps: int = 4
    qat_steps: int = 500
    prune_steps: int = 450
    sparsity: float = 0.5
    data_options: dict[str, Any] = field(default_factory=dict)
    task_options: dict[str, Any] = field(default_factory=dict)

    @property
    def box_weight(self) -> float:
        return self.task_options.get("box_weight", 4.0)


_WIDE_BOARD = "zcu104"
"""The board whose array is 288 x 32: its image has tiles of 32 channels."""

_DIGITS = {"lr": 1.2e-2}
_EVENTS = {"lr": 1e-2, "weight_decay": 0.0, "box_weight": 2.0}

RECIPES = {
    ("digits", "ems"): Recipe(
        "EMS-YOLO on the digits", "DigitsDetection", "tiny", "ems", 12, 1, task_options=_DIGITS
    ),
    ("digits", "v1"): Recipe(
        "released accelerator, digits", "DigitsDetection", "v1", "v1", 12, 1, task_options=_DIGITS
    ),
    ("events", "ems"): Recipe(
        "EMS-YOLO on event order",
        "OrderEventsDetection",
        "tiny_events",
        "ems",
        4,
        4,
        qat_steps=60,
        prune_steps=0,
        task_options=_EVENTS,
    ),
}


class Pipeline:
    """One run of a recipe; every method is a step and fills ``summary``.

    Args:
        recipe: what to train.
        out: folder of everything written.
        seed: of weights and order.
        console: rich console; None writes to standard output.
        progress: show progress bars.
    """

    def __init__(
        self, recipe: Recipe, out: str | Path, seed: int = 0, console=None, progress: bool = True
    ) -> None:
        from lampyris import data, report
        from lampyris.console import console as make_console

        self.recipe, self.out, self.seed, self.progress = recipe, Path(out), seed, progress
        self.console = console or make_console()
        self.summary = report.Summary(f"{recipe.title}, seed {seed}, test split")
        self.data = getattr(data, recipe.data)(**recipe.data_options)
        self.images: dict[str, Any] = {}

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Time a step and say what it is."""
        start = time.perf_counter()
        self.console.print(f"[bold cyan]{text}[/bold cyan]")
        yield
        self.summary.seconds[text] = time.perf_counter() - start

    def make_model(self, time_steps: int):
        import torch

        from lampyris import models

        torch.manual_seed(self.seed)
        return models.ems_yolo(
            family=self.recipe.family, num_classes=self.data.num_classes, time_steps=time_steps
        )

    def train(self):
        """Float training; returns the model at the deployed T."""
        from lampyris.tasks import detection

        recipe = self.recipe
        with self.step(f"train in float at T = {recipe.train_time_steps}, {recipe.epochs} epochs"):
            model = self.make_model(recipe.time_steps)
            task = detection.train_detector(
                model,
                self.data,
                epochs=recipe.epochs,
                seed=self.seed,
                folder=self.out / "float",
                validate_every=0,
                progress=self.progress,
                train_time_steps=recipe.train_time_steps,
                eval_time_steps=recipe.time_steps,
                **recipe.task_options,
            )
        self.save("float", task.model)
        return task.model

    def prepare(self, model):
        """Fold, find steps, quantize: the integer network before fine-tuning. Returns an exact copy."""
        from lampyris import compress

        with self.step("make it exact: fold norms, stream groups, integer steps"):
            exact = copy.deepcopy(model)
            loader = self.data.train_dataloader()
            example = next(iter(loader))[0]
            config = compress.ExactConfig(
                target=self.recipe.target,
                time_steps=self.recipe.time_steps,
                calibration=loader,
                calibration_name=f"{self.recipe.data} train",
                class_names=tuple(map(str, self.data.class_names)),
            )
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                plan = compress.prepare(exact, config, example)
            for warning in caught:
                self.console.print(f"  {warning.message}", highlight=False)
            for group in plan["groups"]:
                self.console.print(f"  group {group['name']}: Theta {group['theta']}", highlight=False)
        return exact

    def fine_tune(self, exact, steps: int, sparsity: float | None = None):
        """Quantization-aware training at the deployed T, pruning on the way when asked; returns a copy."""
        from rich.progress import Progress

        from lampyris import compress
        from lampyris.tasks import detection

        prune = None if sparsity is None else compress.Pruning(sparsity, scope="global")
        text = f"fine-tune in integers at T = {self.recipe.time_steps}, {steps} steps"
        with self.step(text if prune is None else f"prune {sparsity:.0%}, {text}"):
            model = copy.deepcopy(exact)
            with Progress(console=self.console, disable=not self.progress, transient=True) as bar:
                job = bar.add_task("loss", total=steps)
                compress.fit_exact(
                    model,
                    lambda maps, targets: detection.detection_loss(
                        maps, targets, box_weight=self.recipe.box_weight
                    ),
                    self.data.train_dataloader(),
                    steps=steps,
                    prune=prune,
                    on_step=lambda step, loss: bar.update(
                        job, completed=step + 1, description=f"loss {loss:.3f}"
                    ),
                )
        return model

    def measure(self, name: str, model, network=None) -> dict[str, Any]:
        """Average precision on the test split; adds a row of the table."""
        from lampyris import report
        from lampyris.tasks import detection

        with self.step(f"evaluate {name}"):
            figures = detection.evaluate(
                model,
                self.data.test_dataloader(),
                self.recipe.time_steps,
                class_names=[str(c) for c in self.data.class_names],
            )
            exact = network is not None
            network = network or self.network
            spikes = report.record_spikes(model, self.test_inputs(50), report.spiking_layers(network))
            neurons = {n.name: spikes[n.name] for n in network.nodes if n.op == "lif"}
            fired = sum(int(value.sum()) for value in neurons.values())
            places = sum(value.size for value in neurons.values())
            operations = report.synaptic_operations(network, spikes, dense=not exact)
            size = report.footprint(network)
            pruned = size.sparsity > 0.25
            count = size.float32_bytes if not exact else size.bitmap_bytes if pruned else size.dense_bytes
        image = self.out / f"{name}.safetensors"
        self.summary.stages.append(
            report.StageRow(
                name,
                self.recipe.time_steps,
                figures["ap"],
                figures["ap50"],
                count,
                fired / max(places, 1),
                sum(operations.values()),
                image.stat().st_size if exact and image.exists() else None,
            )
        )
        self.summary.details.setdefault("evaluation", {})[name] = figures
        if exact:
            self.summary.details.setdefault("energy", {})[name] = report.energy(network, operations)
        return figures

    def test_inputs(self, count: int):
        """The first ``count`` inputs of the test split, batched as the model takes them."""
        import torch

        parts, dim = [], 0
        for inputs, _ in self.data.test_dataloader():
            dim = inputs.dim() - 4
            parts.append(inputs)
            if sum(part.shape[dim] for part in parts) >= count:
                break
        return torch.cat(parts, dim).narrow(dim, 0, min(count, sum(part.shape[dim] for part in parts)))

    def export(self, name: str, model):
        """Write checkpoint and weight image; adds the boards' cycles. Returns the image."""
        from lampyris import compress, deploy, firefly, report

        with self.step(f"export {name}"):
            self.save(name, model)
            self.network = compress.integer_network(model)
            image = deploy.export(self.network)
            image.save(self.out / f"{name}.safetensors")
            self.images[name] = image
        for preset in firefly.PRESETS:
            wide = preset == _WIDE_BOARD
            built = deploy.export(self.network, preset=preset, parallelism=32) if wide else image
            self.summary.boards.append(report.BoardRow.of(name, firefly.timing(built, preset)))
        return image

    def save(self, name: str, model) -> None:
        from lampyris.tasks import detection

        names = [str(c) for c in self.data.class_names]
        detection.save_model(
            self.out / f"{name}.ckpt", model, class_names=names, time_steps=self.recipe.time_steps
        )

    def verify(self, name: str, model, images: int):
        """Every value of every layer: training forward == numpy reference == device."""
        from lampyris import deploy

        with self.step(f"verify {name} on {images} test inputs"):
            inputs = self.test_inputs(images)
            result = deploy.verify(model, self.images[name], inputs)
            speed = self._device_speed(self.images[name], inputs.numpy())
        self.summary.verification.append(f"{name}: {result.summary()}")
        self.summary.details.setdefault("device_frames_per_second", {})[name] = speed
        if name == "qat":
            self.summary.notes.append(f"FireFly model (functional, one thread): {speed:.0f} frames/s")
        self.summary.details.setdefault("verification", {})[name] = result.to_json()
        return result

    @staticmethod
    def _device_speed(image, inputs) -> float:
        """Frames per second of the functional device, host stem and read-out included."""
        from lampyris import firefly

        driver = firefly.Driver(firefly.Device(parallelism=image.plan["parallelism"]), keep="results")
        frames = list(inputs) if inputs.ndim == 4 else list(inputs.swapaxes(0, 1))
        driver.run(image, frames[0])
        start = time.perf_counter()
        for frame in frames:
            driver.run(image, frame)
        return len(frames) / (time.perf_counter() - start)

    def _device_maps(self, name: str, network, frames):
        """Prediction maps float32 [B, 4 + classes, H, W], read out from the FireFly model."""
        import numpy as np

        from lampyris import firefly

        output = next(node.name for node in network.nodes if node.op == "output")
        driver = firefly.Driver(firefly.Device(parallelism=self.images[name].plan["parallelism"]))
        results = [driver.run(self.images[name], np.ascontiguousarray(frame)) for frame in frames]
        return np.stack([result.readout(output) for result in results]).astype(np.float32)

    def draw(self, name: str, model, network) -> list[Path]:
        """The FireFly model's detections beside ground truth; spike raster and rates."""
        from torchvision.io import encode_png

        from lampyris import report
        from lampyris.files import atomic_write
        from lampyris.tasks import detection

        with self.step("draw"):
            images, targets = next(iter(self.data.test_dataloader()))
            dim = images.dim() - 4
            images, targets = images.narrow(dim, 0, min(8, images.shape[dim])), targets[:8]
            found = detection.predict(self._device_maps(name, network, images.movedim(dim, 0).numpy()))
            picture = detection.draw_samples(
                images, found, targets, [str(c) for c in self.data.class_names], columns=2
            )
            pictures = [atomic_write(self.out / "detections.png", encode_png(picture).numpy().tobytes())]
            names = [node.name for node in network.nodes if node.op == "lif"]
            spikes = report.record_spikes(model, self.test_inputs(50), names)
            title = f"{self.recipe.title}: spikes of the integer network"
            pictures.append(report.draw_activity(self.out / "spikes.png", spikes, title=title))
        return pictures

    def finish(self) -> None:
        """Print the table and write figures.json."""
        from lampyris.files import atomic_write

        self.summary.print(self.console)
        atomic_write(self.out / "figures.json", json.dumps(self.summary.to_json(), indent=1) + "\n")
