// A block of kLifBlock neurons is worked off in lanes of kLifLane: membrane and constants in L1,
// one lane in registers for a group of steps. Lanes that are not whole go through a small scratch.
#pragma once

#include <algorithm>

#include "ops/lif/lif.h"

namespace lampyris {

inline constexpr int64_t kLifLane = 64;
// Elements ahead of the lane in the same row; rows are N apart, so hardware finds them late.
inline constexpr int64_t kPrefetch = 512;
inline constexpr int64_t kCacheLine = 64;

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

// A view with its row and column found once for a lane of all steps.
template <typename T>
struct LaneView {
  const T* base;
  int64_t step_stride;
  bool whole;

  LAMPYRIS_INLINE LaneView(const StepView<T>& view, int64_t first, int64_t count) {
    const bool one_row = view.row_stride == 0 || first + count <= view.row;
    const int64_t row = one_row ? 0 : first / view.row;
    const int64_t column = one_row ? first : first - row * view.row;
    base = view.data == nullptr ? nullptr : view.data + row * view.row_stride + column;
    step_stride = view.step_stride;
    whole = count == kLifLane && column + count <= view.row;
  }

  // The lane at step t: in place when it is whole, else gathered into `spare`.
  LAMPYRIS_INLINE const T* at(const StepView<T>& view, int64_t t, int64_t first, int64_t count,
                              T* spare) const {
    if (whole) return base + t * step_stride;
    for (int64_t i = 0; i < kLifLane; ++i) spare[i] = i < count ? view.at(t, first + i) : T(0);
    return spare;
  }
};

template <typename T>
LAMPYRIS_INLINE void prefetch_read(const T* lane) {
  for (int64_t k = 0; k < kLifLane; k += kCacheLine / static_cast<int64_t>(sizeof(T))) {
    __builtin_prefetch(lane + kPrefetch + k, 0);
  }
}

template <typename T>
LAMPYRIS_INLINE void prefetch_write(const T* lane) {
  for (int64_t k = 0; k < kLifLane; k += kCacheLine / static_cast<int64_t>(sizeof(T))) {
    __builtin_prefetch(lane + kPrefetch + k, 1);
  }
}

}  // namespace lampyris
