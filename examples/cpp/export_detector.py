"""Compiles a detector to a package that C++ runs without Python, with an image and what Python sees in it.

``python examples/cpp/export_detector.py FOLDER [--checkpoint FILE | --steps N]`` writes detector.pt2
(AOTInductor), image.ppm and expected.bin, the prediction map [14, 10, 10] of the package as float32.
Without a checkpoint the tiny EMS-YOLO is trained for N steps on one digit an image.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from lampyris import nn
from lampyris.models import ems_yolo
from lampyris.tasks.detection import detection_loss

SIZE, DIGIT = 80, 24
BATCH = 16


def images_with_digits(count: int) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """uint8 images [count, 3, 80, 80] with one digit of scikit-learn's in each, and where it is."""
    from sklearn.datasets import load_digits

    known = load_digits()
    images = torch.full((count, 3, SIZE, SIZE), 24, dtype=torch.uint8)
    targets = []
    for image in images:
        k = int(torch.randint(len(known.images), ()))
        digit = torch.from_numpy(known.images[k]).mul(14).to(torch.uint8)
        y, x = torch.randint(SIZE - DIGIT, (2,)).tolist()
        image[:, y : y + DIGIT, x : x + DIGIT] += digit.repeat_interleave(3, 0).repeat_interleave(3, 1)
        box = torch.tensor([[x, y, x + DIGIT, y + DIGIT]], dtype=torch.float32)
        targets.append({"boxes": box, "labels": torch.tensor([int(known.target[k])])})
    return images, targets


def train(steps: int) -> torch.nn.Module:
    """The tiny EMS-YOLO after ``steps`` steps at T = 1, set to T = 4."""
    model = ems_yolo(num_classes=10, time_steps=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
    for _ in range(steps):
        images, targets = images_with_digits(BATCH)
        optimizer.zero_grad()
        detection_loss(model(images), targets)["loss"].backward()
        optimizer.step()
    nn.set_time_steps(model, 4)
    return model.eval()


def detector(checkpoint: str | None, steps: int) -> torch.nn.Module:
    """From a checkpoint of ``lampyris fit``, or trained here."""
    if checkpoint is None:
        return train(steps)
    from lampyris.tasks.detection.checkpoint import load_model

    return load_model(checkpoint)[0]


def main(folder: Path, checkpoint: str | None, steps: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = detector(checkpoint, steps)
    image, _ = images_with_digits(1)
    package = str(folder / "detector.pt2")
    with torch.no_grad():
        torch._inductor.aoti_compile_and_package(torch.export.export(model, (image,)), package_path=package)
        expected = torch._inductor.aoti_load_package(package)(image)
        error = float((expected - model(image)).abs().max())
    (folder / "expected.bin").write_bytes(expected.contiguous().numpy().tobytes())
    header = f"P6\n{SIZE} {SIZE}\n255\n".encode()
    (folder / "image.ppm").write_bytes(header + image[0].permute(1, 2, 0).contiguous().numpy().tobytes())
    print(f"{package}: prediction map {list(expected.shape)}, eager differs by {error:.1e} at most")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", help="a Lightning checkpoint of `lampyris fit`")
    parser.add_argument("--steps", type=int, default=400, help="of training without a checkpoint")
    arguments = parser.parse_args()
    main(arguments.folder, arguments.checkpoint, arguments.steps)
