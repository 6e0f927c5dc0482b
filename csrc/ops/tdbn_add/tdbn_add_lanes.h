// Loops over a block of neurons with one constant or one running sum a channel, whatever the
// number of channels. With channels innermost, tables of one value a channel go on periodically for
// kTdbnLane more, so that a lane that starts at any channel reads one stretch of them.
#pragma once

#include <algorithm>
#include <memory>

#include "ops/tdbn_add/tdbn_add.h"

namespace lampyris {

inline constexpr int64_t kTdbnLane = 256;
// A float of a table holds the sum of this many block-steps, 128 values, before it goes to double.
inline constexpr int64_t kTdbnFlush = 128 / (kLifBlock / kTdbnLane);

// Per-channel constants, periodic.
template <typename T>
class ChannelTable {
 public:
  ChannelTable(const ChannelOrder& order, const T* values)
      : size_(order.inner == 1 ? order.channels + kTdbnLane : order.channels),
        values_(new T[static_cast<size_t>(size_)]) {
    for (int64_t j = 0; j < size_; ++j) values_[j] = values ? values[j % order.channels] : T(0);
  }

  LAMPYRIS_INLINE const T* at(int64_t channel) const { return values_.get() + channel; }
  LAMPYRIS_INLINE T* data() { return values_.get(); }
  int64_t size() const { return size_; }

 private:
  int64_t size_;
  std::unique_ptr<T[]> values_;
};

// Calls lane(i, channel, length) for stretches of [first, first + count): i counts from first;
// element k < length <= kTdbnLane has channel `channel + k` modulo C if inner is 1, else `channel`.
template <class Lane>
LAMPYRIS_INLINE void for_each_lane(const ChannelOrder& order, int64_t first, int64_t count,
                                   const Lane& lane) {
  if (order.inner == 1) {
    int64_t channel = first % order.channels;
    const int64_t advance = kTdbnLane % order.channels;
    for (int64_t i = 0; i < count; i += kTdbnLane) {
      lane(i, channel, std::min(kTdbnLane, count - i));
      channel += advance;
      if (channel >= order.channels) channel -= order.channels;
    }
    return;
  }
  for (int64_t i = 0; i < count;) {
    const int64_t n = first + i;
    const int64_t left = std::min(order.inner - n % order.inner, count - i);
    const int64_t length = std::min(kTdbnLane, left);
    lane(i, order.at(n), length);
    i += length;
  }
}

// z[k] = x[k] scale[k] + shift[k] (+ residual[k]) of a lane.
template <bool kPerElement, bool kResidual, typename T>
LAMPYRIS_INLINE void normalise_lane(const T* __restrict__ x, const T* __restrict__ residual,
                                    const T* __restrict__ scale, const T* __restrict__ shift,
                                    int64_t length, T* __restrict__ z) {
#pragma GCC ivdep
  for (int64_t k = 0; k < length; ++k) {
    const int64_t c = kPerElement ? k : 0;
    const T y = tdbn_value(x[k], scale[c], shift[c]);
    z[k] = kResidual ? y + residual[k] : y;
  }
}

// The forward without neurons, a block of one step at a time.
template <typename T>
class Normaliser {
 public:
  explicit Normaliser(const TdbnForward<T>& a)
      : a_(a), scale_(a.order, a.scale), shift_(a.order, a.shift) {}

  LAMPYRIS_INLINE void operator()(int64_t t, int64_t first, int64_t count, T* z) const {
    const T* const x = a_.x.at(t) + first;
    if (a_.residual.data == nullptr) {
      lanes<false>(x, x, first, count, z);
    } else {
      lanes<true>(x, a_.residual.at(t) + first, first, count, z);
    }
  }

 private:
  template <bool kResidual>
  LAMPYRIS_INLINE void lanes(const T* x, const T* residual, int64_t first, int64_t count,
                             T* z) const {
    for_each_lane(a_.order, first, count,
                  [&](int64_t i, int64_t c, int64_t length) __attribute__((always_inline)) {
                    if (a_.order.inner == 1) {
                      normalise_lane<true, kResidual>(x + i, residual + i, scale_.at(c),
                                                      shift_.at(c), length, z + i);
                    } else {
                      normalise_lane<false, kResidual>(x + i, residual + i, scale_.at(c),
                                                       shift_.at(c), length, z + i);
                    }
                  });
  }

