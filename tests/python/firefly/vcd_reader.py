"""A small reader of value change dump files (IEEE 1364 section 18), strict about their structure."""

from __future__ import annotations

import re

import numpy as np


def read_vcd(text):
    """(scopes, {signal: bits}, [(time, {signal: value or None})]): full state after every time stamp."""
    head, _, body = text.partition("$enddefinitions $end\n")
    assert body, "no end of definitions"
    scopes = re.findall(r"^\$scope module (\S+) \$end$", head, re.M)
    assert head.count("$upscope $end") == len(scopes)
    assert re.search(r"^\$timescale 1 ps \$end$", head, re.M)
    names, bits = {}, {}
    for width, code, name, high in re.findall(
        r"^\$var wire (\d+) (\S+) (\S+)(?: \[(\d+):0\])? \$end$", head, re.M
    ):
        assert code not in names and name not in bits
        assert not high or int(high) == int(width) - 1
        names[code], bits[name] = name, int(width)
    assert head.count("$var") == len(names)
    state, frames, time = dict.fromkeys(bits), [], None
    for line in body.splitlines():
        if line.startswith("$"):
            assert line in ("$dumpvars", "$end") and time is None
        elif line.startswith("#"):
            assert time is None or int(line[1:]) > time
            if time is not None:
                frames.append((time, dict(state)))
            time = int(line[1:])
        else:
            value, code = line[1:].split(" ") if line[0] == "b" else (line[0], line[1:])
            assert names[code] in bits and len(value) <= bits[names[code]]
            state[names[code]] = None if value == "x" else int(value, 2)
    return scopes, bits, frames


def lanes(state, name, count, bits):
    """Signed values of `name`_00 .. of one state."""
    values = np.array([state[f"{name}_{lane:02}"] for lane in range(count)], np.int64)
    return np.where(values >> (bits - 1) & 1, values - (1 << bits), values)


def clocks(frames):
    """States at the rising edges of clk."""
    return [
        state
        for (_, before), (_, state) in zip([(0, {"clk": 0}), *frames], frames, strict=False)
        if state["clk"] == 1 and before["clk"] != 1
    ]
