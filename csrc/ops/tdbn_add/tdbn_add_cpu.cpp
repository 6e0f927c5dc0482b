#include "cpu/dispatch.h"
#include "ops/tdbn_add/tdbn_add.h"
#include "ops/tdbn_add/tdbn_add_lanes.h"

namespace lampyris {

namespace {

// Calls work(first, count) for the blocks of task k.
template <class Work>
LAMPYRIS_INLINE void for_each_block(int64_t task, int64_t neurons, const Work& work) {
  const int64_t begin = task * kTdbnTaskBlocks * kLifBlock;
  const int64_t end = std::min(begin + kTdbnTaskBlocks * kLifBlock, neurons);
  for (int64_t first = begin; first < end; first += kLifBlock) {
    work(first, std::min(kLifBlock, end - first));
  }
}

template <typename T>
struct Stats {
  template <class Target>
  LAMPYRIS_INLINE static void run(const TdbnInput<T>& a, double* partial, int64_t begin,
                                  int64_t end) {
    const int64_t channels = a.order.channels;
    std::unique_ptr<T[]> pivot(new T[static_cast<size_t>(channels)]);
    for (int64_t c = 0; c < channels; ++c) pivot[c] = a.x.data[c * a.order.inner];
    for (int64_t task = begin; task < end; ++task) {
      ChannelSums<true, T> sums(a.order, pivot.get(), partial + task * 2 * channels);
      for_each_block(task, a.neurons,
                     [&](int64_t first, int64_t count) __attribute__((always_inline)) {
                       for (int64_t t = 0; t < a.steps; ++t) {
                         const T* x = a.x.at(t) + first;
                         sums.add(x, x, first, count);
                       }
                     });
      sums.flush();
    }
  }
};

template <typename T>
struct GradSums {
  template <class Target>
  LAMPYRIS_INLINE static void run(const TdbnGradSums<T>& a, const Steps<T>& dz, double* partial,
                                  int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      ChannelSums<false, T> sums(a.order, a.mean, partial + task * 2 * a.order.channels);
      for_each_block(task, a.neurons,
                     [&](int64_t first, int64_t count) __attribute__((always_inline)) {
                       for (int64_t t = 0; t < a.steps; ++t) {
                         sums.add(a.x.at(t) + first, dz.at(t) + first, first, count);
                       }
                     });
      sums.flush();
    }
  }
};

template <typename T>
struct Add {
  template <class Target>
  LAMPYRIS_INLINE static void run(const TdbnForward<T>& a, int64_t begin, int64_t end) {
    const Normaliser<T> normalise(a);
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kLifBlock, count = std::min(kLifBlock, a.neurons - first);
      for (int64_t t = 0; t < a.steps; ++t) {
        normalise(t, first, count, a.stream + t * a.neurons + first);
      }
    }
  }
};

template <typename T>
struct Gradient {
  template <class Target>
  LAMPYRIS_INLINE static void run(const TdbnBackward<T>& g, int64_t begin, int64_t end) {
    const ChannelTable<T> a(g.order, g.a), b(g.order, g.b), d(g.order, g.d), mean(g.order, g.mean);
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kLifBlock, count = std::min(kLifBlock, g.neurons - first);
      for (int64_t t = 0; t < g.steps; ++t) {
        const T *x = g.x.at(t) + first, *dz = g.grad.at(t) + first;
        T* dx = g.grad_x + t * g.neurons + first;
        for_each_lane(
            g.order, first, count,
            [&](int64_t i, int64_t c, int64_t length) __attribute__((always_inline)) {
              if (g.order.inner == 1) {
                gradient_lane<true>(x + i, dz + i, a.at(c), b.at(c), d.at(c), mean.at(c), length,
                                    dx + i);
              } else {
                gradient_lane<false>(x + i, dz + i, a.at(c), b.at(c), d.at(c), mean.at(c), length,
                                     dx + i);
              }
            });
      }
    }
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
