"""The page decoder in Verilog, simulated against the C++ decoder."""

from __future__ import annotations

import doctest
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest

from lampyris import ecc

needs_iverilog = pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")
STATUS = ("clean", "corrected", "uncorrectable")

BENCH = """
module bench;
  reg clk = 0, reset = 1, in_valid = 0, out_ready = 0;
  wire in_ready, out_valid;
  reg [63:0] in_data, check;
  wire [63:0] out_data;
  wire [1:0] status;
  wire [4:0] count;
  row dut(.clk(clk), .reset(reset), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data),
          .check(check), .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data),
          .status(status), .count(count));
  always #1 clk = ~clk;
  reg [63:0] memory [0:PAGES*(WORDS+1)-1];
  integer page, word, ticks;
  initial begin
    $readmemh("pages.hex", memory);
    @(negedge clk); @(negedge clk); reset = 0;
    for (page = 0; page < PAGES; page = page + 1) begin
      ticks = 0;
      for (word = 0; word < WORDS; word = word + 1) begin
        in_valid = 1; in_data = memory[page*(WORDS+1)+word]; check = memory[page*(WORDS+1)+WORDS];
        @(negedge clk);
        if (word % 5 == 3) begin in_valid = 0; @(negedge clk); end
      end
      in_valid = 0;
      while (!out_valid) begin @(negedge clk); ticks = ticks + 1; end
      $display("page %0d %0d %0d", status, count, ticks);
      for (word = 0; word < WORDS; word = word + 1) begin
        out_ready = 0;
        if (word % 7 == 2) @(negedge clk);
        out_ready = 1; #0 $display("%h", out_data);
        @(negedge clk);
      end
      out_ready = 0;
    end
    $finish;
  end
endmodule
"""


def simulate(
    code: ecc.BchCode, pages: list[tuple[bytes, bytes]], folder
) -> list[tuple[str, int, int, bytes]]:
    words = code.data_bits // 64
    bench = BENCH.replace("PAGES", str(len(pages))).replace("WORDS", str(words))
    (folder / "row.v").write_text(ecc.page_decoder(code, "row") + bench)
    lines = []
    for data, parity in pages:
        stream = data + parity.ljust(8, b"\0")
        lines += [stream[i : i + 8][::-1].hex() for i in range(0, len(stream), 8)]
    (folder / "pages.hex").write_text("\n".join(lines) + "\n")
    subprocess.run(["iverilog", "-g2005", "-o", "bench", "-s", "bench", "row.v"], cwd=folder, check=True)
    run = subprocess.run(
        ["vvp", "-n", "bench"], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
    found, lines = [], run.stdout.split("\n")
    for p in range(len(pages)):
        _, status, count, ticks = lines[p * (words + 1)].split()
        data = b"".join(bytes.fromhex(x)[::-1] for x in lines[p * (words + 1) + 1 : (p + 1) * (words + 1)])
        found.append((STATUS[int(status)], int(count), int(ticks), data))
    return found


def broken_pages(code: ecc.BchCode, errors: list[int], seed: int) -> list[tuple[bytes, bytes]]:
    generator = random.Random(seed)
    pages = []
    for count in errors:
        data = bytearray(generator.randbytes(code.data_bits // 8))
        parity = bytearray(bytes(code.encode(np.frombuffer(bytes(data), np.uint8))))
        for place in generator.sample(range(code.data_bits + code.parity_bits), count):
            if place < code.data_bits:
                data[place // 8] ^= 1 << place % 8
            else:
                parity[(place - code.data_bits) // 8] ^= 1 << (place - code.data_bits) % 8
        pages.append((bytes(data), bytes(parity)))
    return pages


def flip(text: bytes, *places: int) -> bytes:
    return bytes(byte ^ sum(1 << p % 8 for p in places if p // 8 == i) for i, byte in enumerate(text))


def agree(code: ecc.BchCode, pages: list[tuple[bytes, bytes]], folder) -> list[tuple[str, int]]:
    simulated = simulate(code, pages, folder)
    for (data, parity), (status, count, _, out) in zip(pages, simulated, strict=True):
        want = code.decode(np.frombuffer(data, np.uint8).copy(), np.frombuffer(parity, np.uint8).copy())
        assert (status, count) == (want.status, want.count if want.status == "corrected" else 0)
        assert out == bytes(want.data)
    return [(status, count) for status, count, _, _ in simulated]


def test_examples():
    assert doctest.testmod(sys.modules[ecc.page_decoder.__module__]).failed == 0


@needs_iverilog
def test_row_preset_equals_the_decoder(tmp_path):
    code = ecc.BchCode(data_bits=2048, t=5, extended=True, m=12, primitive=0x1053)
    errors = [0, 1, 2, 3, 4, 5, 6, 0, 5, 7, 4, 5, 3, 12]
    pages = broken_pages(code, errors, seed=1)
    # Errors in the parity alone, in the overall bit alone, and in it beside four and five others.
    data, parity = broken_pages(code, [0], seed=2)[0]
    pages += [
        (data, flip(parity, 0, 17, 59)),
        (data, flip(parity, 60)),
        (flip(data, 0, 63, 64, 2047), flip(parity, 60)),
        (flip(data, 0, 63, 64, 2047, 1000), flip(parity, 60)),
    ]
    found = agree(code, pages, tmp_path)
    assert found[: len(errors)][:6] == [("clean", 0), *[("corrected", n) for n in range(1, 6)]]
    assert found[6][0] == "uncorrectable"
    assert found[-4:] == [("corrected", 3), ("corrected", 1), ("corrected", 5), ("uncorrectable", 0)]


@needs_iverilog
@pytest.mark.parametrize(
    "parameters", [{"data_bits": 512, "t": 3, "extended": True}, {"data_bits": 128, "t": 2}]
)
def test_other_codes_beyond_t(parameters, tmp_path):
    code = ecc.BchCode(**parameters)
    t = parameters["t"]
    errors = [*range(t + 1)] * 3 + [t + 1, t + 2, t + 3] * 12
    found = agree(code, broken_pages(code, errors, seed=3), tmp_path)
    if parameters.get("extended"):
        assert all(s == "uncorrectable" for (s, _), n in zip(found, errors, strict=True) if n == t + 1)


@needs_iverilog
def test_padding_of_the_check_word_is_refused(tmp_path):
    code = ecc.BchCode(data_bits=2048, t=5, extended=True)
    data, parity = broken_pages(code, [0], seed=4)[0]
    status, count, _, out = simulate(code, [(data, parity[:7] + bytes([parity[7] | 0x80]))], tmp_path)[0]
    assert (status, count, out) == ("uncorrectable", 0, data)


def test_bad_input():
    with pytest.raises(ValueError, match="data_bits must be a multiple of 64 and at least 128, got 100"):
        ecc.page_decoder(ecc.BchCode(data_bits=100, t=2))
    with pytest.raises(ValueError, match="parity bits must be at most 63, got 65"):
        ecc.page_decoder(ecc.BchCode(data_bits=4096, t=5))
    with pytest.raises(ValueError, match=r"t must lie in 2\.\.7, got 1"):
        ecc.page_decoder(ecc.BchCode(data_bits=128, t=1))
    with pytest.raises(ValueError, match="name must be an identifier"):
        ecc.page_decoder(ecc.BchCode(data_bits=128, t=2), "page decoder")
