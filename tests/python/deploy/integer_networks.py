"""Hand-made integer networks with random weights, thresholds set for a wanted firing rate."""

from __future__ import annotations

import numpy as np

from lampyris.compress.integer_network import IntegerNetwork, IntegerNode
from lampyris.reference import integer


class Builder:
    """Adds nodes one by one; every method returns the node's name.

    A threshold of None is set so that about `rate` of the neurons fire, from the reference on random images.
    """

    def __init__(self, target="ems", time_steps=4, shape=(3, 16, 16), steps=1, p=8, seed=0):
        self.rng = np.random.default_rng(seed)
        node = IntegerNode("input", "input", (), shape, "image", params={"p": p, "steps": steps})
        self.network = IntegerNetwork(target, time_steps, tuple(f"c{i}" for i in range(10)), [node])
        self.inputs = self.images(3)

    def images(self, batch):
        node = self.network.nodes[0]
        steps, shape = node.params["steps"], node.shape
        full = (batch, *shape) if steps == 1 else (steps, batch, *shape)
        return self.rng.integers(0, 256, full, dtype=np.uint8)

    def _add(self, name, op, inputs, shape, kind, arrays=None, **params):
        self.network.nodes.append(IntegerNode(name, op, tuple(inputs), shape, kind, arrays or {}, params))
        return name

    def _weight(self, cout, cin, k, limit, mean=0.0):
        noise = self.rng.uniform(-limit, limit, (cout, cin, k, k)) + mean
        return np.clip(np.rint(noise), -127, 127).astype(np.int8)

    def _map(self, source, k, stride):
        c, h, w = self.network.node(source).shape
        return c, (h + 2 * (k // 2) - k) // stride + 1, (w + 2 * (k // 2) - k) // stride + 1

    def stem(self, name="stem", cout=16, k=3, stride=2, shift=6, group=None, source="input"):
        cin, h, w = self._map(source, k, stride)
        weight = self._weight(cout, cin, k, 127)
        bias = self.rng.integers(-3000, 3000, cout).astype(np.int32)
        arrays = {"weight": weight, "bias": bias}
        params = {"stride": stride, "padding": k // 2, "k": shift, "group": group or name}
        return self._add(name, "stem", [source], (cout, h, w), "stream", arrays, **params)

    def conv(
        self,
        name,
        source,
        cout,
        k=3,
        stride=1,
        shift=0,
        residual=None,
        limit=127,
        mean=0.0,
        bias=200,
        group=None,
    ):
        cin, h, w = self._map(source, k, stride)
        weight = self._weight(cout, cin, k, limit, mean)
        offset = self.rng.integers(-bias, bias + 1, cout).astype(np.int16)
        inputs = [source] if residual is None else [source, residual]
        params = {"stride": stride, "padding": k // 2, "shift": shift, "group": group or name}
        params |= {
            "saturate": self.network.target == "ems",
            "add": None if residual is None else f"{name}.add",
        }
        arrays = {"weight": weight, "bias": offset}
        return self._add(name, "conv", inputs, (cout, h, w), "stream", arrays, **params)

    def lif(self, name, source, leak="before", k=2, threshold=None, rate=0.3):
        shape = self.network.node(source).shape
        if threshold is None:
            x = integer.run(self.network, self.inputs).streams[source]
            threshold = max(1, int(np.quantile(x, 1 - rate)) >> (leak == "half_after"))
        table = np.broadcast_to(np.asarray(threshold, np.int32), (shape[0],)).copy()
        params = {"leak": leak} | ({"k": k} if leak == "before" else {})
        return self._add(name, "lif", [source], shape, "spikes", {"threshold": table}, **params)

    def pool(self, name, source):
        c, h, w = self.network.node(source).shape
        return self._add(name, "maxpool", [source], (c, h // 2, w // 2), self.network.node(source).kind)

    def up(self, name, source):
        c, h, w = self.network.node(source).shape
        return self._add(name, "upsample", [source], (c, 2 * h, 2 * w), self.network.node(source).kind)

    def concat(self, name, *sources):
        nodes = [self.network.node(source) for source in sources]
        channels = sum(node.shape[0] for node in nodes)
        return self._add(name, "concat", sources, (channels, *nodes[0].shape[1:]), nodes[0].kind)

    def output(self, name, source, cout=14):
        c, h, w = self.network.node(source).shape
        arrays = {
            "weight": self._weight(cout, c, 1, 127),
            "bias": self.rng.integers(-3000, 3000, cout).astype(np.int16),
            "step": self.rng.uniform(1e-4, 1e-2, cout),
        }
        return self._add(name, "output", [source], (cout, h, w), "accumulator", arrays, stride=1, padding=0)


def residual_network(seed=0, steps=1, time_steps=4, shift=1, leak="before", k=2, shape=(3, 32, 32), width=16):
    """EMS-Block1, EMS-Block2 (pooled input and concatenation as shortcut), MS block and head."""
    b = Builder("ems", time_steps, shape, steps, seed=seed)

    def lif(name, source, rate=0.3):
        return b.lif(name, source, leak, k, rate=rate)

    x = b.stem(cout=width)
    y = b.conv("e1.c1", lif("e1.l1", x), 2 * width, stride=2)
    pooled = b.pool("e1.pool", x)
    short = b.conv("e1.short", lif("e1.l3", pooled), 2 * width, k=1, shift=shift, group="e1")
    x = b.conv("e1.c2", lif("e1.l2", y), 2 * width, residual=short, shift=shift, group="e1")
    y = b.conv("e2.c1", lif("e2.l1", x), 4 * width, stride=2)
    pooled = b.pool("e2.pool", x)
    short = b.conv("e2.short", lif("e2.l3", pooled), 2 * width, k=1, shift=0, group="e1")
    joined = b.concat("e2.concat", short, pooled)
    x = b.conv("e2.c2", lif("e2.l2", y), 4 * width, residual=joined, shift=shift, group="e1")
    y = b.conv("m.c1", lif("m.l1", x), 4 * width)
    x = b.conv("m.c2", lif("m.l2", y), 4 * width, residual=x, shift=shift, group="e1")
    y = b.conv("head.hidden", lif("head.l0", x), 2 * width)
    b.output("head.out", lif("head.lif", y, 0.5))
    return b.network, b.images(4)


def neck_network(seed=0, time_steps=3):
    """Two scales joined by up-sampling and concatenations read by neurons alone (a threshold per source)."""
    b = Builder("ems", time_steps, (3, 32, 32), seed=seed)
    fine = b.conv("fine", b.lif("l0", b.stem(cout=16)), 32)
    coarse = b.conv("coarse", b.lif("l1", fine), 48, stride=2)
    up = b.up("up", coarse)
    joined = b.concat("join", up, fine)
    thresholds = np.concatenate([np.full(48, 700), np.full(32, 260)])
    y = b.conv("neck", b.lif("l2", joined, threshold=thresholds), 24, k=1)
    a = b.lif("l3", y)
    c = b.lif("l4", fine)
    spikes = b.concat("spikes", c, a)
    pooled = b.pool("pool", spikes)
    z = b.conv("last", b.up("up2", pooled), 20)
    b.output("out", b.lif("l5", z, rate=0.4))
    return b.network, b.images(2)


def chain_network(seed=0, leak="none", time_steps=4, shape=(3, 32, 32), limit=60):
    """A `v1` detector: 3 x 3 chains with OR pooling, stem and 1 x 1 output on the host."""
    b = Builder("v1", time_steps, shape, seed=seed)
    s = b.lif("l0", b.stem(cout=16), leak)
    s = b.pool("p1", b.lif("l1", b.conv("c1", s, 32, limit=limit), leak))
    s = b.pool("p2", b.lif("l2", b.conv("c2", s, 40, limit=limit), leak))
    s = b.lif("l3", b.conv("c3", s, 32, limit=limit), leak)
    b.output("out", s)
    return b.network, b.images(3)


def random_network(seed):
    """A random graph of every operation: shared streams, nested copies, mixed steps, odd channel counts."""
    rng = np.random.default_rng(seed)
    time_steps = int(rng.integers(1, 6))
    steps = int(rng.choice([1, time_steps]))
    size = (int(rng.choice([8, 16, 24])), int(rng.choice([8, 16, 40])))
    b = Builder("ems", time_steps, (int(rng.integers(1, 4)), *size), steps, seed=seed)
    b.inputs = b.inputs[..., :1, :, :, :] if steps == 1 else b.inputs[:, :1]
    streams, spikes = [b.stem(cout=int(rng.choice([16, 32, 20])), shift=int(rng.integers(3, 7)))], []

    def shape(name):
        return b.network.node(name).shape

    def alike(names, like, channels=False):
        skip = 0 if channels else 1
        return [name for name in names if shape(name)[skip:] == shape(like)[skip:]]

    def neuron(i):
        leak = str(rng.choice(["none", "half_after", "before"]))
        source = str(rng.choice(streams))
        threshold = None
        if rng.random() < 0.3:
            threshold = rng.integers(-50, 900, shape(source)[0])
        spikes.append(
            b.lif(f"n{i}", source, leak, int(rng.integers(1, 5)), threshold, float(rng.uniform(0.2, 0.5)))
        )

    def conv(i):
        source = str(rng.choice(spikes))
        k, stride = int(rng.choice([1, 3])), int(rng.choice([1, 1, 2]))
        if shape(source)[1] % 2 or shape(source)[2] % 2 or min(shape(source)[1:]) < 4:
            stride = 1
        options = {
            "k": k,
            "stride": stride,
            "shift": int(rng.integers(0, 5)),
            "bias": int(rng.choice([0, 300, 32767])),
        }
        height, width = shape(source)[1] // stride, shape(source)[2] // stride
        fitting = [name for name in streams if shape(name)[1:] == (height, width)]
        if fitting and rng.random() < 0.6:
            residual = str(rng.choice(fitting))
            streams.append(b.conv(f"c{i}", source, shape(residual)[0], residual=residual, **options))
        else:
            streams.append(b.conv(f"c{i}", source, int(rng.choice([16, 32, 7, 33])), **options))

    def copy(i):
        names = streams if rng.random() < 0.5 else spikes
        source, kind = str(rng.choice(names)), rng.random()
        parts = [name for name in alike(names, source) if shape(name)[0] % 16 == 0]
        if kind < 0.4 and parts:
            chosen = [str(name) for name in rng.choice(parts, int(rng.integers(1, 3)))]
            names.append(b.concat(f"j{i}", *chosen, source))
        elif (
            kind < 0.7
            and shape(source)[1] % 2 == 0
            and shape(source)[2] % 2 == 0
            and min(shape(source)[1:]) > 2
        ):
            names.append(b.pool(f"p{i}", source))
        elif max(shape(source)[1:]) <= 20:
            names.append(b.up(f"u{i}", source))

    neuron(0)
    for i in range(1, 14):
        [neuron, conv, conv, copy][int(rng.integers(4))](i)
    neuron(14)
    b.output("out", spikes[-1], cout=int(rng.choice([3, 14, 20])))
    return b.network, b.images(2)


def random_chain(seed):
    """A random `v1` detector: depth, widths, pooling, leak, T, still image or sequence."""
    rng = np.random.default_rng(seed)
    time_steps = int(rng.integers(1, 6))
    leak = str(rng.choice(["none", "half_after"]))
    size = (int(rng.choice([16, 32, 48])), int(rng.choice([16, 32, 80])))
    shape, steps = (int(rng.integers(1, 4)), *size), int(rng.choice([1, time_steps]))
    b = Builder("v1", time_steps, shape, steps, seed=seed)
    s = b.lif("l0", b.stem(cout=int(rng.choice([16, 7, 32])), stride=int(rng.choice([1, 2]))), leak)
    for i in range(1, int(rng.integers(2, 5))):
        x = b.conv(
            f"c{i}", s, int(rng.choice([16, 40, 33, 5])), limit=40, bias=int(rng.choice([0, 100, 2000]))
        )
        s = b.lif(f"l{i}", x, leak, rate=float(rng.uniform(0.2, 0.5)))
        _, h, w = b.network.node(s).shape
        if rng.random() < 0.5 and h % 2 == 0 and w % 2 == 0:
            s = b.pool(f"p{i}", s)
    b.output("out", s, cout=int(rng.choice([3, 14])))
    return b.network, b.images(2)
