"""From an exact model to a FireFly image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lampyris.compress.integer_network import IntegerNetwork

from .check import check_network
from .lower_ems import lower_ems
from .lower_v1 import lower_v1
from .violations import raise_violations

if TYPE_CHECKING:
    import torch

__all__ = ["export", "integers_of", "lower"]


def integers_of(model: torch.nn.Module | IntegerNetwork) -> IntegerNetwork:
    """The IntegerNetwork of a prepared model, or the argument itself if it is one."""
    if isinstance(model, IntegerNetwork):
        return model
    from lampyris import compress

    return compress.integer_network(model)


def lower(network: IntegerNetwork, preset: str, parallelism: int) -> Any:
    """The image of a network that fits its target, unchecked."""
    return {"ems": lower_ems, "v1": lower_v1}[network.target](network, parallelism, preset)


def export(
    model: torch.nn.Module | IntegerNetwork,
    example: Any = None,
    target: str | None = None,
    preset: str = "zcu104",
    parallelism: int = 16,
) -> Any:
    """The FireFly image of an exact model.

    Args:
        model: a model that `compress.prepare` or `compress.apply_plan` made exact, or its IntegerNetwork.
        example: not needed: shapes are frozen with the plan; checked against it when given ([..., C, H, W]).
        target: "ems" or "v1"; None takes the one the model was prepared for.
        preset: board preset, for limits and timing.
        parallelism: P, channels per tile (16 or 32).

    Returns:
        A firefly image: `.save(path)`, `.plan`, `.tensors`.

    Raises:
        ValueError: with every violation (layer, reason, remedy) when the model does not fit the target.

    Example:
        >>> import torch, warnings
        >>> from lampyris import compress, deploy, models
        >>> model, images = models.ems_yolo().eval(), torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     _ = compress.prepare(model, compress.ExactConfig(), images)
        >>> deploy.export(model).plan["target"]
        'ems'
    """
    network = integers_of(model)
    target = network.target if target is None else target
    if example is not None and tuple(example.shape[-3:]) != tuple(network.nodes[0].shape):
        shape = ", ".join(map(str, network.nodes[0].shape))
        raise ValueError(f"export: example must have shape [..., {shape}], got {list(example.shape)}")
    raise_violations(target, check_network(network, target, parallelism, preset))
    return lower(network, preset, parallelism)