  const TdbnForward<T>& a_;
  ChannelTable<T> scale_, shift_;
};

// Adds to first[k] and second[k]: x - centre and its square, or grad and grad (x - centre).
template <bool kSquares, bool kPerElement, typename T>
LAMPYRIS_INLINE void sum_lane(const T* __restrict__ x, const T* __restrict__ grad,
                              const T* __restrict__ centre, int64_t length,
                              T* __restrict__ first, T* __restrict__ second) {
#pragma GCC ivdep
  for (int64_t k = 0; k < length; ++k) {
    const T centred = x[k] - centre[kPerElement ? k : 0];
    const T value = kSquares ? centred : grad[k];
    first[k] += value;
    second[k] += value * centred;
  }
}

// tdbn_gradient() of a lane; dx may be dz.
template <bool kPerElement, typename T>
LAMPYRIS_INLINE void gradient_lane(const T* x, const T* dz, const T* __restrict__ a,
                                   const T* __restrict__ b, const T* __restrict__ d,
                                   const T* __restrict__ mean, int64_t length, T* dx) {
#pragma GCC ivdep
  for (int64_t k = 0; k < length; ++k) {
    const int64_t c = kPerElement ? k : 0;
    dx[k] = tdbn_gradient(dz[k], x[k], a[c], b[c], d[c], mean[c]);
  }
}

// The pair of sums per channel of one task.
template <bool kSquares, typename T>
class ChannelSums {
 public:
  // centre [C]; totals [2][C].
  ChannelSums(const ChannelOrder& order, const T* centre, double* totals)
      : order_(order), centre_(order, centre), first_(order, nullptr), second_(order, nullptr),
        totals_(totals) {
    std::fill_n(totals, 2 * order.channels, 0.0);
  }

  // x, grad: the block's values at one step.
  LAMPYRIS_INLINE void add(const T* x, const T* grad, int64_t first, int64_t count) {
    if (order_.inner == 1) {
      for_each_lane(order_, first, count,
                    [&](int64_t i, int64_t c, int64_t length) __attribute__((always_inline)) {
                      T *a = first_.data() + c, *b = second_.data() + c;
                      sum_lane<kSquares, true>(x + i, grad + i, centre_.at(c), length, a, b);
                    });
      if (++added_ == kTdbnFlush) flush();
      return;
    }
    for_each_lane(order_, first, count,
                  [&](int64_t i, int64_t c, int64_t length) __attribute__((always_inline)) {
                    T a[kTdbnLane], b[kTdbnLane];
                    std::fill_n(a, length, T(0));
                    std::fill_n(b, length, T(0));
                    sum_lane<kSquares, false>(x + i, grad + i, centre_.at(c), length, a, b);
                    double total = 0, product = 0;
                    for (int64_t k = 0; k < length; ++k) {
                      total += static_cast<double>(a[k]);
                      product += static_cast<double>(b[k]);
                    }
                    totals_[c] += total;
                    totals_[order_.channels + c] += product;
                  });
  }

  // Call it when the task ends.
  LAMPYRIS_INLINE void flush() {
    if (added_ == 0) return;
    added_ = 0;
    drain(first_, totals_);
    drain(second_, totals_ + order_.channels);
  }

 private:
  LAMPYRIS_INLINE void drain(ChannelTable<T>& table, double* totals) {
    T* __restrict__ from = table.data();
    for (int64_t start = 0; start < table.size(); start += order_.channels) {
      const int64_t length = std::min(order_.channels, table.size() - start);
      for (int64_t c = 0; c < length; ++c) totals[c] += static_cast<double>(from[start + c]);
    }
    std::fill_n(from, table.size(), T(0));
  }

  ChannelOrder order_;
  ChannelTable<T> centre_, first_, second_;
  double* totals_;
  int64_t added_ = 0;
};

}  // namespace lampyris
