"""What cannot become exact, by name and with a remedy."""

from __future__ import annotations

from torch import Tensor

from lampyris.capture import Graph, Node, stream_groups

from .steps import BIAS_LIMIT, WEIGHT_LIMIT

__all__ = ["leak_of", "raise_problems", "scalar", "violations"]

Problem = tuple[str, str, str]
MAX_FAN_IN = 65000
ACCUMULATOR_LIMIT = 2**24


def scalar(value: object) -> float | None:
    """A number or a one-element tensor as float, else None."""
    if isinstance(value, Tensor):
        return float(value.detach()) if value.numel() == 1 else None
    return float(value)


def leak_of(decay: float, gain: float) -> tuple[str, int] | None:
    """(leak, k) of the contract's neuron table, or None.

    Example:
        >>> leak_of(0.25, 1.0), leak_of(0.5, 0.5), leak_of(1.0, 1.0), leak_of(0.9, 1.0)
        (('before', 2), ('half_after', 0), ('none', 0), None)
    """
    if (decay, gain) == (1.0, 1.0):
        return "none", 0
    if (decay, gain) == (0.5, 0.5):
        return "half_after", 0
    for k in (1, 2, 3, 4):
        if (decay, gain) == (2.0**-k, 1.0):
            return "before", k
    return None


def violations(graph: Graph, target: str, time_steps: int) -> list[Problem]:
    """Every layer of ``graph`` that has no exact form on ``target``: (name, reason, remedy)."""
    found: list[Problem] = []
    for node in graph:
        if node.op == "lif":
            found += _neuron(node, target)
        elif node.op in ("stem", "conv", "output"):
            found += _convolution(node, time_steps)
            found += _norm(node, graph)
        elif node.op == "maxpool" and node.module.kernel_size != 2:
            found.append(
                (
                    node.name,
                    f"pools {node.module.kernel_size} x {node.module.kernel_size}",
                    "use MaxPool2d(2)",
                )
            )
        elif node.op == "upsample" and node.module.factor != 2:
            found.append(
                (node.name, f"enlarges {node.module.factor} times", "use Upsample(2), several in a row")
            )
        if target == "v1" and (
            node.op == "add" or (node.kind == "stream" and node.op in ("maxpool", "upsample", "concat"))
        ):
            found.append((node.name, f"({node.op}) needs a stored stream", "use target ems, or family v1"))
    for group in stream_groups(graph):
        if not group.readers:
            found.append(
                (group.name, "is a stream that no neuron reads", "remove the layers that lead to it")
            )
    return found


def raise_problems(what: str, problems: list[Problem]) -> None:
    """Raise one ValueError that lists all ``problems``, if there is one."""
    if problems:
        found = " | ".join(f"{name}: {reason}; remedy: {remedy}" for name, reason, remedy in problems)
        raise ValueError(f"{what}, got {found}")


def _neuron(node: Node, target: str) -> list[Problem]:
    lif, found = node.module, []
    decay, gain, threshold = scalar(lif.decay), scalar(lif.gain), scalar(lif.threshold)
    leak = None if decay is None or gain is None else leak_of(decay, gain)
    allowed = ("none", "half_after") if target == "v1" else ("none", "half_after", "before")
    if leak is None or leak[0] not in allowed:
        settings = "(1, 1) or (0.5, 0.5)" + ("" if target == "v1" else " or (2^-k, 1) with k = 1..4")
        reason = f"has (decay, gain) = ({_show(lif.decay)}, {_show(lif.gain)})"
        found.append((node.name, reason, f"on {target} train with {settings}"))
    if threshold is None or not threshold > 0:
        found.append(
            (node.name, f"has threshold {_show(lif.threshold)}", "use one positive threshold per layer")
        )
    if lif.reset != "hard" or scalar(lif.v_reset) != 0:
        found.append(
            (node.name, f"has reset {lif.reset!r} to {_show(lif.v_reset)}", "train with hard reset to 0")
        )
    return found


def _convolution(node: Node, time_steps: int) -> list[Problem]:
    conv, found = getattr(node.module, "conv", node.module), []
    square = conv.kernel_size[0] == conv.kernel_size[1]
    even = conv.stride[0] == conv.stride[1] and conv.padding[0] == conv.padding[1]
    if conv.groups != 1 or conv.dilation != (1, 1) or not square or not even or conv.padding_mode != "zeros":
        remedy = "use a square kernel, one group, no dilation, zero padding"
        found.append((node.name, "is grouped, dilated, not square or not zero-padded", remedy))
    fan_in = conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]
    if fan_in > MAX_FAN_IN:
        found.append((node.name, f"sums {fan_in} products", f"keep C_in K_h K_w <= {MAX_FAN_IN}"))
    bound = time_steps * (WEIGHT_LIMIT * fan_in + BIAS_LIMIT)
    if node.op == "output" and bound >= ACCUMULATOR_LIMIT:
        found.append(
            (node.name, f"may accumulate {bound} over T = {time_steps}", "keep it below 2^24: fewer channels")
        )
    return found


def _norm(node: Node, graph: Graph) -> list[Problem]:
    norm = getattr(node.module, "norm", None) if node.op == "stem" else None
    if norm is not None and getattr(norm, "running_var", 0) is None:
        return [(node.name, "has a norm without running statistics", "train with track_running_stats=True")]
    return []


def _show(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{float(value.detach()):g}" if value.numel() == 1 else f"a tensor {list(value.shape)}"
    return f"{value:g}"
