"""`lampyris simulate`."""

from __future__ import annotations

from typing import Any

__all__ = ["command"]


def command(
    image: str,
    input: str | None = None,
    out: str | None = None,
    datapath: str = "functional",
    preset: str | None = None,
    seed: int = 0,
    limit: int = 0,
    board: str | None = None,
    strict: bool = False,
) -> int:
    """Run a weight image on the FireFly model: firing rates, cycles, strongest outputs. Needs no torch.

    Args:
        image: weight image written by `lampyris export`.
        input: picture, folder of pictures, or .npy file with uint8 [(B,) C, H, W] ([T, (B,) C, H, W] for
            sequences); left out: one image of random pixels.
        out: write the read-out as a .npy file, float64 [B, C, H, W].
        datapath: of the device.
        preset: board whose cycles are printed; left out: the image's.
        seed: of the random pixels.
        limit: at most this many inputs, 0 for all.
        board: bring up a board instead: a PYNQ bitstream, or "model" to see what a sound board prints.
            Checks registers, data movers, every command and the network against the model, with the first
            difference, then the frame rate; the exit status is 0 when all hold.
        strict: refuse an image with wrong bits, even where its check words correct them.
    """
    import numpy as np

    from lampyris import firefly
    from lampyris.cli.images import load_reported
    from lampyris.deploy.picture_inputs import read_inputs
    from lampyris.deploy.simulation import print_results

    weights = load_reported(image, strict)
    if board is not None and input is None:
        return _bring_up(board, weights, None)
    stem = weights.plan.get("host_stem")
    if stem is None:
        raise ValueError(f"weight image {image} must have a host stem to run on pictures, got none")
    shape = tuple(stem[name] for name in ("in_channels", "in_height", "in_width"))
    steps = stem["in_steps"]
    if input is None:
        size = (1, *shape) if steps == 1 else (steps, 1, *shape)
        inputs = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    else:
        inputs = read_inputs(input, shape, steps, limit)
    if board is not None:
        return _bring_up(board, weights, inputs[0] if steps == 1 else inputs[:, 0])
    driver = firefly.Driver(firefly.Device(parallelism=weights.plan["parallelism"], datapath=datapath))
    frames = inputs if steps == 1 else inputs.swapaxes(0, 1)
    results = [driver.run(weights, np.ascontiguousarray(frame)) for frame in frames]
    maps = print_results(weights, results, preset)
    if out is not None:
        from lampyris.files import atomic_write

        atomic_write(out, lambda file: np.save(file, maps))
    return 0


def _bring_up(board: str, weights: Any, frame: Any) -> int:
    from lampyris import firefly

    port = firefly.open_board(board, parallelism=weights.plan["parallelism"])
    report = firefly.check_board(port, weights, frame)
    print(report)
    return 0 if report.ok else 1
