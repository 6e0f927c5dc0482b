"""Small stand-ins for SpikingJelly 2.0.0 and snnTorch 1.0.0: their names, attributes and arithmetic.

The converters know classes by name and module only, so these exercise them where the libraries are missing.
"""

from __future__ import annotations

import math

import torch


def _of(module: str):
    """Sets a class's module, by which the converters know the library."""

    def mark(kind):
        kind.__module__ = module
        return kind

    return mark


sj_neuron = _of("spikingjelly.activation_based.neuron.fake")
sj_layer = _of("spikingjelly.activation_based.layer.fake")
sj_surrogate = _of("spikingjelly.activation_based.surrogate")


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, slope, inclusive):
        ctx.save_for_backward(slope(x.detach()))
        return ((x >= 0) if inclusive else (x > 0)).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0], None, None


class Surrogate(torch.nn.Module):
    def __init__(self, alpha, spiking=True):
        super().__init__()
        self.alpha, self.spiking = alpha, spiking

    def forward(self, x):
        return Spike.apply(x, self.slope, True) if self.spiking else torch.sigmoid(x)


@sj_surrogate
class Rect(Surrogate):
    def slope(self, x):
        return self.alpha * (x.abs() < 0.5 / self.alpha).to(x)


@sj_surrogate
class ATan(Surrogate):
    def slope(self, x):
        return self.alpha / 2 / (1 + (math.pi / 2 * self.alpha * x) ** 2)


@sj_surrogate
class PiecewiseQuadratic(Surrogate):
    def slope(self, x):
        return (self.alpha - self.alpha**2 * x.abs()).clamp(min=0)


@sj_surrogate
class Sigmoid(Surrogate):
    def slope(self, x):
        return self.alpha * torch.sigmoid(self.alpha * x) * torch.sigmoid(-self.alpha * x)


@sj_surrogate
class SoftSign(Surrogate):
    def slope(self, x):
        return 1 / (2 * self.alpha * (1 / self.alpha + x.abs()) ** 2)


@sj_surrogate
class PiecewiseExp(Surrogate):
    def slope(self, x):
        return self.alpha / 2 * torch.exp(-self.alpha * x.abs())


@sj_surrogate
class Erf(Surrogate):
    def slope(self, x):
        return self.alpha / math.sqrt(math.pi) * torch.exp(-((self.alpha * x) ** 2))


class Node(torch.nn.Module):
    def __init__(
        self, v_threshold=1.0, v_reset=0.0, surrogate_function=None, detach_reset=False, step_mode="m"
    ):
        super().__init__()
        self.v_threshold, self.v_reset, self.detach_reset = v_threshold, v_reset, detach_reset
        self.surrogate_function = surrogate_function or Rect(1.0)

    def forward(self, x):
        v = torch.full_like(x[0], self.v_reset or 0.0)
        spikes = []
        for current in x:
            h = self.charge(v, current, self.v_reset or 0.0)
            s = self.surrogate_function(h - self.v_threshold)
            spikes.append(s)
            s = s.detach() if self.detach_reset else s
            v = h - s * self.v_threshold if self.v_reset is None else (1 - s) * h + s * self.v_reset
        return torch.stack(spikes)


@sj_neuron
class IFNode(Node):
    def charge(self, v, x, rest):
        return v + x


@sj_neuron
class LIFNode(Node):
    def __init__(self, tau=2.0, decay_input=True, **options):
        super().__init__(**options)
        self.tau, self.decay_input = tau, decay_input

    def charge(self, v, x, rest):
        return v + (x - (v - rest)) / self.tau if self.decay_input else v - (v - rest) / self.tau + x


@sj_neuron
class ParametricLIFNode(Node):
    def __init__(self, init_tau=2.0, decay_input=True, **options):
        super().__init__(**options)
        self.decay_input = decay_input
        self.w = torch.nn.Parameter(torch.tensor(-math.log(init_tau - 1)))

    def charge(self, v, x, rest):
        q = self.w.sigmoid()
        return v + (x - (v - rest)) * q if self.decay_input else v - (v - rest) * q + x


@sj_neuron
class PSN(Node):
    pass


def stepped(base):
    """The library's wrapper of a torch layer."""

    def forward(self, x):
        if self.step_mode == "s":
            return base.forward(self, x)
        return base.forward(self, x.flatten(0, 1)).unflatten(0, x.shape[:2])

    kind = type(base.__name__, (base,), {"forward": forward, "step_mode": "m"})
    return sj_layer(kind)


Conv2d, BatchNorm2d, Linear, MaxPool2d, AvgPool2d, Flatten, Upsample = (
    stepped(getattr(torch.nn, name))
    for name in ("Conv2d", "BatchNorm2d", "Linear", "MaxPool2d", "AvgPool2d", "Flatten", "Upsample")
)


