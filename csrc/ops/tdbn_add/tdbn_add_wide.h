// The norm as a source of lif's currents and the sums of its backward as a sink of lif's gradients,
// for a file of one width (cpu/wide.h): the neuron stays in lif's loops, nothing is written between.
#pragma once

#include "ops/lif/lif_backward_wide.h"
#include "ops/lif/lif_forward_wide.h"
#include "ops/tdbn_add/tdbn_add_lanes.h"

namespace lampyris {
namespace {

// One value a channel as the neurons of a run read it: the periodic table with channels innermost,
// else one for every neuron of the block.
template <typename T>
class RunTable {
 public:
  RunTable(const ChannelOrder& order, const T* values)
      : order_(order), values_(values), table_(order, values) {
    if (order.inner != 1) block_.reset(new T[kLifBlock]());
  }

  LAMPYRIS_INLINE void start(int64_t first, int64_t count) {
    first_ = first;
    if (order_.inner == 1) return;
    for_each_lane(order_, first, count,
                  [&](int64_t i, int64_t c, int64_t length) __attribute__((always_inline)) {
                    std::fill_n(block_.get() + i, length, values_[c]);
                  });
  }

  LAMPYRIS_INLINE const T* at(int64_t n) const {
    return order_.inner == 1 ? table_.at(n % order_.channels) : block_.get() + (n - first_);
  }

 private:
  ChannelOrder order_;
  const T* values_;
  ChannelTable<T> table_;
  std::unique_ptr<T[]> block_;
  int64_t first_ = 0;
};

// Whole lanes of a run that one stretch of the tables serves.
LAMPYRIS_INLINE int64_t tdbn_run(int64_t count) {
  return std::min(count, kTdbnLane) / kLifLane * kLifLane;
}

// Rows of up to four steps of a tensor; of zeros when there is none.
template <typename T>
struct StepRows {
  Steps<T> steps;
  alignas(64) T lane[kStepsPerByte][kTdbnLane] = {};
  const T* at[kStepsPerByte];

  explicit StepRows(const Steps<T>& from) : steps(from) {
    for (int j = 0; j < kStepsPerByte; ++j) at[j] = lane[j];
  }
  LAMPYRIS_INLINE void run(int64_t t, int count, int64_t n) {
    if (steps.data == nullptr) return;
    for (int j = 0; j < count; ++j) at[j] = steps.at(t + j) + n;
  }
  LAMPYRIS_INLINE void tail(int64_t t, int count, int64_t n, int64_t length) {
    if (steps.data == nullptr) return;
    for (int j = 0; j < count; ++j) {
      std::copy_n(steps.at(t + j) + n, length, lane[j]);
      std::fill(lane[j] + length, lane[j] + kLifLane, T(0));
      at[j] = lane[j];
    }
  }
  LAMPYRIS_INLINE Wide<T> load(int j, int64_t k) const { return load_ahead(at[j] + k); }
  LAMPYRIS_INLINE static Wide<T> load_ahead(const T* from) {
    __builtin_prefetch(from + kTdbnAhead, 0);
    return Wide<T>::load(from);
  }
};

template <typename T, bool kStream>
class NormalisedCurrents {
 public:
  using F = Wide<T>;

  struct Rows {
    const T *x[kStepsPerByte], *residual[kStepsPerByte], *scale, *shift;
    T* stream[kStepsPerByte];
    bool past;

    LAMPYRIS_INLINE auto from(int64_t k) const {
      return At{*this, k, F::load(scale + k), F::load(shift + k)};
    }
  };

  struct At {
    const Rows& rows;
    int64_t k;
    F scale, shift;

    LAMPYRIS_INLINE F operator()(int j) const {
      const F x = StepRows<T>::load_ahead(rows.x[j] + k);
      const F z = tdbn_value(x, scale, shift) + StepRows<T>::load_ahead(rows.residual[j] + k);
      if constexpr (kStream) {
        if (rows.past) {
          z.stream(rows.stream[j] + k);
        } else {
          z.store(rows.stream[j] + k);
        }
      }
      return z;
    }
  };

  explicit NormalisedCurrents(const TdbnForward<T>& a)
      : a_(a), x_(a.x), residual_(a.residual), scale_(a.order, a.scale), shift_(a.order, a.shift) {}

