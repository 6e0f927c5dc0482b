"""What a run consists of: optimizers, averages, recomputation, T = 1 first, anchors, and stops on NaN."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning.pytorch as lightning
import pytest
import torch

from lampyris import data, models
from lampyris.cli import main
from lampyris.cli.shorthand import expand
from lampyris.tasks import detection
from lampyris.tasks.detection import anchor_check, estimate, start
from lampyris.tasks.detection.optimizers import SgdCycle, sgd_groups

CONFIG = str(Path(__file__).parents[3] / "configs" / "digits_tiny.yaml")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return data.digits(tmp_path_factory.mktemp("digits") / "set", train=32, val=4, test=4)


def small(root):
    sizes = ["--data.train", "32", "--data.val", "4", "--data.test", "4"]
    quiet = ["--trainer.enable_progress_bar", "false", "--run.estimate", "false"]
    return ["--config", CONFIG, "--data.root", str(root), *sizes, *quiet]


def train(root, model=None, *, epochs=2, batch=8, callbacks=(), **task):
    torch.manual_seed(0)
    module = data.CocoDetection(root, image_size=80, batch_size=batch)
    options = {"callbacks": [*callbacks]} if callbacks else {}
    return detection.train_detector(
        model or models.ems_yolo(family="tiny"),
        module,
        epochs=epochs,
        validate_every=0,
        progress=False,
        trainer_options=options,
        **task,
    )


class Record(lightning.Callback):
    def __init__(self, read):
        self.read, self.seen = read, []

    def on_train_batch_end(self, trainer, module, *_):
        self.seen.append(self.read(trainer, module))


def test_groups_of_sgd():
    model = models.ems_yolo(family="tiny")
    groups = sgd_groups(model, 5e-4)
    assert [g["weight_decay"] for g in groups] == [5e-4, 0.0, 0.0]
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))
    assert all(p.dim() == 4 for p in groups[0]["params"]) and all(p.dim() == 1 for p in groups[2]["params"])


def test_sgd_warms_up_and_accumulates(root):
    cycle = SgdCycle(lr=0.02, nominal_batch=16, warmup_iterations=4, warmup_epochs=0)
    rates = Record(lambda t, _: [g["lr"] for g in t.optimizers[0].param_groups])
    momentum = Record(lambda t, _: t.optimizers[0].param_groups[0]["momentum"])
    task = train(root, epochs=4, callbacks=(rates, momentum), sgd=cycle)
    trainer = task.trainer
    assert trainer.accumulate_grad_batches == 2 and trainer.global_step == 4 * 4 / 2
    assert rates.seen[0] == [0.0, 0.0, cycle.warmup_bias_lr]  # the schedule moves after the first step
    last = [cycle.lr * cycle.rate(8, 8, 4, 2)] * 3
    assert rates.seen[-1] == pytest.approx(last)
    assert momentum.seen[1] == cycle.warmup_momentum and momentum.seen[-1] == cycle.momentum


def test_accumulated_batches_equal_one_large_batch(root):
    """SGD on two halves gives the gradient of the whole batch, up to statistics, which are frozen here."""

    def gradients(batches):
        torch.manual_seed(0)
        task = detection.DetectionTask(models.ems_yolo(family="tiny")).eval()
        total = 0.0
        for images, targets in batches:
            losses = task.losses((images, targets))
            total = total + losses["class_loss"] / len(batches)
        total.backward()
        return torch.cat([p.grad.flatten() for p in task.parameters() if p.grad is not None])

    module = data.CocoDetection(root, image_size=80, batch_size=8)
    images, targets = next(iter(module.val_dataloader()))
    empty = [{**t, "boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long()} for t in targets]
    whole = gradients([(images, empty)])
    parts = gradients([(images[:2], empty[:2]), (images[2:], empty[2:])])
    # background alone: both divide by 1, so halves count half; float32 sums in another order
    torch.testing.assert_close(parts * 2, whole, rtol=1e-3, atol=1e-4 * float(whole.abs().max()))


def test_moving_average_by_hand(root):
    average = detection.MovingAverage(decay=0.9, ramp=10.0)
    weights = Record(lambda _, m: m.model.head.out.weight.detach().clone())
    torch.manual_seed(0)
    model = models.ems_yolo(family="tiny")
    first = model.head.out.weight.detach().clone()
    task = train(root, model, epochs=1, callbacks=(weights, average))
    import math

    mean = weights.seen[0]  # AveragedModel copies the first
    for n, value in enumerate(weights.seen[1:], 1):
        mean = mean.lerp(value, 1 - 0.9 * (1 - math.exp(-(n + 1) / 10.0)))
    assert torch.equal(task.model.head.out.weight, mean) and not torch.equal(mean, first)


@pytest.mark.parametrize("family", ["tiny", "lite"])
def test_recomputed_blocks_give_the_same_gradients_and_statistics(family):
    """Bit for bit: the backward pass sees the same numbers."""

    def step(recompute):
        torch.manual_seed(0)
        depth = 10 if family == "lite" else None
        model = models.ems_yolo(depth, family, num_classes=2, time_steps=2)
        if recompute:
            assert detection.recompute_blocks(model) >= 4
        images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
        task = detection.DetectionTask(model)
        target = {"boxes": torch.tensor([[5.0, 5, 40, 50]]), "labels": torch.tensor([1])}
        task.losses((images, [target] * 2))["loss"].backward()
        return model, [p.grad for p in model.parameters()]

    (one, plain), (two, again) = step(False), step(True)
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True) if a is not None)
    buffers = dict(two.named_buffers())
    assert all(torch.equal(value, buffers[name]) for name, value in one.named_buffers())
    copied = copy.deepcopy(two)
    assert next(iter(copied.modules())) is copied and copied.stem is not two.stem
    block = detection.recompute.outermost_blocks(copied)[0]
    assert block.forward.__self__ is block


def test_one_step_first(root):
    steps = Record(lambda _, m: m.model.time_steps)
    train(root, epochs=3, batch=16, callbacks=(steps,), train_time_steps=2, one_step_epochs=1)
    assert steps.seen == [1, 1, 2, 2, 2, 2]


def test_bfloat16_trains(root):
    loss = Record(lambda t, _: float(t.callback_metrics["loss"]))
    torch.manual_seed(0)
    module = data.CocoDetection(root, image_size=80, batch_size=8)
    options = {"precision": "bf16-mixed", "callbacks": [loss]}
    detection.train_detector(
        models.ems_yolo(), module, epochs=4, validate_every=0, progress=False, trainer_options=options
    )
    assert loss.seen[-1] < loss.seen[0]


def test_nan_stops_with_checkpoint_and_batch(root, tmp_path, capsys):
    class Poison(lightning.Callback):
        def on_train_batch_start(self, trainer, module, batch, index):
            if trainer.global_step == 2:
                batch[1][0]["boxes"][0, 0] = float("nan")

    module = data.CocoDetection(root, image_size=80, batch_size=8)
    torch.manual_seed(0)
    callbacks = [Poison(), lightning.callbacks.ModelCheckpoint(tmp_path)]
    options = {"callbacks": callbacks, "default_root_dir": tmp_path, "enable_checkpointing": True}
    with pytest.raises(detection.NonFiniteLoss) as stop:
        detection.train_detector(
            models.ems_yolo(), module, epochs=1, validate_every=0, progress=False, trainer_options=options
        )
    assert "training: loss must be finite, got nan at epoch 0, step 2; samples: " in str(stop.value)
    record = torch.load(tmp_path / "nonfinite_batch.pt", weights_only=True)
    assert record["images"].shape == (8, 3, 80, 80) and record["targets"][0]["boxes"][0, 0].isnan()
    assert all(Path(name).is_file() for name in record["samples"])
    model, _ = detection.load_model(tmp_path / "nonfinite.ckpt")
    assert all(p.isfinite().all() for p in model.parameters())
    assert "optimizer_states" in detection.load_checkpoint(tmp_path / "nonfinite.ckpt")


def test_infinite_gradients_stop_before_the_step(root):
    class Break(lightning.Callback):
        def on_after_backward(self, trainer, module):
            module.model.head.out.bias.grad[0] = float("inf")

    with pytest.raises(
        detection.NonFiniteLoss, match="training: gradient must be finite, got inf at epoch 0"
    ):
        train(root, callbacks=(Break(),))


def test_recall_and_proposal():
    generator = torch.Generator().manual_seed(0)
    sizes = torch.cat([torch.rand(60, 2, generator=generator) * 4 + side for side in (8.0, 30.0, 120.0)])
    assert anchor_check.best_possible_recall(sizes, torch.tensor([[500.0, 500.0]])) == 0
    found = anchor_check.propose_anchors(sizes, 1, 3)
    assert anchor_check.best_possible_recall(sizes, found) == 1
    assert (found[0].mean(1) - torch.tensor([10.0, 32, 122])).abs().max() < 2.5
    with pytest.raises(ValueError, match="sizes must be at least 6 boxes, got 5"):
        anchor_check.propose_anchors(sizes[:5], 2, 3)


def test_anchors_are_checked_and_replaced(root):
    module = data.CocoDetection(root, image_size=96, batch_size=4)
    task = detection.DetectionTask(models.ems_yolo(10, "lite", num_classes=10))
    with torch.no_grad():
        task.model.anchors.mul_(40.0)
    line = start.check_anchors(task, module)
    assert (
        line.startswith("anchors: best possible recall 0.000 on ") and "--run.anchors fit takes them" in line
    )
    assert "replaced by" in start.check_anchors(task, module, fit=True)
    sizes = anchor_check.box_sizes(module.dataset("train"))
    assert anchor_check.best_possible_recall(sizes, task.model.anchors) == 1
    assert start.check_anchors(detection.DetectionTask(models.ems_yolo()), module) is None


def test_measuring_changes_nothing(root):
    torch.manual_seed(0)
    task = detection.DetectionTask(models.ems_yolo())
    module = data.CocoDetection(root, image_size=80, batch_size=4)
    before, generator = copy.deepcopy(task.state_dict()), torch.get_rng_state()
    cost = start.step_cost(task, module, 4)
    assert cost.batch == 4 and cost.seconds > 0
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator) and all(p.grad is None for p in task.parameters())
    text = start.describe_cost(task, module, cost, 10)
    assert text.startswith("0.38 M parameters; step of 4 samples at T = 1: ") and "epoch of 8 steps" in text
    assert 1 <= start.find_batch(task, module) <= 32


def test_fitting_batch():
    costs = [estimate.StepCost(2, 1.0, 3_000), estimate.StepCost(4, 1.0, 5_000)]
    assert estimate.fitting_batch(costs, 100_000) == 79  # 1000 + 1000 b <= 80,000
    assert estimate.fitting_batch(costs, 10) == 1


def test_fit_with_every_option_leaves_its_pictures(root, tmp_path, capsys):
    options = ["--run.average", "0.99", "--run.estimate", "true", "--model.recompute", "true"]
    sgd = ["--model.sgd.lr", "0.01", "--model.sgd.nominal_batch", "16"]
    limits = ["--trainer.max_epochs", "2", "--trainer.limit_val_batches", "0"]
    folder = tmp_path / "run"
    assert main(["fit", *small(root), *options, *sgd, *limits, "--folder", str(folder)]) == 0
    assert "M parameters; step of 16 samples" in capsys.readouterr().out
    for name in ("first_batch.png", "curves.png", "samples/epoch_000.png", "samples/epoch_001.png"):
        assert (folder / name).stat().st_size > 1000
    _, about = detection.load_model(folder / "last.ckpt")
    assert about["input"] == {"kind": "images", "image_size": [80, 80]}
    again = ["--config", str(folder / "config.yaml"), "--ckpt_path", str(folder / "last.ckpt")]
    assert main(["validate", *again, "--folder", str(tmp_path / "b")]) == 0


SCRIPT = """
import sys
from lampyris.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_killed_process_continues_bit_for_bit(root, tmp_path):
    """kill -9 at an arbitrary moment of an epoch; resumed, weights equal those of an undisturbed run."""
    options = [*small(root), "--trainer.max_epochs", "4", "--trainer.check_val_every_n_epoch", "3"]
    options += ["--data.batch_size", "4", "--run.average", "0.9", "--run.checkpoint_steps", "3"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    arguments = [sys.executable, "-c", SCRIPT, "fit", *options, "--folder", str(killed)]
    process = subprocess.Popen(arguments, env={**os.environ}, stdout=subprocess.DEVNULL)
    try:
        assert main(["fit", *options, "--folder", str(whole)]) == 0
        deadline = time.monotonic() + 120
        while not (killed / "last.ckpt").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.15)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    reached = detection.read_checkpoint(killed / "last.ckpt")["global_step"]
    assert main(["fit", *options, "--folder", str(killed), "--ckpt_path", "last"]) == 0
    one, two = (detection.read_checkpoint(folder / "last.ckpt") for folder in (whole, killed))
    assert one["global_step"] == two["global_step"] == 32 >= reached
    for key in ("state_dict", "current_model_state"):
        assert all(torch.equal(value, two[key][name]) for name, value in one[key].items())
    for a, b in zip(
        one["optimizer_states"][0]["state"].values(),
        two["optimizer_states"][0]["state"].values(),
        strict=True,
    ):
        assert all(torch.equal(a[k], b[k]) for k in a)

    def losses(folder):
        rows = [line.split(",") for line in (folder / "results.csv").read_text().splitlines()]
        keep = [i for i, name in enumerate(rows[0]) if name != "seconds"]
        return [[row[i] for i in keep] for row in rows]

    assert losses(whole) == losses(killed)


