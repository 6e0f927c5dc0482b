// The passes without neurons.
#include "cpu/dispatch.h"
#include "cpu/stream.h"
#include "ops/tdbn_add/tdbn_add.h"
#include "ops/tdbn_add/tdbn_add_lanes.h"

namespace lampyris {

namespace {

constexpr int kFour = 4;

// Calls work.template rows<4 or 1>(t, first, count) for all steps of blocks [begin, end).
template <class Work>
LAMPYRIS_INLINE void for_each_block(int64_t begin, int64_t end, int64_t steps, int64_t neurons,
                                    Work& work) {
  for (int64_t block = begin; block < end; ++block) {
    const int64_t first = block * kLifBlock, count = std::min(kLifBlock, neurons - first);
    int64_t t = 0;
    for (; t + kFour <= steps; t += kFour) work.template rows<kFour>(t, first, count);
    for (; t < steps; ++t) work.template rows<1>(t, first, count);
  }
}

// Results of a lane on their way past the caches.
template <class Target, typename T>
struct LaneOut {
  alignas(kStreamAlignment) T lane[kFour][kTdbnLane];

  template <int kRows>
  LAMPYRIS_INLINE LaneRows<T, kRows> rows(T* to, int64_t stride, bool past) {
    return past ? LaneRows<T, kRows>(lane[0], kTdbnLane) : LaneRows<T, kRows>(to, stride);
  }
  template <int kRows>
  LAMPYRIS_INLINE void done(T* to, int64_t stride, int64_t length, bool past) const {
    if (!past) return;
    for (int j = 0; j < kRows; ++j) stream_copy(Target{}, lane[j], length, to + j * stride);
  }
};

// Whole lanes only: they start at cache lines when rows do.
LAMPYRIS_INLINE bool goes_past(bool past_caches, const ChannelOrder& order, int64_t length) {
  return past_caches && order.inner == 1 && length == kTdbnLane;
}

template <class Target, typename T>
struct AddRows {
  const TdbnForward<T>& a;
  const ChannelTable<T>&scale, &shift;
  LaneOut<Target, T>& out;

  template <int kRows>
  LAMPYRIS_INLINE void rows(int64_t t, int64_t first, int64_t count) {
    if (a.residual.data == nullptr) {
      lanes<kRows, false>(t, first, count);
    } else {
      lanes<kRows, true>(t, first, count);
    }
  }

  template <int kRows, bool kResidual>
  LAMPYRIS_INLINE void lanes(int64_t t, int64_t first, int64_t count) {
    using In = LaneRows<const T, kRows>;
    const Steps<T>& other = kResidual ? a.residual : a.x;
    for_each_lane(
        a.order, first, count,
        [&](int64_t i, int64_t c, int64_t length) __attribute__((always_inline)) {
          const In x(a.x.at(t) + first + i, a.x.stride);
          const In residual(other.at(t) + first + i, other.stride);
          T* const to = a.stream + t * a.neurons + first + i;
          const bool past = goes_past(a.past_caches, a.order, length);
          const auto z = out.template rows<kRows>(to, a.neurons, past);
          for (int64_t k = 0; k < length; k += kTdbnPart) {
            const int64_t part = std::min(kTdbnPart, length - k);
            x.from(k).prefetch(part);
            if (kResidual) residual.from(k).prefetch(part);
            if (a.order.inner == 1) {
              normalise_lane<true, kResidual>(x.from(k), residual.from(k), scale.at(c) + k,
                                              shift.at(c) + k, part, z.from(k));
            } else {
              normalise_lane<false, kResidual>(x.from(k), residual.from(k), scale.at(c),
                                               shift.at(c), part, z.from(k));
            }
          }
          out.template done<kRows>(to, a.neurons, length, past);
        });
  }
};

template <typename T>
struct Add {
  template <class Target>
  LAMPYRIS_INLINE static void run(const TdbnForward<T>& a, int64_t begin, int64_t end) {
    const ChannelTable<T> scale(a.order, a.scale), shift(a.order, a.shift);
    LaneOut<Target, T> out;
    AddRows<Target, T> work{a, scale, shift, out};
    for_each_block(begin, end, a.steps, a.neurons, work);
    if (a.past_caches) stream_end(Target{});
  }
};

template <class Target, typename T>
struct GradRows {
  const TdbnBackward<T>& g;
  const ChannelTable<T>&a, &b, &d, &mean;
  LaneOut<Target, T>& out;

