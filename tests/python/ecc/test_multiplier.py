"""Multipliers of gates: counts of the tables, products, faults, and the same gates in yosys and iverilog."""

from __future__ import annotations

import doctest
import random
import re
import shutil
import subprocess

import pytest

from lampyris import ecc
from lampyris.ecc import multiplier as function

FIELD = (45, 4, 3, 1, 0)
needs_yosys = pytest.mark.skipif(shutil.which("yosys") is None, reason="yosys is not installed")
needs_iverilog = pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")

# Gate equivalents of the first published computation of these designs; ours must not be larger.
KNOWN = [
    (6917, {"sharing": "tree"}),
    (10971, {"form": "isolated"}),
    (21051, {"protection": "tmr"}),
    (9385, {"protection": "bch", "t": 1, "predictor": "lin"}),
    (13620, {"protection": "bch", "t": 1, "predictor": "iso"}),
    (14201, {"protection": "bch", "t": 1, "predictor": "dup"}),
    (17731, {"protection": "bch", "t": 1, "predictor": "iso", "form": "isolated"}),
    (10263, {"protection": "cross", "predictor": "lin"}),
    (13135, {"protection": "cross", "predictor": "iso"}),
    (14126, {"protection": "cross", "predictor": "dup"}),
    (14583, {"protection": "bch", "t": 2, "predictor": "lin"}),
    (15920, {"protection": "bch", "t": 2}),
    (16556, {"protection": "bch", "t": 2, "sharing": "tree"}),
    (17333, {"protection": "bch", "t": 3}),
    (19057, {"protection": "bch", "t": 3, "sharing": "tree"}),
    (22806, {"protection": "bch", "t": 4, "locator": "brs"}),
    (23272, {"protection": "bch", "t": 4}),
    (26074, {"protection": "bch", "t": 4, "sharing": "tree"}),
    (28076, {"protection": "bch", "t": 5}),
    (30878, {"protection": "bch", "t": 5, "sharing": "tree", "locator": "brs"}),
    (31528, {"protection": "bch", "t": 5, "sharing": "tree"}),
]


def test_examples():
    import sys

    assert doctest.testmod(sys.modules[function.__module__]).failed == 0


@pytest.mark.parametrize(("equivalents", "options"), KNOWN)
def test_no_row_is_larger_than_the_known_table(equivalents, options):
    net = ecc.multiplier(polynomial=FIELD, **options)
    assert net.gates.equivalents < equivalents + 0.5
    assert sum(part.total for part in net.parts.values()) == net.gates.total == len(net.gate_list)
    a, b = 0x123456789ABC & (1 << 45) - 1, 0x1FEDCBA98765
    assert net.evaluate(a, b).product == ecc.mod(ecc.multiply(a, b), FIELD)


def test_design_named_in_the_documents():
    net = ecc.multiplier(
        m=45, polynomial=FIELD, protection="bch", t=5, predictor="dup", locator="brs", mode="correct"
    )
    assert net.parity_bits == 35
    assert str(net.depth).startswith("12TA")
    assert net.fast_depth == net.depth
    bypass = ecc.multiplier(m=45, protection="bch", t=3, mode="bypass")
    assert bypass.fast_depth.delay < 0.6 * bypass.depth.delay


def test_multiplier_faults_are_corrected():
    net = ecc.multiplier(m=16, protection="bch", t=5)
    generator = random.Random(1)
    a = [generator.getrandbits(16) for _ in range(70)]
    b = [generator.getrandbits(16) for _ in range(70)]
    want = [ecc.mod(ecc.multiply(x, y), net.polynomial) for x, y in zip(a, b, strict=True)]
    gates = [node for node, op, part in net.gate_list if part == "multiplier" and op == "and"]
    assert net.evaluate(a, b).product == want
    # An AND gate of a two-step multiplier reaches at most 5 outputs of this pentanomial.
    for node in gates[::16]:
        assert net.evaluate(a, b, faults=[(node, "flip")]).product == want


def test_campaigns():
    net = ecc.multiplier(m=8, protection="bch", t=2, mode="detect", predictor="lin")
    for kind in ("flip", "stuck-at-0", "stuck-at-1"):
        campaign = net.campaign(kind, products=200)
        assert campaign.outcomes.shape == (net.gates.total, 5)
        assert (campaign.outcomes[:, [0, 1, 2, 4]].sum(1) == 200).all()
        assert campaign.survives and campaign.fraction("silent") == 0
    plain = ecc.multiplier(m=8).campaign("flip", products=100)
    assert plain.vulnerable == len(plain.outcomes) and plain.fraction("silent") == 1
    pairs = net.campaign("mixed", gates=2, sets=50, products=100, seed=3)
    assert pairs.nodes.shape == (50, 2)
    again = net.campaign("mixed", gates=2, sets=50, products=100, seed=3)
    assert (pairs.outcomes == again.outcomes).all()


