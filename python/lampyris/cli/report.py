"""``lampyris report``: what an exact checkpoint costs, and reports that need none."""

from __future__ import annotations

# First word -> module of lampyris.cli: reports without a checkpoint.
TOPICS = {
    "depth": "report_depth",
    "energy": "report_energy",
    "faults": "report_faults",
    "multiplier": "report_multiplier",
    "networks": "report_networks",
    "synergy": "report_synergy",
}


def command(
    checkpoint: str, images: int = 50, data: str | None = None, out: str | None = None, parallelism: int = 16
) -> int:
    """Print bytes, firing rates, synaptic operations, energy and cycles of an exact checkpoint.

    `lampyris report networks` prints the FireFly paper's networks and needs no checkpoint; `lampyris report
    faults IMAGE` injects bit errors into a weight image.

    Args:
        checkpoint: written by `lampyris compress` or `lampyris demo`.
        images: inputs on which spikes are counted.
        data: COCO-format or Gen1-format folder, folder of pictures, picture or .npy file; left out: the
            test split of the generated set that fits the network.
        out: folder for report.json and spikes.png; nothing is written when left out.
        parallelism: P of the image whose cycles are counted, 16 or 32.
    """
    import json
    from pathlib import Path

    import torch
    from rich.table import Table

    from lampyris import deploy, firefly
    from lampyris import report as figures
    from lampyris.console import console
    from lampyris.deploy.checkpoints import load_checkpoint
    from lampyris.deploy.verify_inputs import sample_inputs
    from lampyris.files import atomic_write

    model, network = load_checkpoint(checkpoint)
    if network is None:
        raise ValueError(f"{checkpoint} is a float model: run `lampyris compress` first")
    inputs = torch.as_tensor(sample_inputs(network, images, data))
    spikes = figures.record_spikes(model, inputs, figures.spiking_layers(network))
    neurons = {n.name: spikes[n.name] for n in network.nodes if n.op == "lif"}
    layers = figures.activity(neurons)
    operations = figures.synaptic_operations(network, spikes)
    size, spent = figures.footprint(network), figures.energy(network, operations)
    image = deploy.export(network, parallelism=parallelism)
    boards = [figures.BoardRow.of("image", firefly.timing(image, preset)) for preset in firefly.PRESETS]

    screen = console()
    table = Table("layer", "neurons", "firing rate", "silent channels", title=f"spikes on {images} inputs")
    for layer in layers:
        table.add_row(layer.name, str(layer.neurons), f"{100 * layer.rate:.1f} %", str(layer.silent_channels))
    screen.print(table)
    lines = [
        f"parameters: {size.weights} weights, {size.sparsity:.1%} zero; float32 {size.float32_bytes} "
        f"bytes, int8 {size.dense_bytes}, int8 with a presence bitmap {size.bitmap_bytes}; "
        f"image {len(image.to_bytes())}",
        f"per input: {sum(operations.values()) / 1e6:.3f} M synaptic operations, "
        f"{spent['spiking_uj']:.2f} uJ against {spent['dense_uj']:.2f} uJ for one dense pass of the same "
        f"shape, ratio {spent['ratio']:.2f} "
        "(45 nm, 0.9 pJ per addition, 4.6 pJ per multiply-accumulate, arithmetic only)",
    ]
    lines += [
        f"{row.preset}: P = {row.parallelism} x {row.cores}, {row.cycles} cycles, "
        f"{row.frames_per_second:.0f} frames/s, mostly {row.mostly}"
        for row in boards
    ]
    for line in lines:
        screen.print(line, highlight=False, soft_wrap=True)
    if out is not None:
        summary = figures.Summary(str(checkpoint), boards=boards)
        summary.details = {
            "layers": [vars(layer) for layer in layers],
            "synaptic_operations": operations,
            "footprint": vars(size) | {"sparsity": size.sparsity},
            "energy": spent,
        }
        atomic_write(Path(out) / "report.json", json.dumps(summary.to_json(), indent=1) + "\n")
        path = figures.draw_activity(Path(out) / "spikes.png", neurons, title=Path(checkpoint).name)
        screen.print(f"wrote report.json and {path.name} in {out}")
    return 0
