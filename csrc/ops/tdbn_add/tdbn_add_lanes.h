// Loops over a block of neurons with one constant or one running sum a channel, whatever the
// number of channels. With channels innermost, tables of one value a channel go on periodically for
// kTdbnLane more, so that a lane that starts at any channel reads one stretch of them. Four steps of
// a lane share its stretch.
#pragma once

#include <algorithm>
#include <memory>

#include "ops/tdbn_add/tdbn_add.h"

namespace lampyris {

inline constexpr int64_t kTdbnLane = 256;
// Elements that a row is asked for ahead: rows are N apart, so hardware finds them late.
inline constexpr int64_t kTdbnAhead = 512;
// Elements of a lane worked on between requests: more at once would wait for each other.
inline constexpr int64_t kTdbnPart = 64;
// Values of a channel that are summed in a float before they go to double.
inline constexpr int64_t kTdbnFloatSum = 128;

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

// Lanes of kRows steps.
template <typename T, int kRows>
struct LaneRows {
  T* row[kRows];

  LAMPYRIS_INLINE LaneRows(T* first, int64_t stride) {
    for (int j = 0; j < kRows; ++j) row[j] = first + j * stride;
  }
  LAMPYRIS_INLINE LaneRows from(int64_t k) const {
    LaneRows out = *this;
    for (int j = 0; j < kRows; ++j) out.row[j] += k;
    return out;
  }
  LAMPYRIS_INLINE void prefetch(int64_t length) const {
    constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
    for (int64_t k = 0; k < length; k += kLine) {
      for (int j = 0; j < kRows; ++j) __builtin_prefetch(row[j] + kTdbnAhead + k);
    }
  }
};

// z = x scale + shift (+ residual)
template <bool kPerElement, bool kResidual, typename T, int kRows>
LAMPYRIS_INLINE void normalise_lane(const LaneRows<const T, kRows>& x,
                                    const LaneRows<const T, kRows>& residual, const T* scale,
                                    const T* shift, int64_t length,
                                    const LaneRows<T, kRows>& z) {
#pragma GCC ivdep
  for (int64_t k = 0; k < length; ++k) {
    const T s = scale[kPerElement ? k : 0], h = shift[kPerElement ? k : 0];
#pragma GCC unroll 4
    for (int j = 0; j < kRows; ++j) {
      const T y = tdbn_value(x.row[j][k], s, h);
      z.row[j][k] = kResidual ? y + residual.row[j][k] : y;
    }
  }
}

// Adds to first and second: x - centre and its square, or grad and grad (x - centre).
template <bool kSquares, bool kPerElement, typename T, int kRows>
LAMPYRIS_INLINE void sum_lane(const LaneRows<const T, kRows>& x,
                              const LaneRows<const T, kRows>& grad, const T* centre,
                              int64_t length, T* __restrict__ first, T* __restrict__ second) {
#pragma GCC ivdep
  for (int64_t k = 0; k < length; ++k) {
    const T c = centre[kPerElement ? k : 0];
    T sum = first[k], product = second[k];
#pragma GCC unroll 4
    for (int j = 0; j < kRows; ++j) {
      const T centred = x.row[j][k] - c;
      const T value = kSquares ? centred : grad.row[j][k];
      sum += value;
      product += value * centred;
    }
    first[k] = sum;
    second[k] = product;
  }
}

// tdbn_gradient(); dx may be dz.
template <bool kPerElement, typename T, int kRows>
LAMPYRIS_INLINE void gradient_lane(const LaneRows<const T, kRows>& x,
                                   const LaneRows<const T, kRows>& dz, const T* a, const T* b,
                                   const T* d, const T* mean, int64_t length,
                                   const LaneRows<T, kRows>& dx) {
#pragma GCC ivdep
  for (int64_t k = 0; k < length; ++k) {
    const int64_t c = kPerElement ? k : 0;
    const T a_c = a[c], b_c = b[c], d_c = d[c], mean_c = mean[c];
#pragma GCC unroll 4
    for (int j = 0; j < kRows; ++j) {
      dx.row[j][k] = tdbn_gradient(dz.row[j][k], x.row[j][k], a_c, b_c, d_c, mean_c);
    }
  }
}

}  // namespace lampyris
