"""`lampyris predict`: a checkpoint on images, folders, videos and recordings, or on a data module."""

from __future__ import annotations

__all__ = ["command", "main"]

MILLION = 1e6


def main(arguments: list[str]) -> int:
    """Run `lampyris predict CHECKPOINT SOURCE`, or with --config the test split of a data module."""
    from lampyris.cli.training import run

    if any(word.split("=")[0] in ("--config", "--ckpt_path", "--data") for word in arguments):
        return run("predict", arguments)
    import jsonargparse

    from lampyris.cli import switches

    arguments = switches(command, arguments)
    return int(
        jsonargparse.auto_cli(command, args=arguments, prog="lampyris predict", as_positional=True) or 0
    )


def command(
    checkpoint: str,
    source: str,
    out: str = "runs/predict",
    score: float = 0.3,
    batch: int = 8,
    stream: bool = False,
    reset: bool = False,
    step_us: int | None = None,
    image_size: int | None = None,
    limit: int | None = None,
    pictures: int = 200,
) -> int:
    """Detections of images, folders, videos or event recordings, listed and drawn.

    With --config and --ckpt_path instead: detections of a data module's test split.

    Args:
        checkpoint: written by fit, or by compress.
        source: an image, a folder of images, a video (needs PyAV), or a recording (.dat, .raw).
        out: folder for detections.json and the annotated pictures.
        score: lower detections are left out.
        batch: images per call.
        stream: recordings: keep the state of the neurons from step to step, a result after each.
        reset: with --stream, forget the state every T steps: the same as without --stream.
        step_us: length of a step of a recording; the training's when not given.
        image_size: side of square inputs; the training's when not given.
        limit: images, frames or results; all when not given.
        pictures: at most so many are drawn.
    """
    from pathlib import Path

    from lampyris.cli.predicting import predict_events, predict_pictures
    from lampyris.tasks import detection
    from lampyris.tasks.detection.inputs import kind_of

    path = Path(source)
    kind = kind_of(path)
    model, about = detection.load_model(checkpoint)
    wants = "events" if about.get("input", {}).get("kind") == "events" or model.in_channels == 2 else "images"
    if (kind == "events") != (wants == "events"):
        raise ValueError(f"predict: {path} must be what {checkpoint} was trained on, {wants}, got {kind}")
    if (stream or reset) and kind != "events":
        raise ValueError(f"predict: --stream and --reset must go with a recording, got {path}")
    options = {"out": Path(out), "score": score, "limit": limit, "pictures": pictures}
    if kind == "events":
        predict_events(model, about, path, stream=stream, reset=reset, step_us=step_us, **options)
    else:
        predict_pictures(model, about, path, kind, batch=batch, image_size=image_size, **options)
    return 0
