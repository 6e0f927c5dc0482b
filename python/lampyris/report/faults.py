"""Bit errors in the weights of an image, with and without check words: what they do to the network.

Nothing here needs torch; the measure of quality is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lampyris.ecc import expected_faults, parse_protection
from lampyris.firefly import Device, Driver, Image
from lampyris.plots import pyplot, save_figure

__all__ = ["FaultRun", "FaultStudy", "draw_faults", "expected_report", "fault_study"]

UNPROTECTED = "none"
ALIGN = 64  # bytes, of tensors in the image

Quality = Callable[[Callable[[np.ndarray], Any]], float]


@dataclass(frozen=True)
class FaultRun:
    """One memory after one exposure.

    Attributes:
        protection: as on the command line, "none" without check words.
        rate, seed: of the bit errors.
        quality: of the network that runs then; 0 where the image is refused even under the policy.
        wrong_bits: hit, in weights, biases, thresholds and check words.
        corrected_bits: of them.
        uncorrectable_pages: found.
        residual_bits: still wrong in weights, biases and thresholds when the network runs.
        refused: whether a reader that refuses uncorrectable pages would have stopped.
    """

    protection: str
    rate: float
    seed: int
    quality: float
    wrong_bits: int
    corrected_bits: int
    uncorrectable_pages: int
    residual_bits: int
    refused: bool


@dataclass
class FaultStudy:
    """All runs, the quality without faults, and what each protection costs."""

    title: str
    measure: str
    policy: str
    baseline: float
    overhead: dict[str, float]
    runs: list[FaultRun]

    def curve(self, protection: str) -> tuple[np.ndarray, np.ndarray]:
        """Rates [R], ascending, and qualities [R, seeds] of one protection."""
        runs = [run for run in self.runs if run.protection == protection]
        rates = sorted({run.rate for run in runs})
        values = [[run.quality for run in runs if run.rate == rate] for rate in rates]
        return np.array(rates), np.array(values)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {**vars(self), "runs": [asdict(run) for run in self.runs]}


def _memory_tensors(image: Image) -> dict[str, int]:
    """Offset from the image base of what lies in device memory: weights and biases of layers."""
    places, end = {}, 0
    for number in range(len(image.layers)):
        for part in ("registers", "weights", "bias"):
            name = f"layer.{number:03}.{part}"
            if name in image.tensors:
                if part != "registers":
                    places[name] = end
                end += -(-image.tensors[name].nbytes // ALIGN) * ALIGN
    return places


def _flip(data: np.ndarray, rate: float, rng: np.random.Generator) -> int:
    """Flip each bit of uint8 [n] in place with this probability; returns how many."""
    count = int(rng.binomial(8 * data.size, rate))
    chosen = rng.choice(8 * data.size, count, replace=False)
    np.bitwise_xor.at(data, chosen // 8, (1 << chosen % 8).astype(np.uint8))
    return count


class _Exposure:
    """An image in memory under one protection."""

    def __init__(self, image: Image, protection: str) -> None:
        plan = {key: value for key, value in image.plan.items() if key != "ecc"}
        self.plain = Image(plan, {k: v for k, v in image.tensors.items() if not k.startswith("ecc.")})
        self.places = _memory_tensors(self.plain)
        self.protection = protection
        bare = len(self.plain.to_bytes())
        self.file, self.spans = b"", {}
        self.overhead = 0.0
        if protection == UNPROTECTED:
            return
        preset, classes = parse_protection(protection)
        guarded = Image(dict(self.plain.plan), self.plain.tensors)
        self.file = guarded.protect(preset, **{"registers": None, "host": None, **classes}).to_bytes()
        self.overhead = len(self.file) / bare - 1
        base, end = _base(self.file), 0
        stored = Image.from_bytes(self.file)
        for name, array in stored.tensors.items():
            if name in self.places or name == "ecc.parity":
                self.spans[name] = (base + end, array.nbytes)
            end += -(-array.nbytes // ALIGN) * ALIGN

    def expose(self, rate: float, seed: int, policy: str) -> tuple[dict[str, np.ndarray] | None, dict]:
        """Tensors in memory afterwards (None: refused), and the counts of a `FaultRun`."""
        rng = np.random.default_rng([seed, int(np.float64(rate).view(np.uint64))])
        counts = {"wrong_bits": 0, "corrected_bits": 0, "uncorrectable_pages": 0, "refused": False}
        if self.protection == UNPROTECTED:
            memory = {name: self.plain.tensors[name].copy() for name in self.places}
            counts["wrong_bits"] = sum(_flip(memory[name], rate, rng) for name in sorted(memory))
            return memory, counts
        file = np.frombuffer(self.file, np.uint8).copy()
        for begin, size in self.spans.values():
            counts["wrong_bits"] += _flip(file[begin : begin + size], rate, rng)
        try:
            found = Image.from_bytes(file.tobytes(), on_uncorrectable=policy)
        except ValueError:
            return None, {**counts, "refused": True}
        for row in found.repairs:
            counts["corrected_bits"] += row.corrected_bits
            counts["uncorrectable_pages"] += row.uncorrectable_pages
        counts["refused"] = counts["uncorrectable_pages"] > 0
        return {name: found.tensors[name] for name in self.places}, counts


def _base(file: bytes) -> int:
    return 8 + int.from_bytes(file[:8], "little")


def fault_study(
    image: Image,
    quality: Quality,
    *,
    protections: Sequence[str],
    rates: Sequence[float],
    seeds: int = 3,
    policy: str = "zero_weights",
    title: str = "",
    measure: str = "quality",
    progress: Callable[[FaultRun], None] | None = None,
) -> FaultStudy:
    """Expose the parameters in device memory to bit errors, let the codes repair, and run the network.

    Weights, biases and threshold tables of layers are hit, with their check words; registers and what
    the host keeps are not.

    Args:
        image: with or without error correction of its own, which is ignored.
        quality: given a function that runs one input, returns a figure in [0, 1].
        protections: "none", or as `lampyris export --ecc` takes them.
        rates: probabilities of a wrong bit.
        seeds: exposures per protection and rate.
        policy: for uncorrectable pages of weights: "refuse", "zero_page" or "zero_weights".
        title, measure: for the picture.
        progress: called after each run.

    Raises:
        ValueError: an unknown protection or policy, a rate outside 0..1, or no seed.
    """
    if seeds < 1:
        raise ValueError(f"faults: seeds must be >= 1, got {seeds}")
    if policy not in ("refuse", "zero_page", "zero_weights"):
        raise ValueError(f"faults: policy must be refuse, zero_page or zero_weights, got {policy}")
    if not rates or not all(0 <= rate <= 1 for rate in rates):
        raise ValueError(f"faults: rates must be probabilities, got {list(rates)}")
    exposures = [_Exposure(image, protection) for protection in protections]
    plain = _Exposure(image, UNPROTECTED).plain
    device = Device(parallelism=plain.plan["parallelism"])
    driver = Driver(device, keep="results")
    driver.load(plain)

    def measured(memory: dict[str, np.ndarray], places: dict[str, int]) -> float:
        for name, place in places.items():
            device.memory[place : place + memory[name].nbytes] = memory[name]
        return quality(lambda inputs: driver.run(plain, inputs))

    places = _memory_tensors(plain)
    clean = {name: plain.tensors[name] for name in places}
    baseline = measured(clean, places)
    overhead = {e.protection: e.overhead for e in exposures}
    study = FaultStudy(title, measure, policy, baseline, overhead, [])
    for exposure in exposures:
        for rate in rates:
            for seed in range(seeds):
                memory, counts = exposure.expose(rate, seed, policy)
                residual, value = 0, 0.0
                if memory is not None:
                    wrong = (np.unpackbits(memory[name] ^ clean[name]).sum() for name in places)
                    residual = int(sum(wrong))
                    value = measured(memory, places) if residual else baseline
                run = FaultRun(exposure.protection, rate, seed, value, residual_bits=residual, **counts)
                study.runs.append(run)
                if progress is not None:
                    progress(run)
    return study


def expected_report(image: Image, rates: Sequence[float]) -> list[dict[str, float]]:
    """Expected uncorrectable pages of an image after one exposure, by its own protection.

    Args:
        image: as read; tensors without check words count by the byte.
        rates: probabilities of a wrong bit.

    Returns:
        For each rate: rate, pages, wrong_bits, uncorrectable, silent (before any checksum).
    """
    presets = image.plan.get("ecc", {}).get("tensors", {})
    sizes: dict[str, int] = {}
    for name, array in image.tensors.items():
        if not name.startswith("ecc."):
            preset = presets.get(name, {}).get("preset", UNPROTECTED)
            sizes[preset] = sizes.get(preset, 0) + -(-array.nbytes // ALIGN) * ALIGN
    return [{"rate": rate, **asdict(expected_faults(sizes, rate))} for rate in rates]


def draw_faults(path: str | Path, study: FaultStudy) -> Path:
    """Quality against bit error rate, mean and range over the seeds; overhead beside it.

    Hollow marks: a reader without the policy refuses some of these exposures.

    Returns:
        The PNG written.
    """
    plt = pyplot()

    figure, (curves, bars) = plt.subplots(1, 2, figsize=(10.5, 4.2), width_ratios=(3, 1.15))
    names = list(study.overhead)
    markers = "osD^vP*Xh"
    for i, name in enumerate(names):
        rates, values = study.curve(name)
        color = "0.25" if name == UNPROTECTED else plt.cm.tab10(i % 10)
        marker = markers[i % len(markers)]
        # Later curves are thinner, so that those below stay visible.
        width = 3.4 - 2.4 * i / max(len(names) - 1, 1)
        curves.plot(rates, values.mean(1), marker=marker, ms=width + 3, lw=width, color=color, label=name)
        refused = np.isin(rates, [run.rate for run in study.runs if run.refused and run.protection == name])
        hollow = {"mfc": "white", "mec": color, "ls": "", "zorder": 3}
        curves.plot(rates[refused], values.mean(1)[refused], marker=marker, ms=width + 3, **hollow)
        curves.fill_between(rates, values.min(1), values.max(1), color=color, alpha=0.15, lw=0)
    curves.axhline(study.baseline, color="0.6", lw=0.8, ls=":")
    curves.set_xscale("log")
    curves.set_ylim(-0.02, 1.02)
    curves.set_xlabel("bit error rate of the memory (weights, biases, thresholds, check words)")
    curves.set_ylabel(study.measure)
    curves.set_title(f"{study.title} (hollow: some are refused without that)", fontsize=9)
    curves.grid(True, which="major", color="0.9", lw=0.6)
    curves.legend(fontsize=8, loc="lower left")
    costs = [100 * study.overhead[name] for name in names]
    colors = ["0.25" if n == UNPROTECTED else plt.cm.tab10(i % 10) for i, n in enumerate(names)]
    bars.barh(range(len(names)), costs, color=colors)
    for row, cost in enumerate(costs):
        bars.text(cost, row, f" {cost:.1f} %", va="center", fontsize=8)
    bars.set_yticks(range(len(names)), names, fontsize=8)
    bars.set_xlim(0, 1.3 * max([*costs, 1]))
    bars.invert_yaxis()
    bars.set_xlabel("larger image, %")
    bars.set_title("cost", fontsize=9)
    figure.tight_layout()
    return save_figure(figure, path)