def test_bad_input():
    with pytest.raises(ValueError, match="polynomial must be irreducible, got x\\^4 \\+ x\\^2 \\+ 1"):
        ecc.multiplier(polynomial=(4, 2, 0))
    with pytest.raises(ValueError, match="polynomial must have degree m = 5, got 4"):
        ecc.multiplier(m=5, polynomial=(4, 1, 0))
    with pytest.raises(ValueError, match=r"m must lie in 2\.\.1024, got 1"):
        ecc.multiplier(m=1)
    with pytest.raises(ValueError, match="m or polynomial must be given, got neither"):
        ecc.multiplier()
    with pytest.raises(ValueError, match='predictor must be one of dup, lin, iso, got "both"'):
        ecc.multiplier(m=4, predictor="both")
    with pytest.raises(ValueError, match=r"t must lie in 1\.\.5, got 6"):
        ecc.multiplier(m=4, protection="bch", t=6)
    with pytest.raises(ValueError, match="mode must be detect"):
        ecc.multiplier(m=4, protection="duplicate")
    net = ecc.multiplier(m=4)
    with pytest.raises(ValueError, match="a must have at most 4 bits, got 5"):
        net.evaluate(16, 1)
    with pytest.raises(ValueError, match="a and b must be as many, got 1 and 2"):
        net.evaluate([1], [1, 2])
    with pytest.raises(ValueError, match="fault must be one of stuck-at-0, stuck-at-1, flip"):
        net.evaluate(1, 1, faults=[(12, "open")])
    with pytest.raises(ValueError, match="name must be an identifier"):
        net.to_verilog("a b")
    with pytest.raises(ValueError, match="sets must be given"):
        net.campaign("flip", gates=2)


def yosys(script: str, folder) -> str:
    run = subprocess.run(
        ["yosys", "-Q", "-p", script], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    return run.stdout


def behaviour(m: int, exponents: tuple[int, ...]) -> str:
    """Shift and add, reduced after every step."""
    low = sum(1 << e for e in exponents if e < m)
    return (
        f"module gold(input [{m - 1}:0] a, input [{m - 1}:0] b, output reg [{m - 1}:0] c);\n"
        f"  integer i;\n  always @* begin\n    c = 0;\n    for (i = {m - 1}; i >= 0; i = i - 1) begin\n"
        f"      c = {{c[{m - 2}:0], 1'b0}} ^ (c[{m - 1}] ? {m}'d{low} : {m}'d0);\n"
        f"      if (b[i]) c = c ^ a;\n    end\n  end\nendmodule\n"
    )


@needs_yosys
@pytest.mark.parametrize("form", ["two-step", "mastrovito", "isolated"])
@pytest.mark.parametrize("exponents", [(4, 1, 0), (6, 1, 0)])
def test_yosys_proves_small_multipliers(form, exponents, tmp_path):
    m = exponents[0]
    net = ecc.multiplier(polynomial=exponents, form=form)
    (tmp_path / "gold.v").write_text(behaviour(m, exponents))
    (tmp_path / "gate.v").write_text(net.to_verilog("gate"))
    (tmp_path / "gate.blif").write_text(net.to_blif("blif"))
    prove = "sat -verify -prove trigger 0 m_{0}; "
    text = yosys(
        "read_verilog gold.v gate.v; proc; flatten; opt_clean; "
        "miter -equiv -flatten gold gate m_verilog; " + prove.format("verilog") + "design -reset; "
        "read_verilog gate.v; read_blif -wideports gate.blif; "
        "miter -equiv -flatten gate blif m_blif; " + prove.format("blif"),
        tmp_path,
    )
    assert text.count("SAT proof finished - no model found: SUCCESS!") == 2


@needs_yosys
def test_yosys_proves_a_protected_multiplier(tmp_path):
    net = ecc.multiplier(polynomial=(5, 2, 0), protection="bch", t=3)
    (tmp_path / "gold.v").write_text(behaviour(5, (5, 2, 0)))
    (tmp_path / "gate.v").write_text(net.to_verilog("gate"))
    text = yosys(
        "read_verilog gold.v gate.v; proc; flatten; opt_clean; miter -equiv -flatten gold gate m; "
        "sat -verify -prove trigger 0 m",
        tmp_path,
    )
    assert "SUCCESS!" in text


@needs_yosys
def test_yosys_counts_the_same_gates(tmp_path):
    net = ecc.multiplier(polynomial=FIELD, protection="bch", t=3)
    (tmp_path / "gate.v").write_text(net.to_verilog("gate"))
    text = yosys("read_verilog gate.v; stat", tmp_path)
    counted = {kind: int(n) for kind, n in re.findall(r"\$(and|xor|or|not)\s+(\d+)", text)}
    gates = net.gates
    assert counted == {"and": gates.ands, "xor": gates.xors, "or": gates.ors, "not": gates.nots}


@needs_iverilog
@pytest.mark.parametrize("options", [{"t": 5, "locator": "brs"}, {"t": 2, "mode": "verify"}])
def test_iverilog_simulates_the_same_netlist(options, tmp_path):
    net = ecc.multiplier(polynomial=FIELD, protection="bch", **options)
    generator = random.Random(2)
    a, b = [[generator.getrandbits(45) for _ in range(20)] for _ in range(2)]
    want = net.evaluate(a, b)
    flag = ", .error(e)" if options.get("mode") else ""
    vectors = "\n".join(
        f"    a = 45'd{x}; b = 45'd{y}; #1 $display(\"%0d\", c);" for x, y in zip(a, b, strict=True)
    )
    (tmp_path / "bench.v").write_text(
        net.to_verilog("gate")
        + f"module bench;\n  reg [44:0] a, b; wire [44:0] c; wire e;\n  gate g(.a(a), .b(b), .c(c){flag});\n"
        f"  initial begin\n{vectors}\n  end\nendmodule\n"
    )
    subprocess.run(
        ["iverilog", "-o", "bench", "-s", "bench", "bench.v"], cwd=tmp_path, check=True, timeout=60
    )
    run = subprocess.run(
        ["vvp", "bench"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert [int(line) for line in run.stdout.split()] == want.product
