"""The loop that the graph tasks share: full batch, Adam, early stop on validation, best weights kept.

Tasks repeat it over graphs and seeds; `run_jobs` spreads those over processes, one thread each, so that the
figures do not depend on how many processes there are.
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

__all__ = ["Fitted", "Recipe", "fit", "run_jobs", "split_nodes"]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        steps: full-batch steps at most.
        lr: learning rate of Adam.
        weight_decay: L2 of Adam, on every parameter.
        patience: steps without a better validation score before the end; None: never.
        every: steps between two validation scores.
        decay: "none", or "cosine" from ``lr`` to 0 over ``steps``.
        clip: largest norm of the gradient; None: no limit.
    """

    steps: int = 500
    lr: float = 5e-3
    weight_decay: float = 5e-4
    patience: int | None = 100
    every: int = 1
    decay: Literal["none", "cosine"] = "none"
    clip: float | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"training: {name} must be >= 1, got {getattr(self, name)}")
        if not self.lr > 0:
            raise ValueError(f"training: lr must be > 0, got {self.lr}")
        if self.decay not in ("none", "cosine"):
            raise ValueError(f"training: decay must be 'none' or 'cosine', got {self.decay!r}")


@dataclass
class Fitted:
    """What a run came to: steps done, step and score of the weights kept, seconds, the loss of each step."""

    steps: int
    best_step: int
    best_score: float
    seconds: float
    losses: list[float] = field(default_factory=list)


def fit(
    model: nn.Module,
    loss: Callable[[], Tensor],
    *,
    score: Callable[[], float] | None = None,
    recipe: Recipe | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> Fitted:
    """Minimise ``loss()`` over the parameters of ``model``; the weights of the best ``score()`` stay.

    Args:
        model: set to training mode for ``loss`` and to evaluation mode for ``score``; left in the latter.
        loss: no arguments, returns the scalar to minimise.
        score: no arguments, without gradients, *lower is better*; None: the last weights stay.
        recipe: of the training; `Recipe()` when None.
        progress: called after every step with (steps done, loss).

    Returns:
        What it came to.

    Raises:
        ValueError: the loss is not finite; the step is named.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(1, 1)
        >>> x = torch.linspace(-1, 1, 8)[:, None]
        >>> error = lambda: (model(x) - 3 * x).square().mean()
        >>> fit(model, error, recipe=Recipe(steps=300, lr=0.05)).losses[-1] < 1e-3
        True
    """
    recipe = recipe or Recipe()
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    schedule = None
    if recipe.decay == "cosine":
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    start = time.perf_counter()
    result = Fitted(0, 0, math.inf, 0.0)
    best = None
    for step in range(1, recipe.steps + 1):
        model.train()
        optimizer.zero_grad(set_to_none=True)
        value = loss()
        if not math.isfinite(number := float(value.detach())):
            raise ValueError(f"training: loss must be finite, got {number} at step {step}")
        value.backward()
        if recipe.clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        result.steps = step
        result.losses.append(number)
        if progress is not None:
            progress(step, number)
        if score is None or (step % recipe.every and step != recipe.steps):
            continue
        model.eval()
        with torch.no_grad():
            figure = float(score())
        if figure < result.best_score:
            result.best_score, result.best_step = figure, step
            best = copy.deepcopy(model.state_dict())
        elif recipe.patience is not None and step - result.best_step >= recipe.patience:
            break
    if best is not None:
        model.load_state_dict(best)
    if score is None:
        result.best_step = result.steps
    model.eval()
    result.seconds = time.perf_counter() - start
    return result


def split_nodes(
    count: int, fractions: Sequence[float] = (0.6, 0.2, 0.2), *, seed: int = 0
) -> tuple[Tensor, ...]:
    """Disjoint random index sets of ``count`` nodes, in the shares given.

    Where the shares add up to 1 the first set takes what rounding leaves.

    Raises:
        ValueError: a share is negative, or they exceed 1 together.

    Example:
        >>> [len(part) for part in split_nodes(101)]
        [61, 20, 20]
    """
    if any(share < 0 for share in fractions) or sum(fractions) > 1 + 1e-9:
        raise ValueError(f"training: fractions must be >= 0 and add up to at most 1, got {list(fractions)}")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    sizes = [int(count * share + 1e-9) for share in fractions]
    if sum(fractions) > 1 - 1e-9:
        sizes[0] += count - sum(sizes)
    return torch.split(order[: sum(sizes)], sizes)


def _alone(function: Callable[..., Any], job: tuple) -> Any:
    """One job on one thread, whatever process it is in."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(*job)
    finally:
        torch.set_num_threads(threads)


def run_jobs(
    function: Callable[..., Any],
    jobs: Sequence[tuple],
    *,
    workers: int | None = None,
    title: str = "runs",
    screen: Any = None,
) -> list[Any]:
    """``[function(*job) for job in jobs]``, in processes of one thread each, with a progress bar.

    Args:
        function: of a module (processes import it), as are its arguments and results picklable.
        jobs: argument tuples.
        workers: processes; None: one for each core this process may use; 1: here, without a process.
        title: text of the bar.
        screen: rich console of the bar; None: no bar.

    Returns:
        The results in the order of ``jobs``; the same for every number of workers.

    Raises:
        ValueError: ``workers`` is below 1.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(cores if workers is None else workers, max(len(jobs), 1))
    if workers < 1:
        raise ValueError(f"training: workers must be >= 1, got {workers}")
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=screen, transient=True, disable=screen is None) as bar:
        line = bar.add_task(title, total=len(jobs))
        if workers == 1:
            results = []
            for job in jobs:
                results.append(_alone(function, job))
                bar.advance(line)
            return results
        context = torch.multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            futures = [pool.submit(_alone, function, job) for job in jobs]
            try:
                for future in as_completed(futures):
                    future.result()
                    bar.advance(line)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            return [future.result() for future in futures]
