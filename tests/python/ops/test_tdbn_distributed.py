"""Statistics over processes: two of them with half the batch each equal one with all of it."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from lampyris import nn, ops

STEPS, BATCH, CHANNELS, SIDE = 3, 4, 6, 5
SUMS = 1e-6  # the same float32 sums in two parts, then float64


def inputs():
    torch.manual_seed(0)
    x = torch.randn(STEPS, BATCH, CHANNELS, SIDE, SIDE) * 2 + torch.arange(CHANNELS).view(-1, 1, 1)
    return x, torch.randn_like(x), torch.randn_like(x), torch.rand(CHANNELS), torch.randn(CHANNELS)


def work(x, skip, upstream, weight, bias, group):
    leaves = [t.clone().requires_grad_() for t in (x, skip, weight, bias)]
    mean, var = torch.zeros(CHANNELS), torch.ones(CHANNELS)
    stream, spikes, _ = ops.tdbn_add_lif(
        *leaves, mean, var, training=True, process_group=group, decay=0.25, threshold=0.5, output="dense"
    )
    added = ops.tdbn_add(*leaves, mean, var, training=True, process_group=group)
    (stream * upstream + spikes * upstream + added * upstream).sum().backward()
    norm = nn.TDBatchNorm2d(CHANNELS)
    if group is not None:
        nn.synchronise_statistics(norm, group)
    return [stream.detach(), spikes, norm(x).detach(), mean, var, *(t.grad for t in leaves)]


def process(rank, size, rendezvous, results):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=size)
    x, skip, upstream, weight, bias = inputs()
    share = slice(0, 1) if rank == 0 else slice(1, BATCH)  # unequal parts
    out = work(x[:, share], skip[:, share], upstream[:, share], weight, bias, dist.group.WORLD)
    torch.save(out, f"{results}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_available(), reason="torch is built without torch.distributed")
def test_two_processes_equal_one(tmp_path):
    mp.spawn(process, (2, tmp_path / "rendezvous", tmp_path), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    expected = work(*inputs(), None)
    for i, (a, b, both) in enumerate(zip(first, second, expected, strict=True)):
        if i in (0, 2, 5, 6):  # maps
            joined = torch.cat((a, b), 1)
        elif i == 1:  # spikes: equal, or the current is within rounding of the threshold
            joined = torch.cat((a, b), 1)
            assert torch.equal(joined, both)
        elif i in (3, 4):  # running statistics: the same everywhere
            assert torch.equal(a, b)
            joined = a
        else:  # gradients of parameters add up
            joined = a + b
        torch.testing.assert_close(
            joined, both, rtol=1e-5, atol=SUMS * (float(both.detach().abs().max()) + 1)
        )


def test_synchronise_needs_a_group():
    with pytest.raises(RuntimeError, match=r"synchronise_statistics: torch\.distributed must be initialised"):
        nn.synchronise_statistics(nn.TDBatchNorm2d(3))
