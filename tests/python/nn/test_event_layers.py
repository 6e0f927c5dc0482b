"""Ordered spiking layers on event graphs, voxel pooling, moments of clusters."""

from __future__ import annotations

import pytest
import torch

from lampyris import nn, ops


def recording(events: int = 120, seed: int = 0):
    g = torch.Generator().manual_seed(seed)
    x, y = torch.randint(16, (2, events), generator=g)
    t = torch.randint(1000, (events,), generator=g).sort().values
    return x, y, t


def graph(x, y, t, **options):
    return nn.GraphRows(*ops.event_graph(x, y, t, width=16, height=16, **options), None)


def block_inputs(order: str, channels: int = 5):
    x, y, t = recording()
    rows = graph(x, y, t, max_neighbours=6)
    row = torch.repeat_interleave(torch.arange(len(x)), rows.row_ptr.diff())
    offsets = torch.stack([x[rows.col] - x[row], y[rows.col] - y[row], t[row] - t[rows.col]], 1).float() / 10
    offsets = torch.cat([offsets, torch.ones(len(offsets), 1)], 1)
    torch.manual_seed(1)
    return nn.EventGOATBlock(2, channels, order=order, threshold=0.2), torch.randn(len(x), 2), rows, offsets


def spike_by_hand(block, x, rows, offsets, key):
    """Every row read message by message."""
    conv = block.conv
    out = torch.zeros(len(x), conv.out_channels)
    for i in range(len(x)):
        edges = range(int(rows.row_ptr[i]), int(rows.row_ptr[i + 1]))
        v = torch.zeros(conv.out_channels)
        for e in sorted(edges, key=lambda e: float(key[e])):
            j = rows.col[e]
            s = block.target(x[i]) + block.source(x[j]) + block.offset(offsets[e])
            gate = torch.sigmoid(block.attend(torch.nn.functional.leaky_relu(s, 0.2)))
            v = 0.8 * v + conv.weight_ih[0] @ (gate * torch.cat([x[j], offsets[e]])) + conv.bias[0]
            fired = v > 0.2
            out[i] += fired
            v = torch.where(fired, 0.0, v)
    return out


@pytest.mark.parametrize("order", nn.EVENT_ORDERS)
def test_rows_are_heard_in_the_order_of_the_key(order):
    block, x, rows, offsets = block_inputs(order)
    block.eval()
    with torch.no_grad():
        spikes, steps = block(x, rows, offsets)
        row = torch.repeat_interleave(torch.arange(len(x)), rows.row_ptr.diff())
        score = block.target(x)[row] + block.source(x)[rows.col] + block.offset(offsets)
        score = block.attend(torch.nn.functional.leaky_relu(score, 0.2))[:, 0]
        by_hand = spike_by_hand(block, x, rows, offsets, block.key(score, offsets))
    # A membrane within rounding of the threshold may fall on either side.
    assert (spikes != by_hand).sum() <= 2 and by_hand.sum() > 100
    assert steps[:, 0].tolist() == rows.row_ptr.diff().tolist()


def test_orders_differ_and_keys_say_how():
    outcomes = []
    for order in nn.EVENT_ORDERS:
        block, x, rows, offsets = block_inputs(order)
        outcomes.append(block.eval()(x, rows, offsets)[0])
    assert all((outcomes[0] != other).any() for other in outcomes[1:])
    offsets = torch.tensor([[3.0, 0.0, 5.0, 1.0], [1.0, 1.0, 7.0, 1.0]])
    score = torch.tensor([0.1, 0.2])
    assert nn.EventGOATBlock(1, 1, order="time").key(score, offsets).argmax() == 0
    assert nn.EventGOATBlock(1, 1, order="distance").key(score, offsets).argmax() == 1
    random = nn.EventGOATBlock(1, 1, order="random")
    assert not torch.equal(random.key(score, offsets), random.key(score, offsets))
    random.eval()
    assert torch.equal(random.key(score, offsets), random.key(score, offsets))


@pytest.mark.parametrize("order", nn.EVENT_ORDERS)
def test_gradients_reach_every_parameter(order):
    block, x, rows, offsets = block_inputs(order)
    block(x, rows, offsets)[0].square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())


def test_early_exit_reads_less():
    block, x, rows, offsets = block_inputs("learned", channels=2)
    with torch.no_grad():
        block.conv.bias.fill_(0.3)  # both neurons fire at some message
    early = nn.EventGOATBlock(2, 2, threshold=0.2, early_exit=True)
    early.load_state_dict(block.state_dict())
    spikes, steps = early(x, rows, offsets)
    assert spikes.max() == 1 and steps.sum() < block(x, rows, offsets)[1].sum()


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="order must be one of learned, time, distance, random, got 'x'"):
        nn.EventGOATBlock(1, 1, order="x")


