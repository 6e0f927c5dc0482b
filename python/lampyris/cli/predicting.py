"""What `lampyris predict` does with its sources."""

from __future__ import annotations

import itertools
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torchvision.io import encode_png

from lampyris.console import console
from lampyris.files import atomic_write

__all__ = ["predict_events", "predict_pictures"]

DIGITS = 4
DEFAULT_SIZE, DEFAULT_STEP_US = 640, 50_000
MILLISECONDS = 1e3
PERCENTILE_99 = 98
"""Index of the 99th percentile among `statistics.quantiles` of 100."""


def _listed(found: dict[str, torch.Tensor], names: list[str], where: dict[str, Any]) -> list[dict[str, Any]]:
    columns = (found[key].tolist() for key in ("boxes", "scores", "labels"))
    return [
        {**where, "class": names[label], "label": label, "score": round(score, DIGITS)}
        | {"box": [round(v, DIGITS) for v in box]}
        for box, score, label in zip(*columns, strict=True)
    ]


def _draw(picture: torch.Tensor, found: dict[str, torch.Tensor], names: list[str], path: Path) -> None:
    from torchvision.utils import draw_bounding_boxes

    if len(found["boxes"]):
        scores = zip(found["labels"].tolist(), found["scores"].tolist(), strict=True)
        captions = [f"{names[label]} {score:.2f}" for label, score in scores]
        picture = draw_bounding_boxes(picture, found["boxes"], captions, colors=(255, 190, 60), width=2)
    atomic_write(path, encode_png(picture).numpy().tobytes())


def _finish(out: Path, rows: list[dict[str, Any]], text: str) -> None:
    atomic_write(out / "detections.json", json.dumps(rows, indent=1) + "\n")
    console().print(f"{text}; wrote {out}: detections.json and pictures", highlight=False, soft_wrap=True)


@torch.no_grad()
def predict_pictures(
    model: torch.nn.Module,
    about: dict[str, Any],
    source: Path,
    kind: str,
    *,
    batch: int,
    image_size: int | None,
    out: Path,
    score: float,
    limit: int | None,
    pictures: int,
) -> None:
    """Images or frames: boxes are in pixels of the pictures as they are; see `lampyris predict`."""
    from lampyris.tasks.detection.heads import HeadSpec
    from lampyris.tasks.detection.inputs import images_of, video_frames

    size = about.get("input", {}).get("image_size") or [DEFAULT_SIZE, DEFAULT_SIZE]
    size = (image_size, image_size) if image_size else tuple(size)
    if any(side % model.stride for side in size):
        raise ValueError(f"predict: image_size must be a multiple of {model.stride}, got {list(size)}")
    spec, names = HeadSpec.of(model, box_scale=about["box_scale"]), about["class_names"]
    items = itertools.islice((images_of if kind == "images" else video_frames)(source, size), limit)
    rows: list[dict[str, Any]] = []
    count, start = 0, time.perf_counter()
    while part := list(itertools.islice(items, batch)):
        inputs = torch.stack([item.input for item in part])
        for item, found in zip(part, spec.predict(model(inputs), score_threshold=score), strict=True):
            height, width = item.picture.shape[1:]
            boxes = item.place.original(found["boxes"])
            boxes = torch.minimum(boxes.clamp(min=0), boxes.new_tensor((width, height, width, height)))
            found = {**found, "boxes": boxes}
            rows += _listed(found, names, {"image": item.name})
            if count < pictures:
                name = Path(item.name).with_suffix(".png")
                _draw(item.picture, found, names, out / name)
            count += 1
    seconds = time.perf_counter() - start
    if not count:
        raise ValueError(f"predict: {source} must hold frames, got none")
    _finish(out, rows, f"{count} images, {len(rows)} detections, {count / seconds:.1f} images/s")


def predict_events(
    model: torch.nn.Module,
    about: dict[str, Any],
    source: Path,
    *,
    stream: bool,
    reset: bool,
    step_us: int | None,
    out: Path,
    score: float,
    limit: int | None,
    pictures: int,
) -> None:
    """A recording; boxes are in pixels of the network's input; see `lampyris predict`."""
    from lampyris.data import representation
    from lampyris.tasks.detection.heads import HeadSpec
    from lampyris.tasks.detection.pictures import to_rgb
    from lampyris.tasks.detection.stream import stream_recording

    given = about.get("input", {})
    steps = given.get("time_steps", about["time_steps"])
    window = given.get("window_us", steps * DEFAULT_STEP_US)
    names = about["class_names"]
    size = given.get("image_size")
    results = stream_recording(
        model,
        source,
        time_steps=steps,
        step_us=step_us or window // steps,
        spec=HeadSpec.of(model, box_scale=about["box_scale"]),
        representation=representation(*given.get("representation", ("counts",))),
        image_size=tuple(size) if size else None,
        fit=given.get("fit", "pad"),
        score_threshold=score,
        reset=reset,
        batch_mode=not stream,
    )
    rows: list[dict[str, Any]] = []
    seconds: list[float] = []
    events = 0
    for number, result in enumerate(itertools.islice(results, limit)):
        rows += _listed(result.detections, names, {"end_us": result.end_us})
        seconds.append(result.seconds)
        events += result.events
        if number < pictures and result.frames.shape[2] in (1, 2, 3):
            frames = result.frames if result.frames.shape[2] == 2 else result.frames[-1]
            _draw(to_rgb(frames)[0], result.detections, names, out / f"{result.end_us:012d}us.png")
    if not seconds:
        raise ValueError(f"predict: {source} must be longer than one window, got no result")
    latency = statistics.median(seconds) * MILLISECONDS
    worst = (
        statistics.quantiles(seconds, n=100)[PERCENTILE_99] if len(seconds) > 1 else seconds[0]
    ) * MILLISECONDS
    mode = (
        ("streamed, reset every window" if reset else "streamed, state kept")
        if stream
        else "window by window"
    )
    _finish(
        out,
        rows,
        f"{len(seconds)} results ({mode}), {len(rows)} detections; {events / sum(seconds):,.0f} events/s, "
        f"latency {latency:.1f} ms (99 %: {worst:.1f} ms)",
    )
