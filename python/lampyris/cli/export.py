"""`lampyris export`."""

from __future__ import annotations

__all__ = ["command"]


def command(
    checkpoint: str,
    out: str = "image.safetensors",
    target: str | None = None,
    preset: str = "zcu104",
    parallelism: int = 16,
    explain: bool = False,
    image_size: int = 80,
    ecc: str | None = None,
) -> int:
    """Write the FireFly weight image of an exact checkpoint, or explain what keeps a model from a target.

    Args:
        checkpoint: written by `lampyris compress`; with --explain also a float checkpoint of `lampyris fit`.
        out: image file to write, whole or not at all.
        target: ems or v1; left out: the one the checkpoint was prepared for (ems for a float checkpoint).
        preset: board, for limits and cycles: ultra96, zcu104 or kv260.
        parallelism: P, channels per tile: 16 or 32.
        explain: list every violation with its remedy, or the price in cycles; write nothing.
        image_size: height and width in pixels, for a float checkpoint.
        ecc: check words that correct wrong bits, PRESET[,CLASS=PRESET...]: presets bram, line, page, row,
            strong or none; classes weights, bias (with threshold tables), registers, host.
    """
    from lampyris import deploy
    from lampyris.console import console
    from lampyris.deploy.checkpoints import load_checkpoint

    model, network = load_checkpoint(checkpoint)
    screen = console()
    if explain:
        import torch

        channels = getattr(model, "in_channels", 3)
        example = None if network else torch.zeros(1, channels, image_size, image_size, dtype=torch.uint8)
        target = target or (network.target if network else "ems")
        options = {"example": example, "preset": preset, "parallelism": parallelism}
        found = deploy.explain(network or model, target, **options)
        screen.print(found.table())
        for note in found.notes:
            screen.print(f"note: {note}")
        return 0 if found.ok else 1
    if network is None:
        raise ValueError(f"{checkpoint} is a float model: run `lampyris compress` first, or use --explain")
    image = deploy.export(network, None, target, preset, parallelism)
    if ecc is not None:
        from lampyris.ecc import parse_protection

        preset_of_all, classes = parse_protection(ecc)
        bare = len(image.to_bytes())
        image.protect(preset_of_all, **classes)
    path = image.save(out)
    size, layers = path.stat().st_size, len(image.plan["layers"])
    screen.print(
        f"{path}: {size} bytes, {layers} layers for {network.target}, T = {network.time_steps}, "
        f"arena {image.plan['arena']['bytes']} bytes"
    )
    if ecc is not None:
        screen.print(f"check words {ecc}: the file is {size / bare - 1:.1%} larger", highlight=False)
    return 0
