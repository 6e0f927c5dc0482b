"""Sweep learning rate and box weight with Ray Tune, on this machine or a cluster.

    pip install "ray[tune]"
    python examples/tune_ray.py --trials 8 --epochs 3 [--address auto]

Each trial is one call of `lampyris.tasks.detection.train_detector` on the generated digits; its score is AP50
on validation. On a SLURM cluster start Ray first (docs/training.md) and give ``--address auto``.
"""

from __future__ import annotations

import argparse
import sys

TRAIN, VAL = 400, 60


def trial(config: dict) -> dict[str, float]:
    """Train one detector and return its figures on validation."""
    import torch

    from lampyris import data, models
    from lampyris.tasks import detection

    torch.manual_seed(config["seed"])
    module = data.DigitsDetection(train=config["train"], val=VAL, test=10)
    task = detection.train_detector(
        models.ems_yolo(family="tiny"),
        module,
        epochs=config["epochs"],
        seed=config["seed"],
        validate_every=0,
        progress=False,
        lr=config["lr"],
        box_weight=config["box_weight"],
    )
    figures = detection.evaluate(task.model, module.val_dataloader(), task.eval_time_steps)
    return {"ap": figures["ap"], "ap50": figures["ap50"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--train", type=int, default=TRAIN, help="training images")
    parser.add_argument("--address", help="of a running Ray cluster; without it one is started here")
    options = parser.parse_args()
    try:
        import ray
        from ray import tune
    except ImportError:
        print('tune_ray: needs Ray: pip install "ray[tune]"', file=sys.stderr)
        return 1
    from lampyris import data

    data.digits(train=options.train, val=VAL, test=10)  # once, not in every trial
    ray.init(address=options.address)
    space = {
        "lr": tune.loguniform(2e-3, 5e-2),
        "box_weight": tune.uniform(1.0, 8.0),
        "epochs": options.epochs,
        "train": options.train,
        "seed": 0,
    }
    tuning = tune.TuneConfig(num_samples=options.trials, metric="ap50", mode="max")
    results = tune.Tuner(tune.with_resources(trial, {"cpu": 1}), param_space=space, tune_config=tuning).fit()
    best = results.get_best_result()
    print(f"best of {options.trials}: AP50 {best.metrics['ap50']:.3f} with {best.config}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