  template <int kRows>
  LAMPYRIS_INLINE void rows(int64_t t, int64_t first, int64_t count) {
    using In = LaneRows<const T, kRows>;
    for_each_lane(
        g.order, first, count,
        [&](int64_t i, int64_t c, int64_t length) __attribute__((always_inline)) {
          const In x(g.x.at(t) + first + i, g.x.stride);
          const In dz(g.grad.at(t) + first + i, g.grad.stride);
          T* const to = g.grad_x + t * g.neurons + first + i;
          const bool past = goes_past(g.past_caches, g.order, length);
          const auto dx = out.template rows<kRows>(to, g.neurons, past);
          for (int64_t k = 0; k < length; k += kTdbnPart) {
            const int64_t part = std::min(kTdbnPart, length - k);
            x.from(k).prefetch(part);
            dz.from(k).prefetch(part);
            if (g.order.inner == 1) {
              gradient_lane<true>(x.from(k), dz.from(k), a.at(c) + k, b.at(c) + k, d.at(c) + k,
                                  mean.at(c) + k, part, dx.from(k));
            } else {
              gradient_lane<false>(x.from(k), dz.from(k), a.at(c), b.at(c), d.at(c), mean.at(c),
                                   part, dx.from(k));
            }
          }
          out.template done<kRows>(to, g.neurons, length, past);
        });
  }
};

template <typename T>
struct Gradient {
  template <class Target>
  LAMPYRIS_INLINE static void run(const TdbnBackward<T>& g, int64_t begin, int64_t end) {
    const ChannelTable<T> a(g.order, g.a), b(g.order, g.b), d(g.order, g.d), mean(g.order, g.mean);
    LaneOut<Target, T> out;
    GradRows<Target, T> work{g, a, b, d, mean, out};
    for_each_block(begin, end, g.steps, g.neurons, work);
    if (g.past_caches) stream_end(Target{});
  }
};

// The pair of sums per channel of one task: of x - centre and its square, or of dz and
// dz (x - centre).
template <bool kSquares, typename T>
struct SumRows {
  const ChannelOrder& order;
  const Steps<T>&x, &dz;
  const ChannelTable<T>& centre;
  ChannelTable<T>&first_sums, &second_sums;
  double* totals;  // [2][C]
  int64_t added = 0;

  template <int kRows>
  LAMPYRIS_INLINE void rows(int64_t t, int64_t first, int64_t count) {
    if (order.inner == 1) {
      per_element<kRows>(t, first, count);
    } else {
      per_channel<kRows>(t, first, count);
    }
  }

  template <int kRows>
  LAMPYRIS_INLINE void per_element(int64_t t, int64_t first, int64_t count) {
    using In = LaneRows<const T, kRows>;
    for_each_lane(order, first, count,
                  [&](int64_t i, int64_t c, int64_t length) __attribute__((always_inline)) {
                    const In from(x.at(t) + first + i, x.stride);
                    const In grad(dz.at(t) + first + i, dz.stride);
                    from.prefetch(length);
                    if (!kSquares) grad.prefetch(length);
                    sum_lane<kSquares, true>(from, grad, centre.at(c), length,
                                             first_sums.data() + c, second_sums.data() + c);
                  });
    added += kRows * (kLifBlock / kTdbnLane);
    if (added >= kTdbnFloatSum) flush();
  }

  template <int kRows>
  LAMPYRIS_INLINE void per_channel(int64_t t, int64_t first, int64_t count) {
    using In = LaneRows<const T, kRows>;
    for_each_lane(order, first, count,
                  [&](int64_t i, int64_t c, int64_t length) __attribute__((always_inline)) {
                    const In from(x.at(t) + first + i, x.stride);
                    const In grad(dz.at(t) + first + i, dz.stride);
                    T a[kTdbnLane] = {}, b[kTdbnLane] = {};
                    sum_lane<kSquares, false>(from, grad, centre.at(c), length, a, b);
                    double total = 0, product = 0;
                    for (int64_t k = 0; k < length; ++k) {
                      total += static_cast<double>(a[k]);
                      product += static_cast<double>(b[k]);
                    }
                    totals[c] += total;
                    totals[order.channels + c] += product;
                  });
  }

