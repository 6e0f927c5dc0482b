"""Training and judging `models.EventGraphDetector`: anchor-free targets on clusters, decoding, AP50."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_iou, generalized_box_iou_loss

from lampyris.data import EventWindow, batch_events
from lampyris.models.event_graph_detector import EventBoxes, EventGraphDetector, GraphFigures

__all__ = ["EventRecipe", "assign", "decode", "detect", "detection_loss", "evaluate", "train"]


@dataclass(frozen=True)
class EventRecipe:
    """How a detector is trained.

    Attributes:
        epochs: passes over the windows.
        batch_size: windows of a step.
        lr: largest learning rate of AdamW, one cycle.
        weight_decay: of AdamW.
        box_weight: factor of the GIoU loss beside the class loss.
        pool_weight: factor of the losses of the pooling.
    """

    epochs: int = 8
    batch_size: int = 16
    lr: float = 4e-3
    weight_decay: float = 1e-4
    box_weight: float = 2.0
    pool_weight: float = 0.5


@torch.no_grad()
def assign(centre: Tensor, valid: Tensor, boxes: Tensor) -> Tensor:
    """The box that each cluster answers for [K], -1 for none.

    A cluster answers for the smallest box that its centroid lies in. A box without any gets the nearest
    valid centroid that answers for none.

    Example:
        >>> import torch
        >>> centre = torch.tensor([[5.0, 5.0], [30.0, 30.0], [50.0, 50.0]])
        >>> boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [40.0, 20.0, 44.0, 40.0]])
        >>> assign(centre, torch.ones(3, dtype=torch.bool), boxes).tolist()
        [0, 1, -1]
    """
    low, high = boxes[:, :2], boxes[:, 2:]
    inside = ((centre[:, None] >= low) & (centre[:, None] <= high)).all(2) & valid[:, None]
    area = (high - low).prod(1).expand(len(centre), -1)
    cost = torch.where(inside, area, math.inf)
    smallest = cost.min(1) if boxes.numel() else None
    owner = torch.full((len(centre),), -1, device=centre.device)
    if smallest is None:
        return owner
    owner = torch.where(torch.isfinite(smallest.values), smallest.indices, owner)
    for number in range(len(boxes)):
        free = valid & (owner < 0)
        if (owner == number).any() or not free.any():
            continue
        apart = (centre - (low[number] + high[number]) / 2).square().sum(1)
        owner[torch.where(free, apart, math.inf).argmin()] = number
    return owner


def detection_loss(
    out: EventBoxes, targets: Sequence[dict[str, Tensor]], recipe: EventRecipe
) -> tuple[Tensor, dict[str, float]]:
    """GIoU of the clusters with a box, class scores against the IoU they reach, losses of the pooling.

    Returns:
        (scalar, its parts by name).
    """
    goal = torch.zeros_like(out.logits)
    found, wanted = [], []
    for b, target in enumerate(targets):
        owner = assign(out.moments.centre[b], out.valid[b], target["boxes"])
        mine = (owner >= 0).nonzero()[:, 0]
        boxes = target["boxes"][owner[mine]]
        overlap = box_iou(out.boxes[b, mine].detach(), boxes).diagonal()
        goal[b, mine, target["labels"][owner[mine]]] = overlap.clamp(min=0.1)
        found.append(out.boxes[b, mine])
        wanted.append(boxes)
    positives = max(sum(len(boxes) for boxes in found), 1)
    box = generalized_box_iou_loss(torch.cat(found), torch.cat(wanted), reduction="sum") / positives
    # Quality focal loss: distance to the IoU squared, times cross entropy.
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(out.logits, goal, reduction="none")
    focus = (out.logits.sigmoid().detach() - goal).square()
    score = (focus * entropy * out.valid[..., None]).sum() / positives
    pool = sum(out.losses.values(), torch.zeros((), device=score.device))
    loss = recipe.box_weight * box + 4 * score + recipe.pool_weight * pool
    return loss, {"box": float(box.detach()), "class": float(score.detach()), "pool": float(pool.detach())}


@torch.no_grad()
def decode(
    out: EventBoxes, *, nms: float = 0.5, least: float = 0.02, most: int = 20
) -> list[dict[str, Tensor]]:
    """Boxes [n, 4], labels [n] and scores [n] of each recording, best first.

    Args:
        out: of the detector.
        nms: IoU above which the lower of two boxes of a class is dropped.
        least: lowest score kept.
        most: boxes of a recording.
    """
    results = []
    for boxes, logits, valid in zip(out.boxes, out.logits, out.valid, strict=True):
        scores = logits.sigmoid() * valid[:, None]
        cluster, label = (scores > least).nonzero(as_tuple=True)
        kept = batched_nms(boxes[cluster], scores[cluster, label], label, nms)[:most]
        results.append(
            {
                "boxes": boxes[cluster[kept]],
                "labels": label[kept],
                "scores": scores[cluster[kept], label[kept]],
            }
        )
    return results


@torch.no_grad()
def detect(
    model: EventGraphDetector, windows: Sequence[EventWindow], batch_size: int = 32
) -> tuple[list[dict[str, Tensor]], GraphFigures]:
    """Decoded boxes of all windows, and the cost of all of them together."""
    model.eval()
    total, results = GraphFigures(), []
    for first in range(0, len(windows), batch_size):
        batch = batch_events(list(windows[first : first + batch_size]))
        out = model(batch.x, batch.y, batch.t, batch.polarity, batch.recording_ptr)
        results += decode(out)
        for item in fields(GraphFigures):
            join = max if item.name == "largest_degree" else float.__add__
            values = float(getattr(total, item.name)), float(getattr(out.figures, item.name))
            setattr(total, item.name, join(*values))
    return results, total


def evaluate(model: EventGraphDetector, windows: Sequence[EventWindow]) -> dict[str, float]:
    """AP50 and AP, and the cost for each event.

    Returns:
        ap50, ap; ``accumulates`` and ``multiplies`` of the spiking layers per event; mean and largest degree;
        ``rate``, spikes per neuron and message.
    """
    from lampyris.tasks.detection.metric import score

    found, cost = detect(model, windows)
    quality = score(found, [{"boxes": w.boxes, "labels": w.labels} for w in windows])
    neurons = model.blocks[0].conv.out_channels
    return {
        "ap50": quality["ap50"],
        "ap": quality["ap"],
        "accumulates_per_event": cost.accumulates / max(cost.events, 1),
        "multiplies_per_event": cost.multiplies / max(cost.events, 1),
        "mean_degree": cost.edges / max(cost.events, 1),
        "largest_degree": cost.largest_degree,
        "spikes_per_neuron_and_message": cost.spikes / max(cost.messages * neurons, 1),
        "voxels_per_window": cost.voxels / max(len(windows), 1),
    }


def train(
    model: EventGraphDetector,
    windows: Sequence[EventWindow],
    recipe: EventRecipe | None = None,
    *,
    seed: int = 0,
    progress: Callable[[int, float], Any] | None = None,
) -> list[float]:
    """Train in place; returns the mean loss of each epoch.

    Args:
        model: the clusters are set apart on the first windows before the first step.
        windows: to learn from.
        recipe: `EventRecipe()` when None.
        seed: of the order of the windows.
        progress: called after every step with (steps done, loss).

    Raises:
        ValueError: the loss is not finite; the step is named.
    """
    recipe = recipe or EventRecipe()
    generator = torch.Generator().manual_seed(seed)
    first = batch_events(list(windows[: recipe.batch_size]))
    model.eval()
    model.break_symmetry(first.x, first.y, first.t, first.polarity, first.recording_ptr)
    steps = recipe.epochs * math.ceil(len(windows) / recipe.batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=steps, pct_start=0.15)
    losses, step = [], 0
    for _ in range(recipe.epochs):
        model.train()
        total = 0.0
        for chosen in torch.randperm(len(windows), generator=generator).split(recipe.batch_size):
            batch = batch_events([windows[i] for i in chosen.tolist()])
            out = model(batch.x, batch.y, batch.t, batch.polarity, batch.recording_ptr)
            loss, _ = detection_loss(out, batch.targets, recipe)
            step += 1
            if not math.isfinite(number := float(loss.detach())):
                raise ValueError(f"event detector: loss must be finite, got {number} at step {step}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            total += number * len(chosen)
            if progress is not None:
                progress(step, number)
        losses.append(total / len(windows))
    model.eval()
    return losses


def seconds(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and how long it took."""
    start = time.perf_counter()
    return call(), time.perf_counter() - start
