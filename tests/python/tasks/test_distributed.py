"""Two processes with half the batch each have the gradients of one with all of it: DDP and FSDP over gloo."""

from __future__ import annotations

import lightning.pytorch as lightning
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from lampyris import models, nn
from lampyris.tasks import detection

BATCH, SIDE, CLASSES = 4, 64, 3
LR = 0.125  # a power of two: gradients are read from the step of plain SGD without rounding twice


def batch():
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (BATCH, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    boxes = [[[4.0, 5, 30, 40]], [[10.0, 8, 50, 60], [2, 2, 20, 18]], [], [[30.0, 30, 62, 62]]]
    targets = [
        {"boxes": torch.tensor(b).reshape(-1, 4), "labels": torch.arange(len(b)), "image_id": i}
        for i, b in enumerate(boxes)
    ]
    return images, targets


def share(rank, size):
    images, targets = batch()
    return images[rank::size], targets[rank::size]


def detector(head):
    torch.manual_seed(0)
    if head == "cells":
        return models.ems_yolo(num_classes=CLASSES, time_steps=2)
    return models.ems_yolo(10, "lite", num_classes=CLASSES, head=head, time_steps=2)


class Task(detection.DetectionTask):
    """One step of plain SGD."""

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(
            [share(self.global_rank, self.trainer.world_size)], batch_size=None
        )


def lightning_process(rank, size, port, folder, head):
    import os

    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0"}
    os.environ |= {"LOCAL_WORLD_SIZE": str(size), "TORCHELASTIC_RUN_ID": "0"}  # as torchrun does
    torch.save(step(head, devices=size, strategy="ddp"), f"{folder}/{rank}.pt")


def step(head, **trainer):
    task = Task(detector(head), train_time_steps=2, sync_norm=True)
    options = {"max_steps": 1, "logger": False, "enable_checkpointing": False, "accelerator": "cpu"}
    options |= {"enable_progress_bar": False, "enable_model_summary": False, "use_distributed_sampler": False}
    lightning.Trainer(**options, **trainer).fit(task)
    return {name: value.detach().clone() for name, value in task.model.state_dict().items()}


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def compare(found, expected, start):
    """Steps of the weights and statistics.

    Tolerance: the same float32 sums in two parts, through a network of a few dozen layers; a neuron whose
    current lies within rounding of the threshold may fire in one of them (seen: none at this seed).
    """
    for name, value in expected.items():
        if not value.is_floating_point():
            continue
        move, wanted = found[name] - start[name], value - start[name]
        scale = wanted.abs().max().item() + 1e-6
        torch.testing.assert_close(
            move, wanted, rtol=0, atol=2e-3 * scale + 1e-6, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("head", ["cells", "anchors", "anchor_free"])
def test_ddp_of_two_equals_one(head, tmp_path):
    mp.spawn(lightning_process, (2, free_port(), tmp_path, head), nprocs=2)
    one, two = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    start = detector(head).state_dict()
    compare(one, step(head, devices=1), start)


def fsdp_process(rank, size, rendezvous, folder):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=size)
    mesh = init_device_mesh("cpu", (size,))
    task = detection.DetectionTask(detector("anchors"))
    task.model.to(memory_format=torch.contiguous_format)  # fully_shard takes no others
    nn.synchronise_statistics(task.model)
    for block in detection.recompute.outermost_blocks(task.model):
        fully_shard(block, mesh=mesh)
    fully_shard(task.model, mesh=mesh)
    task.losses(share(rank, size))["loss"].backward()
    found = {}
    for name, parameter in task.model.named_parameters():
        assert isinstance(parameter, DTensor) and parameter.to_local().numel() <= parameter.numel()
        if parameter.grad is not None:
            found[name] = parameter.grad.full_tensor()
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_fsdp_of_two_equals_one(tmp_path):
    mp.spawn(fsdp_process, (2, tmp_path / "rendezvous", tmp_path), nprocs=2)
    found = torch.load(tmp_path / "0.pt")
    task = detection.DetectionTask(detector("anchors"))
    task.losses(batch())["loss"].backward()
    expected = {n: p.grad for n, p in task.model.named_parameters() if p.grad is not None}
    assert found.keys() == expected.keys()
    compare(found, expected, {name: torch.zeros_like(value) for name, value in expected.items()})