  LAMPYRIS_INLINE void flush() {
    if (added == 0) return;
    added = 0;
    drain(first_sums, totals);
    drain(second_sums, totals + order.channels);
  }

  LAMPYRIS_INLINE void drain(ChannelTable<T>& table, double* to) {
    T* const from = table.data();
    for (int64_t start = 0; start < table.size(); start += order.channels) {
      const int64_t length = std::min(order.channels, table.size() - start);
#pragma GCC ivdep
      for (int64_t c = 0; c < length; ++c) to[c] += static_cast<double>(from[start + c]);
    }
    std::fill_n(from, table.size(), T(0));
  }
};

template <bool kSquares, typename T>
LAMPYRIS_INLINE void sum_tasks(const TdbnInput<T>& a, const Steps<T>& dz, const T* centre,
                               double* partial, int64_t begin, int64_t end) {
  const ChannelTable<T> centres(a.order, centre);
  ChannelTable<T> first(a.order, nullptr), second(a.order, nullptr);
  const int64_t width = 2 * a.order.channels, blocks = (a.neurons + kLifBlock - 1) / kLifBlock;
  for (int64_t task = begin; task < end; ++task) {
    double* const totals = partial + task * width;
    std::fill_n(totals, width, 0.0);
    SumRows<kSquares, T> work{a.order, a.x, dz, centres, first, second, totals};
    const int64_t block = task * kTdbnTaskBlocks;
    for_each_block(block, std::min(block + kTdbnTaskBlocks, blocks), a.steps, a.neurons, work);
    work.flush();
  }
}

template <typename T>
struct Stats {
  template <class Target>
  LAMPYRIS_INLINE static void run(const TdbnInput<T>& a, double* partial, int64_t begin,
                                  int64_t end) {
    std::unique_ptr<T[]> pivot(new T[static_cast<size_t>(a.order.channels)]);
    for (int64_t c = 0; c < a.order.channels; ++c) pivot[c] = a.x.data[c * a.order.inner];
    sum_tasks<true>(a, a.x, pivot.get(), partial, begin, end);
  }
};

template <typename T>
struct GradSums {
  template <class Target>
  LAMPYRIS_INLINE static void run(const TdbnGradSums<T>& a, const Steps<T>& dz, double* partial,
                                  int64_t begin, int64_t end) {
    sum_tasks<false>(static_cast<const TdbnInput<T>&>(a), dz, a.mean, partial, begin, end);
  }
};

}  // namespace

void tdbn_stats_tasks(const TdbnInput<float>& a, double* partial, int64_t begin, int64_t end) {
  dispatch<Stats<float>>(a, partial, begin, end);
}

void tdbn_stats_tasks(const TdbnInput<double>& a, double* partial, int64_t begin, int64_t end) {
  run_baseline<Stats<double>>(a, partial, begin, end);
}

void tdbn_grad_sums_tasks(const TdbnGradSums<float>& a, Steps<float> dz, double* partial,
                          int64_t begin, int64_t end) {
  dispatch<GradSums<float>>(a, dz, partial, begin, end);
}

void tdbn_grad_sums_tasks(const TdbnGradSums<double>& a, Steps<double> dz, double* partial,
                          int64_t begin, int64_t end) {
  run_baseline<GradSums<double>>(a, dz, partial, begin, end);
}

void tdbn_add_blocks(const TdbnForward<float>& a, int64_t begin, int64_t end) {
  dispatch<Add<float>>(a, begin, end);
}

void tdbn_add_blocks(const TdbnForward<double>& a, int64_t begin, int64_t end) {
  run_baseline<Add<double>>(a, begin, end);
}

void tdbn_grad_blocks(const TdbnBackward<float>& a, int64_t begin, int64_t end) {
  dispatch<Gradient<float>>(a, begin, end);
}

void tdbn_grad_blocks(const TdbnBackward<double>& a, int64_t begin, int64_t end) {
  run_baseline<Gradient<double>>(a, begin, end);
}

void tdbn_reduce(const double* partial, int64_t tasks, int64_t width, double* sums) {
  std::fill_n(sums, width, 0.0);
  for (int64_t task = 0; task < tasks; ++task) {
    for (int64_t i = 0; i < width; ++i) sums[i] += partial[task * width + i];
  }
}

}  // namespace lampyris