@sj_layer
class Dropout(torch.nn.Module):
    def __init__(self, p=0.5):
        super().__init__()
        self.p, self.step_mode = p, "m"

    def forward(self, x):
        return x * torch.nn.functional.dropout(torch.ones_like(x[0]), self.p, self.training)


@sj_layer
class SeqToANNContainer(torch.nn.Sequential):
    step_mode = "m"

    def forward(self, x):
        return torch.nn.Sequential.forward(self, x.flatten(0, 1)).unflatten(0, x.shape[:2])


@sj_layer
class VotingLayer(torch.nn.Module):
    def __init__(self, voting_size):
        super().__init__()
        self.voting_size, self.step_mode = voting_size, "m"

    def forward(self, x):
        y = torch.nn.functional.avg_pool1d(x.flatten(0, 1).unsqueeze(1), self.voting_size, self.voting_size)
        return y.squeeze(1).unflatten(0, x.shape[:2])


@_of("spikingjelly.activation_based.model.fake")
class Model(torch.nn.Module):
    """As the model zoo: plain modules, whose forward asks for the step mode."""

    def __init__(self):
        super().__init__()
        self.conv, self.node = Conv2d(3, 6, 3, padding=1), IFNode(v_threshold=0.25)
        self.avgpool, self.none = AvgPool2d(2), None

    def forward(self, x):
        return torch.flatten(self.avgpool(self.node(self.conv(x))), 2 if self.avgpool.step_mode == "m" else 1)


def atan(alpha=2.0):
    def inner(x):
        return Spike.apply(x, lambda d: alpha / 2 / (1 + (math.pi / 2 * alpha * d) ** 2), False)

    return inner


def fast_sigmoid(slope=25):
    def inner(x):
        return Spike.apply(x, lambda d: 1 / (slope * d.abs() + 1) ** 2, False)

    return inner


def sigmoid(slope=25):
    def inner(x):
        return Spike.apply(x, lambda d: slope * torch.sigmoid(slope * d) * torch.sigmoid(-slope * d), False)

    return inner


def triangular(threshold=1):
    def inner(x):
        return Spike.apply(x, lambda d: threshold * torch.ones_like(d), False)

    return inner


class Leaky(torch.nn.Module):
    def __init__(
        self, beta, threshold=1.0, spike_grad=None, init_hidden=True, learn_beta=False, learn_threshold=False,
        reset_mechanism="subtract", reset_delay=True, inhibition=False, state_quant=False, output=False,
        graded_spikes_factor=1.0,
    ):  # fmt: skip
        super().__init__()
        self.spike_grad = spike_grad or atan()
        for name, value, learn in (("beta", beta, learn_beta), ("threshold", threshold, learn_threshold)):
            value = torch.as_tensor(value)
            if learn:
                setattr(self, name, torch.nn.Parameter(value))
            else:
                self.register_buffer(name, value)
        self.reset_mechanism, self.reset_delay, self.output = reset_mechanism, reset_delay, output
        self.inhibition, self.state_quant = inhibition, state_quant
        self.graded_spikes_factor, self.init_hidden = torch.as_tensor(graded_spikes_factor), init_hidden
        self.mem = torch.zeros(0)

    def reset_mem(self):
        self.mem = torch.zeros(0)

    def forward(self, x):
        v = self.mem if self.mem.shape == x.shape else torch.zeros_like(x)
        late = self.spike_grad(v - self.threshold).detach()
        if self.reset_mechanism == "zero":
            v = (1 - late) * v
        u = self.beta.clamp(0, 1) * v + x
        if self.reset_mechanism == "subtract":
            u = u - late * self.threshold
        spikes = self.spike_grad(u - self.threshold)
        if not self.reset_delay:
            now = spikes - late
            u = u - now * (self.threshold if self.reset_mechanism == "subtract" else u)
        self.mem = u
        return spikes


Leaky.__module__ = "snntorch._neurons.leaky"


class Synaptic(torch.nn.Module):
    pass


Synaptic.__module__ = "snntorch._neurons.synaptic"


# What the tests of both converters use.


def maps(*shape, seed=0, scale=1.5):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


def stepwise(module, x):
    """A single-step module over T, from rest."""
    for part in module.modules():
        if hasattr(part, "reset_mem"):
            part.reset_mem()
    return torch.stack([module(step) for step in x])


def gradient(module, x, weights):
    (grad,) = torch.autograd.grad((module(x) * weights).sum(), x)
    return grad


class Odd(torch.nn.Module):
    def forward(self, x):
        return x
