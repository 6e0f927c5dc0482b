"""The C++ slice against the DSP48E1 simulation model that yosys ships (it has no W multiplexer: the
released Y form; a C++ property test ties the paper's W form to it)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lampyris import _native

CELLS = Path("/usr/share/yosys/xilinx/cells_sim.v")
LENGTH = 8
VECTORS = 10500

pytestmark = [
    pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed"),
    pytest.mark.skipif(not CELLS.exists(), reason=f"yosys is not installed: no {CELLS}"),
]

BENCH = """
module bench;
  localparam N = {n}, S = {slices};
  // A slice: reset, enable (A:B, C, control, P), opmode, pcin, c, b, a
  localparam WIDTH = 4 + 4 + 7 + 48 + 48 + 18 + 30;
  reg clk = 0;
  reg [S*WIDTH-1:0] vectors [0:N-1];
  reg [S*WIDTH-1:0] now = 0;
  wire [48*S-1:0] p;
  genvar k;
  generate
    for (k = 0; k < S; k = k + 1) begin : slice
      wire [WIDTH-1:0] w = now[WIDTH*k +: WIDTH];
      wire [3:0] reset = w[WIDTH-1 -: 4];
      wire [3:0] enable = w[WIDTH-5 -: 4];
      wire [47:0] pcin;
      if (k == 0) assign pcin = w[143:96];
      else assign pcin = p[48*(k-1) +: 48];
      DSP48E1 #(.USE_MULT("NONE"), .USE_SIMD("{simd}"), .MREG(0)) dsp (
          .CLK(clk), .A(w[29:0]), .B(w[47:30]), .C(w[95:48]), .PCIN(pcin), .P(p[48*k +: 48]),
          .OPMODE(w[150:144]), .ALUMODE(4'b0), .INMODE(5'b10001), .D(25'b0), .ACIN(30'b0), .BCIN(18'b0),
          .CARRYCASCIN(1'b0), .CARRYIN(1'b0), .CARRYINSEL(3'b0), .MULTSIGNIN(1'b0), .CEA1(1'b0),
          .CEA2(enable[0]), .CEB1(1'b0), .CEB2(enable[0]), .CEC(enable[1]), .CECTRL(enable[2]),
          .CEP(enable[3]), .CEAD(1'b0), .CEALUMODE(1'b1), .CECARRYIN(1'b1), .CED(1'b0), .CEINMODE(1'b1),
          .CEM(1'b0), .RSTA(reset[0]), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTB(reset[0]),
          .RSTC(reset[1]), .RSTCTRL(reset[2]), .RSTD(1'b0), .RSTINMODE(1'b0), .RSTM(1'b0),
          .RSTP(reset[3]));
    end
  endgenerate
  integer n;
  initial begin
    $readmemh("vectors.hex", vectors);
    for (n = 0; n < N; n = n + 1) begin
      now = vectors[n];
      #1 clk = 1;
      #1 clk = 0;
      $display("%h", p);
    end
    $finish;
  end
endmodule
"""


def word(ports: np.ndarray) -> int:
    """The bench's word of one slice from a, b, c, pcin, opmode, enables, resets."""
    a, b, c, pcin, opmode, enable, reset = (int(value) for value in ports)
    return a | b << 30 | c << 48 | pcin << 96 | opmode << 144 | enable << 151 | reset << 155


def simulate(ports: np.ndarray, simd: str, folder: Path) -> np.ndarray:
    """P of every slice behind every edge, uint64 [n, slices]; ``ports`` [n, slices, 7]."""
    n, slices = ports.shape[:2]
    lines = [f"{sum(word(s) << 159 * k for k, s in enumerate(row)):x}" for row in ports]
    (folder / "vectors.hex").write_text("\n".join(lines) + "\n")
    (folder / "bench.v").write_text(BENCH.format(n=n, slices=slices, simd=simd))
    command = ["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", str(CELLS)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    run = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=folder, check=True, capture_output=True, text=True)
    rows = [line for line in run.stdout.split("\n") if line and "$finish" not in line]
    mask = (1 << 48) - 1
    return np.array([[int(r, 16) >> 48 * k & mask for k in range(slices)] for r in rows], np.uint64)


def join(weights: np.ndarray) -> np.ndarray:
    """[..., 4] int8 to 48 bits: sign-extended to 12 bits, weight 0 lowest."""
    lanes = weights.astype(np.int64) & 0xFFF
    return (lanes << np.arange(4) * 12).sum(-1)


def late(values: np.ndarray, k: int) -> np.ndarray:
    return np.concatenate([np.zeros_like(values[:k]), values[: len(values) - k]])


def chain_case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spikes, weights, loads: random, with stretches of all -128, all 127 and every spike set."""
    rng = np.random.default_rng(7)
    spikes = rng.integers(0, 1 << 16, VECTORS).astype(np.uint32)
    weights = rng.integers(-128, 128, (VECTORS, LENGTH, 2, 4)).astype(np.int8)
    weights[1000:1400], weights[1400:1800] = -128, 127
    weights[2000:3000] = rng.choice([-128, 127], (1000, LENGTH, 2, 4))
    spikes[1000:1200] = spikes[1400:1600] = spikes[2500:3000] = 0xFFFF
    load = rng.random(VECTORS) < 0.2
    load[:1] = load[1000:1001] = load[1400:1401] = load[2500:3000] = True
    return spikes, weights, load


def test_chain_of_eight(tmp_path):
    spikes, weights, load = chain_case()
    ports = np.zeros((VECTORS, LENGTH, 7), np.int64)
    for k in range(LENGTH):
        first, second = spikes >> 2 * k & 1, spikes >> 2 * k + 1 & 1
        ab, c = join(weights[:, k, 0]), join(weights[:, k, 1])
        opmode = first * 0b11 | second * 0b1100 | (0b0010000 if k else 0)
        held = load * 0b0011 | 0b1100
        for column, values in enumerate((ab >> 18, ab & 0x3FFFF, c, 0 * ab, opmode, held, 0 * ab)):
            ports[:, k, column] = late(values.astype(np.int64), k)
        ports[:k, k, 5] = 0b1100  # nothing loaded yet
    expected = _native.firefly.dsp_chain("y", spikes, weights, load)
    got = simulate(ports, "FOUR12", tmp_path)
    # Before the skew has filled, a slice of the bench takes its neighbour through PCIN alone.
    np.testing.assert_array_equal(got[LENGTH + 1 :], expected[LENGTH + 1 :])
    lanes = expected[:, -1, None] >> np.arange(4, dtype=np.uint64) * np.uint64(12) & np.uint64(0xFFF)
    sums = ((lanes.astype(np.int64) + 2048) % 4096) - 2048
    assert sums.min() == -2048 and sums.max() == 2032
    np.testing.assert_array_equal(_native.firefly.dsp_chain("w", spikes, weights, load), expected)


@pytest.mark.parametrize("simd", ["FOUR12", "TWO24", "ONE48"])
def test_single_slice(simd, tmp_path):
    """All multiplexers, clock enables and resets; sums of four full words."""
    rng, n = np.random.default_rng(3), 4000
    extremes = np.array([0, 1, (1 << 48) - 1, 1 << 47, (1 << 47) - 1, 0x800800800800, 0x7FF7FF7FF7FF])
    words = rng.integers(0, 1 << 48, (n, 3))
    words = np.where(rng.random((n, 3)) < 0.3, rng.choice(extremes, (n, 3)), words)
    x, y = rng.choice([0, 2, 3], n), rng.choice([0, 2, 3], n)
    z = rng.choice([0, 1, 2, 3, 5, 6], n)
    ports = np.stack(
        [
            words[:, 0] >> 18,
            words[:, 0] & 0x3FFFF,
            words[:, 1],
            words[:, 2],
            x | y << 2 | z << 4,
            rng.integers(0, 16, n) | rng.integers(0, 16, n),
            np.where(rng.random(n) < 0.1, rng.integers(0, 16, n), 0),
        ],
        1,
    )
    expected = _native.firefly.dsp_slice(simd, ports.astype(np.uint64))
    np.testing.assert_array_equal(simulate(ports[:, None], simd, tmp_path)[:, 0], expected)
