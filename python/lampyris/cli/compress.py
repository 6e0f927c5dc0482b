"""`lampyris compress`: from a float checkpoint to an exact one."""

from __future__ import annotations

from typing import Any

__all__ = ["command"]


def command(
    checkpoint: str,
    out: str = "runs/exact",
    data: str = "DigitsDetection",
    data_options: dict[str, Any] | None = None,
    target: str = "ems",
    time_steps: int = 4,
    steps: int = 500,
    lr: float = 1e-3,
    sparsity: float = 0.0,
    structure: str = "element",
    scope: str = "layer",
    box_weight: float = 4.0,
    calibration_batches: int = 8,
    seed: int = 0,
    device: str = "cpu",
    evaluate: str = "val",
) -> int:
    """Fold, quantize, prune and fine-tune a float detector until it is exact-integer.

    Writes OUT/exact.ckpt (for `lampyris export`, `verify`, `validate`), OUT/plan.json, OUT/results.json.

    Args:
        checkpoint: float checkpoint of `lampyris fit`.
        out: folder to write; created when missing.
        data: a data module of lampyris.data, or a class path.
        data_options: its arguments, e.g. '{"root": "coco", "image_size": 320}'.
        target: ems, or v1 for the released accelerator.
        time_steps: T at which the network is deployed and fine-tuned.
        steps: fine-tuning steps; 0 only quantizes.
        lr: highest learning rate.
        sparsity: share of weights to prune, stem and output excluded; 0 prunes nothing.
        structure: element, vector (16 output channels together) or nm (2 of 4 input channels).
        scope: layer or global.
        box_weight: of the box loss, as in training.
        calibration_batches: training batches whose largest currents bound the steps.
        seed: of the batch order.
        device: cpu, cuda, ...
        evaluate: split whose AP is printed before and after: test, val or none.

    Returns:
        The exit status.
    """
    import itertools
    import json
    import os
    from functools import partial
    from pathlib import Path

    import torch

    from lampyris import compress as exact
    from lampyris.files import atomic_write
    from lampyris.tasks import detection

    if evaluate not in ("test", "val", "none"):
        raise ValueError(f"compress: evaluate must be test, val or none, got {evaluate!r}")
    pruning = exact.Pruning(sparsity or 0.5, structure, scope) if sparsity or structure == "nm" else None
    config = exact.ExactConfig(target, time_steps, calibration_batches=calibration_batches)
    model, detector = detection.load_model(checkpoint)
    if hasattr(model, "exact_plan"):
        raise ValueError(f"compress: {checkpoint} must be a float checkpoint, got an exact one")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"compress: folder {folder} must be writable, got one that is not")
    module = _data_module(data, data_options or {}, seed)
    module.prepare_data()
    module.setup("fit")
    for name in ("num_classes", "in_channels"):
        if getattr(model, name) != getattr(module, name):
            raise ValueError(
                f"compress: {checkpoint} must have {name} = {getattr(module, name)} as the data, "
                f"got {getattr(model, name)}"
            )
    torch.manual_seed(seed)
    model.to(device)
    options = {"stride": model.stride, "box_scale": detector["box_scale"]}
    results: dict[str, Any] = {"checkpoint": str(checkpoint), "target": target, "time_steps": time_steps}

    def measure(stage: str) -> None:
        if evaluate != "none":
            loader = module.test_dataloader() if evaluate == "test" else module.val_dataloader()
            figures = detection.evaluate(model, loader, time_steps, **options)
            results[stage] = {key: figures[key] for key in ("ap", "ap50", "ap75")}
            print(
                f"{stage:<12} AP {figures['ap']:.3f}  AP50 {figures['ap50']:.3f}  AP75 {figures['ap75']:.3f}"
            )

    measure("float")
    batches = list(itertools.islice(module.train_dataloader(), calibration_batches))
    config.calibration, config.class_names = batches, tuple(module.class_names)
    config.calibration_name = f"{data}, first {len(batches)} training batches"
    plan = exact.prepare(model, config, batches[0][0])
    measure("quantized")
    if steps:
        loss = partial(detection.detection_loss, box_weight=box_weight, **options)
        exact.fit_exact(
            model,
            loss,
            module.train_dataloader(),
            steps=steps,
            lr=lr,
            prune=pruning,
            on_step=_progress(steps),
        )
    elif pruning is not None:
        exact.Pruner(model, pruning, 0).finish()
    if steps or pruning is not None:
        measure("fine-tuned")
    exact.integer_network(model)  # refuses now rather than at export what left its range
    model.cpu()
    results["sparsity"] = exact.sparsity_of(model)["total"]
    results["outgrown_weights"] = sum(exact.outgrown_weights(model).values())
    names = detector["class_names"] or [str(name) for name in module.class_names]
    detection.save_model(
        folder / "exact.ckpt",
        model,
        class_names=names,
        time_steps=time_steps,
        box_scale=detector["box_scale"],
    )
    atomic_write(folder / "plan.json", json.dumps(plan, indent=1) + "\n")
    atomic_write(folder / "results.json", json.dumps(results, indent=1) + "\n")
    print(f"wrote {folder / 'exact.ckpt'}, plan.json, results.json")
    return 0


def _data_module(path: str, options: dict[str, Any], seed: int) -> Any:
    import importlib

    home, _, name = path.rpartition(".")
    try:
        kind = getattr(importlib.import_module(home or "lampyris.data"), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"compress: data must be a data module such as DigitsDetection, got {path!r}"
        ) from error
    try:
        return kind(**{"seed": seed, **options})
    except TypeError as error:
        raise ValueError(
            f"compress: data_options must be arguments of {path}, got {options} ({error})"
        ) from error


def _progress(steps: int):
    def show(step: int, loss: float) -> None:
        if (step + 1) % 50 == 0 or step + 1 == steps:
            print(f"step {step + 1}/{steps}  loss {loss:.3f}", flush=True)

    return show
