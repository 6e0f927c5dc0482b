// An array of 9 P x P synapses, register by register: fabric registers, operand skew, A:B, C and
// OPMODE registers, P registers, adder tree. All lanes of a register move at once, so a clock is a
// few hundred vector instructions. Equal to the slices of dsp_slice.h (tests).
#pragma once

#include <array>
#include <cstdint>

#include "firefly/array_shape.h"

namespace lampyris::firefly {

// What the line buffer and the weight path offer to the array in one clock.
struct ArrayInput {
  std::array<uint32_t, kTaps> taps{};  // P spikes each, input channel i is bit i
  bool valid = false;
  // Weights taken with this window, [tap][ip][op]; nullptr keeps the held ones. They must stay in
  // place while the skewed slices take them, kChainLength clocks.
  const int8_t* load = nullptr;
};

class ClockedArray {
 public:
  // `taps` of a weight tile: 9, or 1 for the centre alone. `sum_bits`: width of a tile sum.
  ClockedArray(Datapath datapath, int parallelism, int taps, int sum_bits);

  const ArrayShape& shape() const { return shape_; }

  void clock(const ArrayInput& input);

  // The registers at the end of the tree: P sums of the window taken latency() clocks ago.
  bool valid() const { return valid_ >> (shape_.latency() - 1) & 1; }
  const int32_t* sums() const { return sums_.data(); }
  // Windows that have not reached sums() yet.
  int in_flight() const;

 private:
  friend struct ArrayClock;
  static constexpr int kMostInputs = kTaps * kMostLanes;
  static constexpr int kMostSums = 72;  // words of all levels but the last: 48 + 16 + 6 + 2
  static constexpr int kHistory = kChainLength + 2;

  Datapath datapath_;
  int parallelism_, taps_, sum_bits_;
  ArrayShape shape_;
  uint64_t valid_ = 0;
  // [0] is the fabric register, [k] the operand skew before slice k; the OPMODE register of slice k
  // holds the spikes of [k + 1].
  std::array<ArrayInput, kHistory> history_{};
  int newest_ = 0;
  // Lanes of 12 bits sit in the upper part of 16, so they wrap by themselves.
  // Weights on A:B and C, [input][op]; P registers, [slice][op].
  alignas(64) std::array<int16_t, kMostInputs * kMostLanes> weights_{};
  alignas(64) std::array<int16_t, kMostInputs / 2 * kMostLanes> products_{};
  alignas(64) std::array<int16_t, kMostSums * kMostLanes> levels_{};
  alignas(64) std::array<int32_t, kMostLanes> sums_{};
};

}  // namespace lampyris::firefly