def test_voxels_against_a_dictionary():
    x, y, t = recording(200)
    ptr = torch.tensor([0, 90, 90, 200])
    t[90:] = recording(110, seed=1)[2]
    rows = graph(x, y, t, recording_ptr=ptr)
    features = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    found = nn.voxel_pool(features, x, y, t, ptr, rows, size=(4, 3, 250))
    batch = torch.tensor([0] * 90 + [2] * 110)
    keys = [tuple(k) for k in torch.stack([batch, t // 250, y // 3, x // 4], 1).tolist()]
    names = sorted(set(keys))
    assert found.voxel.tolist() == [names.index(k) for k in keys]
    assert found.batch.tolist() == [name[0] for name in names]
    edges: dict = {}
    for i in range(200):
        for j in rows.col[rows.row_ptr[i] : rows.row_ptr[i + 1]].tolist():
            a, b = int(found.voxel[i]), int(found.voxel[j])
            if a != b:
                edges[a, b] = edges.get((a, b), 0) + 1
                edges[b, a] = edges.get((b, a), 0) + 1
    target = torch.repeat_interleave(torch.arange(len(names)), found.rows.row_ptr.diff())
    pairs = zip(target.tolist(), found.rows.col.tolist(), strict=True)
    assert dict(zip(pairs, found.weight.tolist(), strict=True)) == edges
    for v, name in enumerate(names):
        mine = torch.tensor([k == name for k in keys])
        assert torch.equal(found.x[v], features[mine].amax(0))
        px, py, pt = (values[mine].float() for values in (x, y, t))
        expected = [mine.sum(), px.sum(), py.sum(), (px * px).sum(), (py * py).sum(), pt.sum()]
        assert found.moments[v].tolist() == [float(value) for value in expected]


def test_voxels_of_nothing():
    none = torch.empty(0, dtype=torch.int64)
    rows = nn.GraphRows(torch.tensor([0]), none, None)
    found = nn.voxel_pool(torch.empty(0, 2), none, none, none, torch.tensor([0, 0]), rows)
    assert found.x.shape == (0, 2) and found.graph_ptr.tolist() == [0, 0] and len(found.weight) == 0
    with pytest.raises(ValueError, match="size must be >= 1"):
        nn.voxel_pool(torch.empty(0, 2), none, none, none, torch.tensor([0, 0]), rows, size=(0, 1, 1))


def test_moments_are_those_of_the_events():
    x, y, t = recording(80)
    ptr = torch.tensor([0, 50, 80])
    t[50:] = recording(30, seed=2)[2]
    voxels = nn.voxel_pool(torch.zeros(80, 1), x, y, t, ptr, graph(x, y, t, recording_ptr=ptr))
    s = torch.softmax(torch.randn(len(voxels.x), 3, generator=torch.Generator().manual_seed(0)), 1)
    found = nn.cluster_moments(s, voxels.moments, voxels.batch, 2)
    for b, part in enumerate((slice(0, 50), slice(50, 80))):
        for k in range(3):
            w = s[voxels.voxel[part], k].double()
            px, py = x[part].double(), y[part].double()
            mean = (w * px).sum() / w.sum(), (w * py).sum() / w.sum()
            deviation = [
                ((w * (v - m) ** 2).sum() / w.sum()).sqrt() for v, m in zip((px, py), mean, strict=True)
            ]
            torch.testing.assert_close(found.mass[b, k].double(), w.sum(), rtol=1e-5, atol=0)
            torch.testing.assert_close(found.centre[b, k].double(), torch.stack(mean), rtol=1e-5, atol=0)
            # E[x^2] - E[x]^2 in float32 loses some digits
            torch.testing.assert_close(
                found.deviation[b, k].double(), torch.stack(deviation), rtol=1e-3, atol=0
            )


def test_a_cluster_without_events_has_no_place_and_finite_gradients():
    s = torch.tensor([[1.0, 0.0]], requires_grad=True)
    found = nn.cluster_moments(s, torch.tensor([[2.0, 4.0, 6.0, 8.0, 18.0, 3.0]]), torch.tensor([0]), 1)
    assert found.mass.tolist() == [[2.0, 0.0]] and found.centre[0, 1].tolist() == [0.0, 0.0]
    (found.centre.sum() + found.deviation.sum() + found.time.sum()).backward()
    assert torch.isfinite(s.grad).all()