  LAMPYRIS_INLINE void start(int64_t first, int64_t count) {
    scale_.start(first, count);
    shift_.start(first, count);
  }
  LAMPYRIS_INLINE int64_t run(int64_t t, int steps, int64_t n, int64_t count, const NextRows&) {
    const int64_t whole = tdbn_run(count);
    if (whole == 0) return 0;
    x_.run(t, steps, n);
    residual_.run(t, steps, n);
    scale_at_ = scale_.at(n);
    shift_at_ = shift_.at(n);
    past_ = a_.past_caches;
    if constexpr (kStream) {
      for (int j = 0; j < steps; ++j) stream_[j] = a_.stream + (t + j) * a_.neurons + n;
    }
    return whole;
  }
  LAMPYRIS_INLINE void tail(int64_t t, int steps, int64_t n, int64_t count) {
    x_.tail(t, steps, n, count);
    residual_.tail(t, steps, n, count);
    scale_at_ = scale_.at(n);
    shift_at_ = shift_.at(n);
    past_ = false;
    if constexpr (kStream) {
      for (int j = 0; j < steps; ++j) stream_[j] = lane_[j];
    }
  }
  LAMPYRIS_INLINE Rows rows() const {
    Rows r{{}, {}, scale_at_, shift_at_, {}, past_};
    for (int j = 0; j < kStepsPerByte; ++j) {
      r.x[j] = x_.at[j];
      r.residual[j] = residual_.at[j];
      r.stream[j] = stream_[j];
    }
    return r;
  }
  LAMPYRIS_INLINE void done(int64_t t, int steps, int64_t n, int64_t count) {
    if (!kStream || stream_[0] != lane_[0]) return;
    for (int j = 0; j < steps; ++j) {
      std::copy_n(lane_[j], count, a_.stream + (t + j) * a_.neurons + n);
    }
  }

 private:
  const TdbnForward<T>& a_;
  StepRows<T> x_, residual_;
  RunTable<T> scale_, shift_;
  const T *scale_at_ = nullptr, *shift_at_ = nullptr;
  T* stream_[kStepsPerByte] = {};
  bool past_ = false;
  alignas(64) T lane_[kStepsPerByte][kLifLane];
};

// Adds grad_stream, and sums grad and grad (x - mean) per channel.
template <typename T, bool kStream>
class GradientSums {
 public:
  using F = Wide<T>;

  struct At {
    GradientSums& s;
    int64_t k;
    F mean, first, second;

    LAMPYRIS_INLINE F operator()(int j, F grad) {
      if constexpr (kStream) grad = grad + s.more_.load(j, k);
      first = first + grad;
      second = second + grad * (s.x_.load(j, k) - mean);
      return grad;
    }
    LAMPYRIS_INLINE void end() const {
      first.store(s.first_at_ + k);
      second.store(s.second_at_ + k);
    }
  };

  // totals [2][C]
  GradientSums(const TdbnGradSums<T>& a, double* totals)
      : a_(a), x_(a.x), more_(a.grad_stream), mean_(a.order, a.mean), totals_(totals),
        size_(a.order.inner == 1 ? a.order.channels + kTdbnLane : kLifBlock),
        first_(new T[static_cast<size_t>(size_)]()), second_(new T[static_cast<size_t>(size_)]()) {
    std::fill_n(totals, 2 * a.order.channels, 0.0);
  }

  LAMPYRIS_INLINE void start(int64_t first, int64_t count) {
    if (a_.order.inner != 1) flush();
    block_ = first;
    count_ = count;
    mean_.start(first, count);
  }
  LAMPYRIS_INLINE int64_t run(int64_t t, int steps, int64_t n, int64_t count, const NextRows&) {
    const int64_t whole = tdbn_run(count);
    if (whole == 0) {
      tail(t, steps, n, count);
      return count;
    }
    x_.run(t, steps, n);
    more_.run(t, steps, n);
    set(n);
    return whole;
  }
  LAMPYRIS_INLINE void tail(int64_t t, int steps, int64_t n, int64_t count) {
    x_.tail(t, steps, n, count);
    more_.tail(t, steps, n, count);
    set(n);
  }
  LAMPYRIS_INLINE At from(int64_t k) {
    return {*this, k, F::load(mean_at_ + k), F::load(first_at_ + k), F::load(second_at_ + k)};
  }
  LAMPYRIS_INLINE void done(int64_t, int, int64_t, int64_t) {
    if (++runs_ == kFlush && a_.order.inner == 1) flush();
  }

