"""Verilog of the arrays, and what an HDL simulator must answer in every cycle."""

from __future__ import annotations

import operator
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lampyris.firefly.arrays import integers

__all__ = ["ColumnVectors", "column_vectors", "column_verilog", "simulate_column"]

# Behind every rising edge the bench prints the registers that the vectors hold.
_BENCH = """
module bench;
  parameter P = {p}, LANES = {lanes}, COLUMNS = P / LANES, CYCLES = {cycles};
  reg clk = 0;
  reg [9*P+1:0] stimulus [0:CYCLES-1];
  reg [72*P*P-1:0] tiles [0:{tiles}-1];
  reg [16*P-1:0] bias;
  reg [9*P+1:0] now = 0;
  reg [72*P*P-1:0] tile = 0;
  integer n, next = 0;
  wire [COLUMNS-1:0] sum_valid, out_valid, out_last;
  wire [16*P-1:0] sums;
  wire [P-1:0] fired;
  wire [18*P-1:0] membrane;
  genvar c;
  generate
    for (c = 0; c < COLUMNS; c = c + 1) begin : column
      wire [72*P*LANES-1:0] weights;
      genvar m;
      for (m = 0; m < 9 * P; m = m + 1) begin : part
        assign weights[8*LANES*m +: 8*LANES] = tile[8*P*m + 8*LANES*c +: 8*LANES];
      end
      firefly_column dut (
          .clk(clk), .window_valid(now[9*P]), .window(now[9*P-1:0]), .load(now[9*P+1]),
          .weights(weights), .last_pixel(16'd{last_pixel}), .last_ci(16'd{last_ci}),
          .last_step(16'd{last_step}), .half_after(1'b{half_after}), .every_pass(1'b{every_pass}),
          .winner(1'b{winner}), .threshold({threshold}), .bias(bias[16*LANES*c +: 16*LANES]),
          .sum_valid(sum_valid[c]), .sums(sums[16*LANES*c +: 16*LANES]), .out_valid(out_valid[c]),
          .out_last(out_last[c]), .fired(fired[LANES*c +: LANES]),
          .membrane(membrane[18*LANES*c +: 18*LANES]));
    end
  endgenerate
  initial begin
    $readmemh("stimulus.hex", stimulus);
    $readmemh("tiles.hex", tiles);
    bias = {bias};
    for (n = 0; n < CYCLES; n = n + 1) begin
      now = stimulus[n];
      if (now[9*P+1]) begin
        tile = tiles[next];
        next = next + 1;
      end
      #1;
      {display}
      clk = 1;
      #1 clk = 0;
    end
    $display("end");
    $finish;
  end
endmodule
"""
_DISPLAY = '$display("%h %h %h %h %h %h", sum_valid, sums, out_valid, out_last, fired, membrane);'


def column_verilog(
    parallelism: int = 16, datapath: str = "tree", *, lanes: int = 4, depth: int = 4096
) -> str:
    """Module ``firefly_column``: array and membrane unit of a released layer, with the registers of the
    clocked model.

    Args:
        parallelism: P, 16 or 32.
        datapath: "cascade" or "tree".
        lanes: output channels; 4 is one column of processing elements, P the whole array
            (winner-takes-all needs all lanes).
        depth: pixels of the psum-membrane buffer.

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> column_verilog(16, "cascade").count("module firefly_")
        4
    """
    from lampyris import _native

    return _native.firefly.column_verilog(
        operator.index(parallelism), datapath, operator.index(lanes), operator.index(depth)
    )


@dataclass(frozen=True)
class ColumnVectors:
    """Stimulus of an array and its registers, cycle by cycle; what is not valid is 0.

    ``windows`` uint32 [cycles, 9], ``valid``, ``load`` (weight tile or -1) [cycles]; behind the adder
    tree ``sum_valid`` [cycles], ``sums`` [cycles, P]; behind the membrane unit ``done``, ``last``, ``fired``
    (bit l is lane l) [cycles], ``membrane`` [cycles, P]. ``weights`` int8 [tiles, 9 P, P], ``bias`` [P].
    """

    parallelism: int
    datapath: str
    threshold: int
    leak: str
    winner_takes_all: bool
    pixels: int
    steps: int
    windows: np.ndarray
    valid: np.ndarray
    load: np.ndarray
    sum_valid: np.ndarray
    sums: np.ndarray
    done: np.ndarray
    last: np.ndarray
    fired: np.ndarray
    membrane: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def __len__(self) -> int:
        return len(self.valid)


def column_vectors(
    weight: np.ndarray,
    bias: np.ndarray,
    spikes: np.ndarray,
    threshold: int,
    *,
    leak: str = "none",
    winner_takes_all: bool = False,
    parallelism: int = 16,
    datapath: str = "tree",
) -> ColumnVectors:
    """Runs a 3 x 3 layer on the clocked model and keeps every cycle from the first window on.

    Args:
        weight: int8 [Co, Ci, 3, 3], Co <= P.
        bias: int16 [Co].
        spikes: bool [T, Ci, H, W].
        threshold, leak, winner_takes_all: as ``conv`` and ``linear``.
        parallelism: P, 16 or 32.
        datapath: "cascade" or "tree".

    Raises:
        ValueError: a wrong shape or a value out of range.

    Example:
        >>> ones = np.ones((16, 16, 3, 3), np.int8)
        >>> vectors = column_vectors(ones, np.zeros(16, np.int16), np.ones((1, 16, 2, 2), bool), 5)
        >>> int(vectors.valid.sum()), int(vectors.sums.max())
        (4, 64)
    """
    from lampyris import _native

    weight = integers("column", "weight", weight, np.int8, [None, None, 3, 3])
    if not 1 <= weight.shape[0] <= parallelism:
        raise ValueError(f"column: weight must have 1 to P = {parallelism} outputs, got {weight.shape[0]}")
    bias = integers("column", "bias", bias, np.int16, [weight.shape[0]])
    spikes = np.ascontiguousarray(spikes, bool)
    if spikes.ndim != 4 or 0 in spikes.shape:
        raise ValueError(f"column: spikes must have shape [T, Ci, H, W], got {list(spikes.shape)}")
    arrays = _native.firefly.column_vectors(
        weight, bias, spikes, threshold, leak, winner_takes_all, parallelism, datapath
    )
    # The array idles until the first weight tile is there.
    start = int(np.argmax(arrays["load"] >= 0))
    arrays = {n: a if n in ("weights", "bias") else a[start:] for n, a in arrays.items()}
    pixels = spikes.shape[2] * spikes.shape[3]
    return ColumnVectors(
        parallelism, datapath, threshold, leak, winner_takes_all, pixels, len(spikes), **arrays
    )


