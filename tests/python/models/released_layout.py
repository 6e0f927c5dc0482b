"""Detectors in the layout of the released files, written from a description of their layers.

Numbered layers under ``model``; a branch of (neuron, convolution, norm) twice and a shortcut; membranes decay
by 0.25 with hard reset, threshold 0.5 exceeded strictly; norms over time and batch; nearest up-sampling.
"""

from __future__ import annotations

import sys
import types
from contextlib import contextmanager

import torch
import torch.nn.functional as F

DECAY, THRESHOLD = 0.25, 0.5
COUNTS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
ANCHORS = [[[10.0, 14], [23, 27], [37, 58]], [[81, 82], [135, 169], [216, 269]]]


def folded(layer, x):
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class mem_update(torch.nn.Module):
    def __init__(self, act=False):
        super().__init__()
        self.act = act

    def forward(self, x):
        out, u = [], torch.zeros_like(x[0])
        s = torch.zeros_like(u)
        for step in x:
            u = DECAY * u * (1 - s) + step
            s = F.silu(u) if self.act else (u > THRESHOLD).to(u.dtype)
            out.append(s)
        return torch.stack(out)


class Steps(torch.nn.Conv2d):
    def forward(self, x):
        return folded(super().forward, x)


class Norm(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.bn = torch.nn.BatchNorm3d(channels)

    def forward(self, x):
        return self.bn(x.permute(1, 2, 0, 3, 4)).permute(2, 0, 1, 3, 4)


class Pool(torch.nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return folded(lambda images: F.max_pool2d(images, self.stride), x)


class Conv(torch.nn.Module):
    def __init__(self, cin, cout, k, stride=1, act=True):
        super().__init__()
        self.conv = Steps(cin, cout, k, stride, k // 2, bias=False)
        self.bn = Norm(cout)
        self.neuron = mem_update(True) if act else torch.nn.Identity()

    def forward(self, x):
        return self.neuron(self.bn(self.conv(x)))


def projection(cin, cout, spiking):
    neuron = [mem_update()] if spiking else []
    return [*neuron, Steps(cin, cout, 1, bias=False), Norm(cout)]


class Block(torch.nn.Module):
    def __init__(self, cin, cout, stride=1, hidden=None, k=3, spiking=True, concat=False):
        super().__init__()
        hidden = hidden or cout
        self.residual_function = torch.nn.Sequential(
            mem_update(),
            Steps(cin, hidden, k, stride, k // 2, bias=False),
            Norm(hidden),
            mem_update(),
            Steps(hidden, cout, k, 1, k // 2, bias=False),
            Norm(cout),
        )
        self.concat, self.pool = concat, Pool(stride)
        if concat:
            self.shortcut = torch.nn.Sequential(*projection(cin, cout - cin, True))
        elif cin == cout and stride == 1:
            self.shortcut = torch.nn.Sequential()
        else:
            self.shortcut = torch.nn.Sequential(self.pool, *projection(cin, cout, spiking))

    def forward(self, x):
        side = self.shortcut(x)
        if self.concat:
            side = self.pool(torch.cat((side, x), 2))
        return self.residual_function(x) + side


class Detect(torch.nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.register_buffer("anchors", torch.tensor(ANCHORS) / torch.tensor([16.0, 32]).view(2, 1, 1))
        self.register_buffer("anchor_grid", torch.tensor(ANCHORS).view(2, 1, 3, 1, 1, 2))
        self.m = torch.nn.ModuleList(Steps(c, 3 * (5 + classes), 1) for c in channels)

    def forward(self, maps):
        return [conv(x).mean(0) for conv, x in zip(self.m, maps, strict=True)]


class Model(torch.nn.Module):
    def __init__(self, family, depth, variant, classes):
        super().__init__()
        lite, wide10 = family == "lite", (family, depth) == ("wide", 10)
        layers = [Conv(3, 32, 3, 2, act=False) if lite else Conv(3, 64, 7, 2, act=False)]
        cin, self.ends = 32 if lite else 64, []
        for width, count in zip((64, 128, 256, 512), COUNTS[depth], strict=True):
            concat = lite or (width > 64 and (variant == "cat" or wide10))
            hidden = width // 2 if lite else width
            layers.append(Block(cin, width, 2, hidden, concat=concat))
            layers += [Block(width, width, 1, hidden) for _ in range(count - 1)]
            cin = width
            self.ends.append(len(layers) - 1)
        silu = not lite and (depth == 18 or variant == "cat")
        top_hidden = 128 if lite else 256 if silu else 1024
        layers.append(Block(512, 256, 1, top_hidden, spiking=not lite))
        if silu:
            coarse, fine = Conv(256, 512, 3), Conv(384, 256, 3)
        else:
            coarse = Block(256, 512, 1, 256 if lite else 512, concat=lite)
            fine = Block(384, 256, 1, 128 if lite else 256, spiking=not lite)
        lateral = Block(256, 128, 1, 64 if lite else 128, k=1, spiking=not lite)
        layers += [coarse, lateral, torch.nn.Upsample(scale_factor=2), torch.nn.Identity(), fine]
        self.model = torch.nn.ModuleList([*layers, Detect((256, 512), classes)])

    def forward(self, images, steps):
        x = (images.to(self.model[0].conv.weight.dtype) / 255).expand(steps, *images.shape)
        maps = []
        *body, coarse, lateral, up, _, fine, detect = self.model
        for layer in body[:-1]:
            x = layer(x)
            maps.append(x)
        s16 = maps[self.ends[2]]
        top = body[-1](x)
        joined = torch.cat((folded(up, lateral(top)), s16), 2)
        return detect([fine(joined), coarse(top)])


@contextmanager
def as_their_modules():
    """The classes stand in modules of the names that the pickles hold, for the time of writing one."""
    places = {"models": types.ModuleType("models")}
    for name, classes in (
        ("models.common", (mem_update, Steps, Norm, Pool, Conv, Block)),
        ("models.yolo", (Detect, Model)),
    ):
        places[name] = types.ModuleType(name)
        for kind in classes:
            setattr(places[name], kind.__name__, kind)
            kind.__module__ = name
    sys.modules.update(places)
    try:
        yield
    finally:
        for name in places:
            del sys.modules[name]
        for kind in (mem_update, Steps, Norm, Pool, Conv, Block, Detect, Model):
            kind.__module__ = __name__


def random_model(family, depth, variant, classes, size=64):
    """Random weights, statistics of random pictures (a training pass with momentum 1), evaluation mode."""
    torch.manual_seed(0)
    model = Model(family, depth, variant, classes)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm3d)]
    for norm in norms:
        torch.nn.init.constant_(norm.weight, 0.5)
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randint(0, 256, (1, 3, size, size)), 2)
    for norm in norms:
        norm.momentum = 0.1
    return model.eval()
