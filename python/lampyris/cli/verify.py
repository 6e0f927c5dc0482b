"""`lampyris verify`."""

from __future__ import annotations

__all__ = ["command"]


def command(
    checkpoint: str,
    image: str,
    images: int = 20,
    data: str | None = None,
    json: str | None = None,
    datapath: str = "functional",
    strict: bool = False,
) -> int:
    """Prove that the exact training forward, the numpy reference and the device agree on every value.

    Compares every spike, stream, post-reset membrane, head integer and clamp count of every layer. The exit
    status is 0 when all are equal.

    Args:
        checkpoint: written by `lampyris compress`.
        image: written by `lampyris export` from it.
        images: number of test images.
        data: COCO-format or Gen1-format folder, folder of pictures, picture or .npy file; left out: the
            test split of the generated set that fits the network.
        json: also write the report to this file.
        datapath: of the device.
        strict: refuse an image with wrong bits, even where its check words correct them.
    """
    from lampyris import deploy
    from lampyris.cli.images import load_reported
    from lampyris.console import console
    from lampyris.deploy.checkpoints import load_checkpoint
    from lampyris.deploy.verify_inputs import sample_inputs

    model, network = load_checkpoint(checkpoint)
    if network is None:
        raise ValueError(f"{checkpoint} is a float model: run `lampyris compress` first")
    weights = load_reported(image, strict)
    report = deploy.verify(model, weights, sample_inputs(network, images, data), datapath=datapath)
    console().print(report.table())
    if json is not None:
        from json import dumps

        from lampyris.files import atomic_write

        atomic_write(json, dumps(report.to_json(), indent=1) + "\n")
    print(report.summary())
    if report.first is not None and report.first.explanation:
        print(report.first.explanation)
    return 0 if report.ok else 1
