"""Steps of groups, stems and readers, computed by hand from contract section 2."""

from __future__ import annotations

import pytest

from lampyris.compress.steps import (
    floor_log2,
    group_step,
    layer_shift,
    reader_threshold,
    stem_shift,
    stem_theta,
)


def test_one_convolution_has_no_shift():
    # floor(127.5 * 0.5 / 0.3) = floor(212.5) = 212
    assert group_step(0.5, {"a": 0.3}).theta == 212
    assert group_step(0.5, {"a": 0.3}).span == 0
    assert group_step(0.5, {"a": 0.3, "zero": 0.0}).span == 0


@pytest.mark.parametrize(
    "maxima, span, theta, shifts",
    [
        ({"a": 0.5, "b": 0.5}, 0, 127, [0, 0]),  # 127.5 * 0.5 / 0.5
        ({"a": 0.5, "b": 0.2505}, 0, 127, [0, 0]),  # ratio just below 2
        ({"a": 0.5, "b": 0.25}, 1, 255, [1, 0]),  # 2 * 127.5
        ({"a": 1.0, "b": 0.25}, 2, 255, [2, 0]),  # 4 * 127.5 * 0.5 / 1.0
        ({"a": 1.0, "b": 0.5, "c": 0.125}, 3, 510, [3, 2, 0]),
        ({"a": 2.0, "b": 0.01}, 4, 510, [4, 0]),  # S stops at 4
    ],
)
def test_left_shifts(maxima, span, theta, shifts):
    step = group_step(0.5, maxima)
    assert (step.theta, step.span, step.bound) == (theta, span, "weights")
    assert [layer_shift(m, theta, 0.5, span) for m in maxima.values()] == shifts


def test_a_weight_at_the_tie_keeps_the_smaller_shift():
    # m Theta / V_th = 0.25 * 255 / 0.5 = 127.5 exactly
    assert layer_shift(0.25, 255, 0.5, 1) == 0
    assert layer_shift(0.2501, 255, 0.5, 1) == 1


def test_bias_and_stream_bounds():
    # bias: floor(32767 * 0.5 / 200) = floor(81.9); stream: floor(16383 * 0.5 / 120) = floor(68.3)
    step = group_step(0.5, {"a": 0.3}, bias=200.0)
    assert (step.theta, step.bound) == (81, "bias")
    step = group_step(0.5, {"a": 0.3}, bias=200.0, stream=120.0)
    assert (step.theta, step.bound) == (68, "stream")
    assert group_step(0.5, {"a": 0.0}).theta == 131071
    assert group_step(0.5, {"a": 0.0}).bound == "limit"
    assert group_step(0.5, {"a": 100.0}).theta == 0


def test_stem_inside_a_group_enters_only_the_maximum():
    # stem smaller than the convolution: Theta from the convolution, S from the convolutions
    assert group_step(0.5, {"a": 0.5, "b": 0.25}, stem=0.3).theta == 255
    # stem is the maximum: S = 0, Theta = floor(127.5 * 0.5 / 1.0) = 63
    step = group_step(0.5, {"a": 0.5, "b": 0.125}, stem=1.0)
    assert (step.theta, step.span) == (63, 0)
    # then its own shift is 0: log2(127.5 * (0.5 / 63) * 2^8 / 256) = log2(1.01)
    assert stem_shift(256.0, 63, 0.5, 8) == 0


def test_stem_alone():
    assert stem_theta(0.5, 0.0, 0.0, 8) == 256
    assert stem_theta(0.5, 31.99, 0.5, 8) == 256  # 16383 * 0.5 / 31.99 = 256.06
    assert stem_theta(0.5, 32.0, 0.5, 8) == 128  # 255.98
    assert stem_theta(0.5, 1e9, 0.5, 8) == 0
    # counts: 127.5 * 0.5 / Theta / 0.6 >= 1 first at Theta = 64 (1.66)
    assert stem_theta(0.5, 1.0, 0.6, 0) == 64
    # 127.5 * (0.5 / 256) * 256 / 0.4 = 159.4 -> 7;  / 0.25 = 255 -> 7;  / 0.2490 = 256.02 -> 8
    assert stem_shift(0.4, 256, 0.5, 8) == 7
    assert stem_shift(0.25, 256, 0.5, 8) == 7
    assert stem_shift(0.2490, 256, 0.5, 8) == 8
    assert stem_shift(0.4, 256, 0.5, 0) == -1
    assert stem_shift(0.0, 256, 0.5, 8) == 0


def test_reader_thresholds_floor():
    assert reader_threshold(0.5, 96, 0.5) == 96
    assert reader_threshold(0.3, 7, 0.3) == 7  # not 6: 0.3 * 7 / 0.3 rounds below 7 in float64
    assert reader_threshold(0.7, 96, 0.5) == 134  # 134.4
    assert reader_threshold(1.0, 131, 0.4) == 327  # 327.5


def test_floor_log2():
    assert [floor_log2(x) for x in (1.0, 1.999, 2.0, 0.5, 0.4999)] == [0, 0, 1, -1, -2]