  // To double.
  LAMPYRIS_INLINE void flush() {
    if (runs_ == 0) return;
    runs_ = 0;
    drain(first_.get(), totals_);
    drain(second_.get(), totals_ + a_.order.channels);
  }

 private:
  // Runs after which a float of a table holds up to 128 values: four steps each.
  static constexpr int64_t kFlush = kTdbnFloatSum / kStepsPerByte;

  LAMPYRIS_INLINE void set(int64_t n) {
    const int64_t at = a_.order.inner == 1 ? n % a_.order.channels : n - block_;
    mean_at_ = mean_.at(n);
    first_at_ = first_.get() + at;
    second_at_ = second_.get() + at;
  }

  LAMPYRIS_INLINE void drain(T* from, double* totals) {
    const int64_t channels = a_.order.channels;
    if (a_.order.inner == 1) {
      for (int64_t start = 0; start < size_; start += channels) {
        const int64_t length = std::min(channels, size_ - start);
        for (int64_t c = 0; c < length; ++c) totals[c] += static_cast<double>(from[start + c]);
      }
    } else {
      for_each_lane(a_.order, block_, count_,
                    [&](int64_t i, int64_t c, int64_t length) __attribute__((always_inline)) {
                      for (int64_t k = 0; k < length; ++k) {
                        totals[c] += static_cast<double>(from[i + k]);
                      }
                    });
    }
    std::fill_n(from, size_, T(0));
  }

  const TdbnGradSums<T>& a_;
  StepRows<T> x_, more_;
  RunTable<T> mean_;
  double* totals_;
  int64_t size_, block_ = 0, count_ = 0, runs_ = 0;
  std::unique_ptr<T[]> first_, second_;
  const T* mean_at_ = nullptr;
  T *first_at_ = nullptr, *second_at_ = nullptr;
};

template <bool kStream, typename T>
LAMPYRIS_WIDE_TARGET void add_lif_source(const TdbnForward<T>& a, const LifForward<T>& lif,
                                         int64_t begin, int64_t end) {
  NormalisedCurrents<T, kStream> source(a);
  if (lif.reset == Reset::kHard) {
    forward_range<Reset::kHard, Rounding::kNone>(lif, source, begin, end);
  } else {
    forward_range<Reset::kSoft, Rounding::kNone>(lif, source, begin, end);
  }
  if (a.past_caches) stream_fence();
}

template <typename T>
void add_lif_any(const TdbnForward<T>& a, const LifForward<T>& lif, int64_t begin, int64_t end) {
  if (a.stream == nullptr) return add_lif_source<false>(a, lif, begin, end);
  add_lif_source<true>(a, lif, begin, end);
}

template <bool kStream, typename T>
LAMPYRIS_WIDE_TARGET void lif_grad_sums_sink(const TdbnGradSums<T>& a, const LifBackward<T>& lif,
                                             double* partial, int64_t begin, int64_t end) {
  using Sink = GradientSums<T, kStream>;
  const int64_t blocks = (a.neurons + kLifBlock - 1) / kLifBlock;
  for (int64_t task = begin; task < end; ++task) {
    Sink sink(a, partial + task * 2 * a.order.channels);
    const int64_t first = task * kTdbnTaskBlocks, last = std::min(first + kTdbnTaskBlocks, blocks);
    if (lif.reset == Reset::kSoft && !lif.detach_reset) {
      backward_range<FromCodes<T, true, Sink>>(lif, sink, first, last);
    } else {
      backward_range<FromCodes<T, false, Sink>>(lif, sink, first, last);
    }
    sink.flush();
  }
}

template <typename T>
void lif_grad_sums_any(const TdbnGradSums<T>& a, const LifBackward<T>& lif, double* partial,
                       int64_t begin, int64_t end) {
  if (a.grad_stream.data == nullptr) {
    return lif_grad_sums_sink<false>(a, lif, partial, begin, end);
  }
  lif_grad_sums_sink<true>(a, lif, partial, begin, end);
}

}  // namespace
}  // namespace lampyris
