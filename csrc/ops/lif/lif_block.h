// A block of kLifBlock neurons is worked off four steps at a time: membrane and constants in L1, a
// vector of neurons in registers over the four steps. Lanes of kLifLane that are not whole in memory
// go through a small scratch. (Rows of 16 KiB at a time let one prefetch serve a whole block; with
// all of T innermost, rows that lie a power of two apart evict each other from L1 and L2.)
#pragma once

#include <algorithm>

#include "ops/lif/lif.h"

namespace lampyris {

inline constexpr int64_t kLifLane = 64;

template <typename T>
LAMPYRIS_INLINE void load_block(T* block, const T* values, int64_t first, int64_t count) {
  if (values == nullptr) {
    std::fill_n(block, kLifBlock, T(0));
    return;
  }
  std::copy_n(values + first, count, block);
  std::fill_n(block + count, kLifBlock - count, T(0));
}

// A parameter over the block; one lane that repeats (stride 0) when it is a single value.
template <typename T>
struct ParameterBlock {
  alignas(64) T values[kLifBlock];
  int64_t stride;

  LAMPYRIS_INLINE void load(const NeuronParameter<T>& p, int64_t first, int64_t count) {
    stride = p.values == nullptr || p.count == 1 ? 0 : 1;
    if (stride == 0) {
      std::fill_n(values, kLifLane, p.at(0));
      return;
    }
    for (int64_t done = 0; done < count;) {
      const int64_t n = first + done;
      const int64_t channel = (n / p.inner) % p.count;
      const int64_t left = p.inner == 1 ? p.count - channel : p.inner - n % p.inner;
      const int64_t run = std::min(count - done, left);
      if (p.inner == 1) {
        std::copy_n(p.values + channel, run, values + done);
      } else {
        std::fill_n(values + done, run, p.values[channel]);
      }
      done += run;
    }
    const int64_t padded = std::min(kLifBlock, (count + kLifLane - 1) / kLifLane * kLifLane);
    std::fill(values + count, values + padded, T(1));
  }

  LAMPYRIS_INLINE const T* lane(int64_t o) const { return values + o * stride; }
};

template <typename T>
struct ConstantsBlock {
  ParameterBlock<T> decay, threshold, gain, half_width, inverse_width;

  LAMPYRIS_INLINE void load(const LifRule<T>& rule, int64_t first, int64_t count) {
    decay.load(rule.decay, first, count);
    threshold.load(rule.threshold, first, count);
    gain.load(rule.gain, first, count);
    half_width.load(rule.width, first, count);
    inverse_width.stride = half_width.stride;
    const int64_t loaded = half_width.stride == 0 ? kLifLane : count;
    for (int64_t i = 0; i < loaded; ++i) {
      inverse_width.values[i] = T(1) / half_width.values[i];
      half_width.values[i] = half_width.values[i] / T(2);
    }
  }
};

// How many of `count` neurons from n on are whole lanes in one row of the view.
template <typename X>
LAMPYRIS_INLINE int64_t run_length(const StepView<X>& view, int64_t n, int64_t count) {
  if (view.data == nullptr) return 0;
  if (n + count > view.row) count = std::min(count, view.row - n % view.row);
  return count / kLifLane * kLifLane;
}

// Gathers `count` neurons of a step into a lane; zeros after them, or throughout without data.
template <typename X>
LAMPYRIS_INLINE void gather_lane(const StepView<X>& view, int64_t t, int64_t n, int64_t count,
                                 X* lane) {
  if (view.data == nullptr) count = 0;
  for (int64_t i = 0; i < count; ++i) lane[i] = *view.at(t, n + i);
  std::fill(lane + count, lane + kLifLane, X{});
}

// From the rows of steps t.. to those that are worked on next: the next four of the same block
// (direction +1 or -1), else the first ones of the next block. In L1 and L2 just before their use.
struct NextRows {
  int64_t steps, neurons;

  LAMPYRIS_INLINE NextRows(const int64_t all_steps, int64_t t, int64_t first, int64_t all_neurons,
                           int64_t direction) {
    const int64_t next = t + direction * kStepsPerByte;
    const bool inside = next >= 0 && next < all_steps;
    const int64_t start = direction > 0 ? 0 : std::max<int64_t>(0, all_steps - kStepsPerByte);
    const bool more = inside || first + kLifBlock < all_neurons;
    steps = inside ? next - t : (more ? start - t : 0);
    neurons = inside || !more ? 0 : kLifBlock;
  }

  template <typename X>
  LAMPYRIS_INLINE int64_t distance(const StepView<X>& view) const {
    return view.data == nullptr ? 0 : steps * view.step_stride + neurons;
  }
};

}  // namespace lampyris