def test_shorthand(root):
    found = expand(["--data", str(root), "--model", "ems_yolo18", "--data.image_size", "96"])
    assert found[:4] == ["--data", "lampyris.data.CocoDetection", "--data.root", str(root)]
    text = " ".join(found)
    assert "--model.model lampyris.models.ems_yolo --model.model.depth 18 --model.model.family lite" in text
    assert "--model.model.num_classes 10 --model.model.in_channels 3" in text
    assert found[-2:] == ["--data.image_size", "96"]
    assert expand(["--config", "a.yaml", "--model.lr", "1"]) == ["--config", "a.yaml", "--model.lr", "1"]
    assert expand(["--model", "model/tiny.yaml"]) == ["--model", "model/tiny.yaml"]


def test_a_folder_and_a_name_are_enough(root, tmp_path, capsys):
    fast = [
        "--trainer.fast_dev_run",
        "1",
        "--trainer.enable_progress_bar",
        "false",
        "--run.estimate",
        "false",
    ]
    small_images = ["--data.image_size", "[64,64]", "--data.batch_size", "2", "--model.train_time_steps", "1"]
    place = ["--folder", str(tmp_path / "run")]
    assert main(["fit", "--data", str(root), "--model", "ems_yolo10", *fast, *small_images, *place]) == 0
    events = data.order_events(tmp_path / "events", train=8, val=2, test=2)
    place = ["--folder", str(tmp_path / "other"), "--data.batch_size", "2"]
    assert main(["fit", "--data", str(events), "--model", "tiny_events", *fast, *place]) == 0
    assert main(["fit", "--data", f"{tmp_path}/none/", "--model", "tiny"]) == 1
    assert "must be a folder, got no such folder" in capsys.readouterr().err
    assert main(["fit", "--data", "nothere", "--model", "tiny"]) == 1
    assert "--data must be a folder, a config or a class, got nothere" in capsys.readouterr().err
    assert main(["fit", "--data", str(root), "--model", "ems_yolo33"]) == 1
    assert "did you mean 'ems_yolo34'?" in capsys.readouterr().err
