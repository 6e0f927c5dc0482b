"""Comparison: counts, the order of "first", missing values, shapes."""

from __future__ import annotations

import numpy as np
import pytest

from lampyris.deploy.compare import compare_arrays, compare_counters
from lampyris.deploy.verify_report import VerifyReport, signed_bits


def test_equal_arrays():
    x = np.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)
    result = compare_arrays("a", "stream", {"reference": x, "device": x.copy()}, 16)
    assert (result.values, result.differing, result.first) == (x.size, 0, None)


def test_one_step_stands_for_all():
    x = np.ones((1, 1, 2, 2, 2), int)
    full = np.ones((4, 1, 2, 2, 2), int)
    full[3, 0, 1, 0, 1] = 5
    result = compare_arrays("a", "stream", {"reference": x, "device": full}, 16)
    assert (result.values, result.differing) == (32, 1)
    assert result.first.values == {"reference": 1, "device": 5}
    assert (result.first.time_step, result.first.pixel, result.first.channel) == (3, (0, 1), 1)


def test_first_is_by_image_step_tile_pixel_channel():
    a = np.zeros((3, 2, 40, 4, 4), int)
    b = a.copy()
    for place in [(0, 1, 0, 0, 0), (2, 0, 0, 0, 0), (1, 0, 17, 0, 0), (1, 0, 3, 2, 1), (1, 0, 2, 2, 1)]:
        b[place] = 1
    first = compare_arrays("l", "spikes", {"x": a, "y": b}, 16, first_image=10).first
    assert (first.image, first.time_step, first.tile, first.pixel, first.channel) == (10, 1, 0, (2, 1), 2)
    b[1, 0, :16] = 0
    assert compare_arrays("l", "spikes", {"x": a, "y": b}, 16).first.tile == 1
    assert (
        str(compare_arrays("l", "spikes", {"x": a, "y": b}, 16).first)
        == "l: spikes differs at image 0, t 1, tile 1, pixel (y, x) (0, 0), channel 17: x 0, y 1"
    )


def test_third_implementation_counts():
    a = np.zeros((1, 1, 1, 1, 1), int)
    result = compare_arrays("l", "stream", {"forward": a, "reference": a, "device": a + 1}, 16)
    assert result.differing == 1
    assert result.first.values == {"forward": 0, "reference": 0, "device": 1}


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="stream of l must have one shape"):
        compare_arrays("l", "stream", {"a": np.zeros((2, 1, 3, 2, 2)), "b": np.zeros((2, 1, 4, 2, 2))}, 16)


def test_counters():
    assert compare_counters("l", "clamped", {"a": 3, "b": 3}).first is None
    assert compare_counters("l", "clamped", {"a": 3, "b": 4}).first.values == {"a": 3, "b": 4}


def test_report_without_values_is_not_ok():
    report = VerifyReport("ems", 4, 16)
    assert not report.ok
    with pytest.raises(ValueError, match="0 differences of 0 values"):
        report.raise_if_different()


def test_signed_bits():
    ranges = [(0, 0), (-1, 0), (0, 1), (-2, 1), (-32768, 32767), (0, 32768), (-32769, 0)]
    assert [signed_bits(*limits) for limits in ranges] == [1, 1, 2, 2, 16, 17, 17]
