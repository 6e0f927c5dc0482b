"""A killed run, resumed, continues bit for bit: weights, optimizer, schedule, order, random generators."""

from __future__ import annotations

import lightning.pytorch as lightning
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from lampyris import data, models
from lampyris.tasks import detection

BATCHES = 5


class Killed(Exception):
    pass


class KillAfter(lightning.Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        torch.rand(1)  # a training that draws random numbers must resume them too
        if trainer.global_step == self.step:
            trainer.save_checkpoint(f"{trainer.default_root_dir}/killed.ckpt")
            raise Killed


class Draw(lightning.Callback):
    def on_train_batch_end(self, *_):
        torch.rand(1)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return data.digits(tmp_path_factory.mktemp("digits") / "set", train=40, val=4, test=4)


def train(root, folder, callback, resume=None):
    torch.manual_seed(3)
    model = models.ems_yolo(family="tiny", num_classes=10)
    module = data.CocoDetection(root, image_size=80, batch_size=8)
    task = detection.train_detector(
        model,
        module,
        epochs=3,
        seed=1,
        validate_every=3,
        progress=False,
        resume=resume,
        trainer_options={"callbacks": [detection.ExactResume(), callback], "default_root_dir": folder},
    )
    return task, torch.rand(3)


@pytest.mark.parametrize("step", [BATCHES, BATCHES + 2])
def test_resumed_run_equals_uninterrupted_run(root, tmp_path, step):
    whole, whole_random = train(root, tmp_path, Draw())
    with pytest.raises(Killed):
        train(root, tmp_path, KillAfter(step))
    resumed, resumed_random = train(root, tmp_path, Draw(), tmp_path / "killed.ckpt")
    state, other = whole.state_dict(), resumed.state_dict()
    assert state.keys() == other.keys()
    assert all(torch.equal(state[name], other[name]) for name in state)
    assert torch.equal(whole_random, resumed_random)
    assert resumed.trainer.global_step == 3 * BATCHES


def test_last_checkpoint_resumes(root, tmp_path):
    """The checkpoint that a fit writes after each epoch is enough."""

    def run(folder, epochs_before_kill=None, resume=None):
        callbacks = [detection.ExactResume(), ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1)]
        torch.manual_seed(3)
        model = models.ems_yolo(family="v1", num_classes=10)
        module = data.CocoDetection(root, image_size=80, batch_size=8)
        options = {"callbacks": callbacks, "default_root_dir": folder, "enable_checkpointing": True}
        return detection.train_detector(
            model, module, epochs=2, validate_every=1, progress=False, resume=resume, trainer_options=options
        )

    whole = run(tmp_path / "a")
    resumed = run(tmp_path / "b", resume=tmp_path / "a" / "epoch=0.ckpt")
    other = resumed.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in whole.state_dict().items())
