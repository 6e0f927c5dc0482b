"""A run stopped in the middle of an epoch and resumed by Lightning sees the batches it would have seen."""

from __future__ import annotations

import zlib

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from lampyris import data

STEPS_PER_EPOCH = 5


class Recorder(lightning.LightningModule):
    """Trains one number and notes the images of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple] = []

    def training_step(self, batch, _):
        boxes = [target["boxes"].double().sum().item() for target in batch[1]]
        self.seen.append((*(target["image_id"] for target in batch[1]), *boxes, zlib.crc32(batch[0].numpy())))
        return self.weight * batch[0].float().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def run(folder, tmp_path, resume: str | None = None, augment: data.ImageAugment | None = None) -> Recorder:
    module = Recorder()
    keep = ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, every_n_train_steps=1)
    trainer = lightning.Trainer(
        max_steps=12,
        accelerator="cpu",
        logger=False,
        callbacks=[] if resume else [keep],
        enable_checkpointing=not resume,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        limit_val_batches=0,
    )
    batches = data.CocoDetection(folder, image_size=80, batch_size=8, seed=3, augment=augment)
    trainer.fit(module, datamodule=batches, ckpt_path=resume, weights_only=False)
    return module


@pytest.mark.filterwarnings("ignore")
def test_resumed_batches_are_the_missing_ones(digits_folder, tmp_path):
    whole = run(digits_folder, tmp_path)
    assert len(whole.seen) == 12
    assert whole.seen[:STEPS_PER_EPOCH] != whole.seen[STEPS_PER_EPOCH : 2 * STEPS_PER_EPOCH]
    for stop in (1, 3, STEPS_PER_EPOCH, STEPS_PER_EPOCH + 1, 11):
        resumed = run(digits_folder, tmp_path, str(tmp_path / f"step={stop}.ckpt"))
        assert resumed.seen == whole.seen[stop:], stop


@pytest.mark.filterwarnings("ignore")
def test_resumed_augmentation_is_the_missing_one(digits_folder, tmp_path):
    # The last of the three epochs has no mosaic, also when the run resumes just before it.
    augment = data.ImageAugment(mosaic=1.0, close_mosaic=1, scale=0.3, translate=0.1, hsv=(0.1, 0.5, 0.4))
    whole = run(digits_folder, tmp_path, augment=augment)
    plain = run(digits_folder, tmp_path / "plain")
    assert all(ours != theirs for ours, theirs in zip(whole.seen, plain.seen, strict=True))
    for stop in (3, 9, 11):
        resumed = run(digits_folder, tmp_path, str(tmp_path / f"step={stop}.ckpt"), augment)
        assert resumed.seen == whole.seen[stop:], stop
