// Blocks of kLifBlock neurons: constants and inputs as plain arrays, padded past the last neuron.
#pragma once

#include <algorithm>

#include "ops/lif/lif.h"

namespace lampyris {

template <typename T>
LAMPYRIS_INLINE void load_block(T* block, const T* values, int64_t first, int64_t count) {
  if (values == nullptr) {
    std::fill_n(block, kLifBlock, T(0));
    return;
  }
  std::copy_n(values + first, count, block);
  std::fill_n(block + count, kLifBlock - count, T(0));
}

template <typename T>
LAMPYRIS_INLINE void load_parameter(T* block, const NeuronParameter<T>& p, int64_t first,
                                    int64_t count) {
  if (p.values == nullptr || p.count == 1) {
    std::fill_n(block, kLifBlock, p.at(0));
    return;
  }
  // Runs of one value (inner > 1) or of consecutive values (inner == 1).
  int64_t done = 0;
  while (done < count) {
    const int64_t n = first + done;
    const int64_t channel = (n / p.inner) % p.count;
    if (p.inner == 1) {
      const int64_t run = std::min(count - done, p.count - channel);
      std::copy_n(p.values + channel, run, block + done);
      done += run;
    } else {
      const int64_t run = std::min(count - done, p.inner - n % p.inner);
      std::fill_n(block + done, run, p.values[channel]);
      done += run;
    }
  }
  std::fill_n(block + count, kLifBlock - count, T(1));
}

template <typename T>
struct ConstantsBlock {
  alignas(64) T decay[kLifBlock];
  alignas(64) T threshold[kLifBlock];
  alignas(64) T gain[kLifBlock];
  alignas(64) T half_width[kLifBlock];
  alignas(64) T inverse_width[kLifBlock];

  LAMPYRIS_INLINE void load(const LifRule<T>& rule, int64_t first, int64_t count) {
    load_parameter(decay, rule.decay, first, count);
    load_parameter(threshold, rule.threshold, first, count);
    load_parameter(gain, rule.gain, first, count);
    load_parameter(half_width, rule.width, first, count);
    for (int64_t i = 0; i < kLifBlock; ++i) {
      inverse_width[i] = T(1) / half_width[i];
      half_width[i] = half_width[i] / T(2);
    }
  }

  LAMPYRIS_INLINE NeuronConstants<T> at(int64_t i, T v_reset) const {
    return {decay[i], threshold[i], gain[i], half_width[i], inverse_width[i], v_reset};
  }
};

// Neurons first .. first + count - 1 of step t: in place when they lie in one row, else copied.
template <typename T>
LAMPYRIS_INLINE const T* step_block(const StepView<T>& view, int64_t t, int64_t first,
                                    int64_t count, T* spare) {
  const T* step = view.data + t * view.step_stride;
  const int64_t column = first % view.row;
  if (count == kLifBlock && column + count <= view.row) {
    return step + first / view.row * view.row_stride + column;
  }
  int64_t done = 0;
  while (done < count) {
    const int64_t n = first + done;
    const int64_t run = std::min(count - done, view.row - n % view.row);
    std::copy_n(step + n / view.row * view.row_stride + n % view.row, run, spare + done);
    done += run;
  }
  std::fill_n(spare + count, kLifBlock - count, T(0));
  return spare;
}

}  // namespace lampyris
