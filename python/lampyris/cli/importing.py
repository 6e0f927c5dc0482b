"""`lampyris import`."""

from __future__ import annotations

__all__ = ["command"]


def command(
    checkpoint: str,
    out: str = "imported.ckpt",
    family: str | None = None,
    depth: int | None = None,
    variant: str | None = None,
    num_classes: int | None = None,
    class_names: list[str] | None = None,
    make_spiking: bool = False,
    block_order: str = "released",
    time_steps: int = 4,
    report: str | None = None,
) -> int:
    """Bring a checkpoint of the released EMS-YOLO code into a family, and list what became of every tensor.

    Args:
        checkpoint: .pt file (a pickled model is read without running its code), state dict, or safetensors.
        out: checkpoint to write, whole or not at all.
        family: wide or lite; left out, with depth and variant, the one that fits is found.
        depth: 10, 18 or 34.
        variant: cat, of wide 34.
        num_classes: for fine-tuning on other classes, whose output rows start anew. Left out: the file's.
        class_names: names in class order; left out: numbers.
        make_spiking: neurons in place of SiLU layers and before every convolution, which export needs;
            the network must be fine-tuned afterwards.
        block_order: of EMS-Block2, released or paper.
        time_steps: T.
        report: JSON file for the lists.

    Returns:
        The exit status.
    """
    import json

    from lampyris import models
    from lampyris.console import console
    from lampyris.files import atomic_write
    from lampyris.tasks import detection

    model, found = models.import_released(
        checkpoint,
        family=family,
        depth=depth,
        variant=variant,
        num_classes=num_classes,
        make_spiking=make_spiking,
        block_order=block_order,
        time_steps=time_steps,
    )
    names = class_names or [str(number) for number in range(found.num_classes)]
    if len(names) != found.num_classes:
        raise ValueError(f"import: class_names must be {found.num_classes}, got {len(names)}")
    path = detection.save_model(out, model, class_names=names, time_steps=time_steps)
    if report is not None:
        atomic_write(report, json.dumps(found.to_json(), indent=1) + "\n")
    screen = console()
    screen.print(found.table())
    screen.print(
        f"wrote {path}: {len(found.matched)} tensors matched, {len(found.dropped)} dropped, "
        f"{len(found.fresh)} fresh, {len(found.changed)} changed",
        highlight=False,
    )
    return 0