def _integer(words: np.ndarray, bits: int) -> int:
    """Word i at bit i * bits, two's complement."""
    mask = (1 << bits) - 1
    return sum((int(word) & mask) << i * bits for i, word in enumerate(words))


def _expected(v: ColumnVectors, n: int, lanes: int) -> list[int | None]:
    """The registers in the order of the bench's line; None where they hold nothing."""
    columns = (1 << v.parallelism // lanes) - 1
    sum_valid, done = bool(v.sum_valid[n]), bool(v.done[n])
    return [
        columns * sum_valid,
        _integer(v.sums[n], 16) if sum_valid else None,
        columns * done,
        columns * int(v.last[n]) if done else None,
        int(v.fired[n]) if done else None,
        _integer(v.membrane[n], 18) if done else None,
    ]


def simulate_column(
    vectors: ColumnVectors,
    folder: str | Path,
    *,
    lanes: int = 4,
    cells: str | Path | None = None,
    repeat: int = 1,
    quiet: bool = False,
) -> list[str]:
    """Runs the emitted Verilog in Icarus Verilog on the stimulus, P / lanes columns side by side.

    Args:
        vectors: the stimulus and what must come out.
        folder: for the sources and the simulation.
        lanes: of a column; P for winner-takes-all.
        cells: file with a simulation model of the vendor's DSP48E1, which then replaces the behavioural
            slices.
        repeat: plays the stimulus so many times (to measure the simulator); only with ``quiet``.
        quiet: prints and compares nothing.

    Returns:
        One line per cycle whose registers differ: "cycle N: REGISTER is X, must be Y".

    Raises:
        FileNotFoundError: no iverilog.
        RuntimeError: the simulator failed.
    """
    if shutil.which("iverilog") is None or shutil.which("vvp") is None:
        raise FileNotFoundError("simulate_column: iverilog and vvp must be installed")
    _write_bench(vectors, Path(folder), lanes, repeat if quiet else 1, quiet)
    vendor = [] if cells is None else ["-DLAMPYRIS_DSP48E1", str(cells)]
    _call(["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", *vendor, "bench.v", "column.v"], folder)
    output = _call(["vvp", "-n", "bench.vvp"], folder).split("\n")
    lines = [line.split() for line in output if line and not line.startswith("end")]
    return [] if quiet else _differences(vectors, lines, lanes)


def _write_bench(v: ColumnVectors, folder: Path, lanes: int, repeat: int, quiet: bool) -> None:
    p = v.parallelism
    lines = []
    for n in range(len(v)):
        word = _integer(v.windows[n], p) | int(v.valid[n]) << 9 * p | int(v.load[n] >= 0) << 9 * p + 1
        lines.append(f"{word:x}")
    (folder / "stimulus.hex").write_text("\n".join(lines * repeat) + "\n")
    tiles = [f"{_integer(v.weights[i].ravel(), 8):x}" for i in v.load[v.load >= 0]]
    (folder / "tiles.hex").write_text("\n".join(tiles * repeat) + "\n")
    passes = int(v.valid.sum()) // (v.pixels * v.steps)
    threshold = f"{'-' if v.threshold < 0 else ''}18'sd{abs(v.threshold)}"
    bench = _BENCH.format(
        p=p,
        lanes=lanes,
        cycles=len(v) * repeat,
        tiles=len(tiles) * repeat,
        last_pixel=v.pixels - 1,
        last_ci=passes - 1,
        last_step=v.steps - 1,
        half_after=int(v.leak == "half_after"),
        every_pass=int(v.leak == "leak_every_pass"),
        winner=int(v.winner_takes_all),
        threshold=threshold,
        bias=f"{16 * p}'h{_integer(v.bias, 16):x}",
        display="" if quiet else _DISPLAY,
    )
    (folder / "bench.v").write_text(bench)
    (folder / "column.v").write_text(column_verilog(p, v.datapath, lanes=lanes, depth=v.pixels))


def _call(command: list[str], folder: str | Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"simulate_column: {command[0]} failed: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def _differences(v: ColumnVectors, lines: list[list[str]], lanes: int) -> list[str]:
    if len(lines) != len(v):
        return [f"cycle {len(lines)}: the simulation ended, must have {len(v)} cycles"]
    names = ("sum_valid", "sums", "out_valid", "out_last", "fired", "membrane")
    found = []
    for n, line in enumerate(lines):
        for name, text, value in zip(names, line, _expected(v, n, lanes), strict=True):
            if value is not None and ("x" in text or int(text, 16) != value):
                found.append(f"cycle {n}: {name} is {text}, must be {value:x}")
    return found
