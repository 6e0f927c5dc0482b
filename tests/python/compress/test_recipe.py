"""The plain loop and the Lightning callback."""

from __future__ import annotations

import warnings

import lightning.pytorch as lightning
import pytest
import torch

from lampyris import compress, models, nn
from lampyris.compress.callbacks import ExactTraining


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Stem(3, 8)
        self.block = nn.EMSBlock1(8, 16)
        self.lif = nn.LIF()
        self.out = nn.Conv2d(16, 4, 1, bias=True)
        self.mean = nn.TimeMean()

    def forward(self, x):
        return self.mean(self.out(self.lif(self.block(self.stem(x)))))


def batches(n=4):
    generator = torch.Generator().manual_seed(2)
    result = []
    for _ in range(n):
        x = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=generator)
        result.append(
            (
                x,
                torch.nn.functional.avg_pool2d(x.float() / 256, 4)
                .mean(1, keepdim=True)
                .expand(-1, 4, -1, -1),
            )
        )
    return result


def squared(y, target):
    return {"loss": (y - target).square().mean()}


def prepared(data):
    model = Net()
    nn.set_time_steps(model, 2)
    with torch.no_grad():
        for x, _ in data:
            model.train()(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compress.prepare(model, compress.ExactConfig(time_steps=2, calibration=data), data[0][0])
    return model


def test_schedule():
    rates = [compress.cosine_rate(step, 350, 0.05) for step in range(350)]
    assert max(rates) == 1.0 and rates.index(1.0) == 17
    assert rates[0] == pytest.approx(1 / 18) and 0 < rates[-1] < 1e-3


def test_training_lowers_the_loss_and_stays_exact():
    data = batches()
    model = prepared(data)
    losses = compress.fit_exact(model, squared, data, steps=60, lr=5e-3, clip_norm=10.0)
    assert len(losses) == 60
    assert sum(losses[-8:]) < 0.7 * sum(losses[:8])
    assert not model.training
    for node in compress.integer_network(model).nodes:
        if "weight" in node.arrays:
            assert node.arrays["weight"].dtype.name == "int8"


def test_the_same_seed_gives_the_same_network():
    states = []
    for _ in range(2):
        model = prepared(batches())
        compress.fit_exact(model, squared, batches(), steps=5)
        states.append(model.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_errors():
    data = batches(1)
    model = prepared(data)
    with pytest.raises(ValueError, match="fit_exact: batches must give at least one batch, got none"):
        compress.fit_exact(model, squared, [], steps=1)
    with pytest.raises(ValueError, match="fit_exact: steps must be >= 0, got -1"):
        compress.fit_exact(model, squared, data, steps=-1)
    with pytest.raises(ValueError, match="fit_exact: loss must be finite, got nan at step 0"):
        compress.fit_exact(model, lambda y, t: (y * float("nan")).sum(), data, steps=1)
    with pytest.raises(ValueError, match="plan_of: model must be exact"):
        compress.fit_exact(models.ems_yolo(), squared, data, steps=1)


class Task(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = Net()
        self.train_time_steps, self.eval_time_steps = 1, 4

    def training_step(self, batch, index):
        return squared(self.model(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Data(lightning.LightningDataModule):
    class_names = ("a", "b")

    def train_dataloader(self):
        return torch.utils.data.DataLoader(batches(), batch_size=None)


def fit(task, callback, folder, **options):
    settings = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "accelerator": "cpu",
    }
    checkpoints = lightning.callbacks.ModelCheckpoint(folder, filename="last", save_on_train_epoch_end=True)
    trainer = lightning.Trainer(
        max_epochs=options.pop("epochs", 1), callbacks=[callback, checkpoints], **settings
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(task, datamodule=Data(), **options)


def test_lightning_callback(tmp_path):
    floats = tmp_path / "float.pt"
    torch.save({"state_dict": {f"model.{k}": v for k, v in Net().state_dict().items()}}, floats)
    callback = ExactTraining(str(floats), time_steps=2, pruning=compress.Pruning(0.5, every=1))
    task = Task()
    fit(task, callback, tmp_path)
    plan = compress.plan_of(task)
    assert (task.train_time_steps, task.eval_time_steps, plan["time_steps"]) == (2, 2, 2)
    assert plan["class_names"] == ["a", "b"] and plan["calibration"]["images"] == 16
    conv = task.model.block.shortcut.conv
    assert float((conv.weight == 0).float().mean()) >= 0.5

    content = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert content["plan"] == plan
    resumed = Task()
    fit(resumed, ExactTraining(), tmp_path, epochs=2, ckpt_path=str(tmp_path / "last.ckpt"))
    assert compress.plan_of(resumed)["groups"] == plan["groups"]

    with pytest.raises(ValueError, match="does not fit the model"):
        torch.save({"state_dict": models.ems_yolo().state_dict()}, floats)
        fit(Task(), ExactTraining(str(floats)), tmp_path)
