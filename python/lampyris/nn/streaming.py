"""Running a sequence in pieces: the state of every layer is kept between calls."""

from __future__ import annotations

import torch
from torch import Tensor

from .dropout import Dropout
from .stem import Stem

__all__ = ["Streaming", "streaming"]


def streaming(model: torch.nn.Module, *, detach: bool = True) -> Streaming:
    """Keep the state of ``model``'s neurons (and dropout masks) from call to call.

    T steps given in pieces are then the same as T steps given at once, in evaluation mode: training
    statistics of a norm are those of the piece. A sequence [t, B, C, H, W] is t steps for a `Stem` whatever
    its ``time_steps``; a still image is ``time_steps`` steps per call. `TimeMean` gives the mean over the
    piece: a detector's prediction for the whole is the mean of its pieces weighted by their steps.

    Args:
        model: any module that holds layers of lampyris.nn; it is not changed, hooks are put on its layers.
        detach: no gradient flows from one call into an earlier one. False keeps the graph, for backward
            through several calls; cut it with `Streaming.detach`.

    Returns:
        A `Streaming`; as a context manager it is closed on leaving.

    Raises:
        ValueError: a model without such layers, or one that is streamed already.

    Example:
        >>> import torch
        >>> from lampyris import nn
        >>> lif, x = nn.LIF(), torch.full((3, 1, 1), 0.4)
        >>> with nn.streaming(lif) as stream:
        ...     pieces = [lif(x[:1]), lif(x[1:])]
        >>> bool((torch.cat(pieces) == lif(x)).all())
        True
    """
    return Streaming(model, detach)


class Streaming:
    """The handle of `streaming`.

    Attributes:
        state: {qualified layer name: Tensor}, a copy that may be saved; assign it to restore.
    """

    def __init__(self, model: torch.nn.Module, detach: bool = True) -> None:
        self._names = {m: n for n, m in model.named_modules() if getattr(m, "takes_state", False)}
        if not self._names:
            raise ValueError(f"streaming: model must hold neurons, got {type(model).__name__} without any")
        for module, name in self._names.items():
            if getattr(module, "_streaming", None) is not None:
                raise ValueError(
                    f"streaming: model must be streamed once, got {_show(name)} streamed already"
                )
        self._detach = detach
        self._state: dict[str, Tensor] = {}
        self._running: set[str] | None = None
        self._steps = {module: module.time_steps for module in model.modules() if isinstance(module, Stem)}
        self._handles = [
            model.register_forward_pre_hook(self._begin, prepend=True),
            model.register_forward_hook(self._end, always_call=True),
        ]
        self._handles += [stem.register_forward_pre_hook(self._sequence) for stem in self._steps]
        for module in self._names:
            module._streaming = self
            self._handles += [
                module.register_forward_pre_hook(self._give),
                module.register_forward_hook(self._take, prepend=True),
            ]

    @property
    def state(self) -> dict[str, Tensor]:
        return dict(self._state)

    @state.setter
    def state(self, state: dict[str, Tensor]) -> None:
        unknown = sorted({*state} - {*self._names.values()})
        if unknown:
            raise ValueError(f"streaming: state must name layers of the model, got {unknown[0]!r}")
        self._state = dict(state)

    def reset(self) -> None:
        """Forget every state: the next call starts from rest."""
        self._state = {}

    def detach(self) -> None:
        """Cut the graph between the calls so far and the next one."""
        self._state = {name: value.detach() for name, value in self._state.items()}

    def close(self) -> None:
        """Remove the hooks; the model runs every call from rest again."""
        for handle in self._handles:
            handle.remove()
        for module in self._names:
            module._streaming = None
        for stem, steps in self._steps.items():
            stem.time_steps = steps
        self._handles, self._names, self._steps, self._state = [], {}, {}, {}

    def __enter__(self) -> Streaming:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def _begin(self, model, arguments) -> None:
        self._running = set()

    def _end(self, model, arguments, output) -> None:
        self._running = None

    def _sequence(self, stem: Stem, arguments) -> None:
        stem.time_steps = arguments[0].shape[0] if arguments[0].dim() == 5 else self._steps[stem]

    def _give(self, module, arguments):
        name = self._names[module]
        if len(arguments) != 1:
            raise ValueError(f"streaming: {_show(name)} must be called with x alone, got a state of its own")
        if self._running is not None:
            if name in self._running:
                contract = "run once per call of the model, since it holds one state"
                raise ValueError(f"streaming: {_show(name)} must {contract}, got a second run")
            self._running.add(name)
        state = self._state.get(name)
        if state is not None:
            _check(name, state, arguments[0], isinstance(module, Dropout))
        return arguments[0], state

    def _take(self, module, arguments, output):
        out, state = output
        if state is not None:
            self._state[self._names[module]] = state.detach() if self._detach else state
        return out


def _check(name: str, state: Tensor, x: Tensor, broadcast: bool) -> None:
    def wrong(contract: str, got: object) -> ValueError:
        return ValueError(
            f"streaming: state of {_show(name)} must {contract} of x[0], got {got}; reset() starts anew"
        )

    sizes = zip(state.shape, x.shape[1:], strict=False)
    fits = state.dim() == x.dim() - 1 and all(s == n or (broadcast and s == 1) for s, n in sizes)
    if not fits:
        raise wrong(f"have the shape {list(x.shape[1:])}", list(state.shape))
    if state.device != x.device:
        raise wrong(f"be on {x.device}, the device", state.device)
    if (state.dtype == torch.float64) != (x.dtype == torch.float64):
        raise wrong(f"fit {x.dtype}, the dtype", state.dtype)


def _show(name: str) -> str:
    return f'"{name}"' if name else "the model"
