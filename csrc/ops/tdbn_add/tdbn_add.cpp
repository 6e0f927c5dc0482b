#include "cpu/pages.h"
#include "ops/tdbn_add/tdbn_add_lif_front.h"

namespace lampyris {

namespace {

constexpr int64_t kGrainValues = 1 << 15;

template <typename T>
int64_t grain(const TdbnInput<T>& a, int64_t neurons) {
  return std::max<int64_t>(1, kGrainValues / (neurons * a.steps));
}

template <typename T, class Range>
void over_blocks(const TdbnInput<T>& a, const Range& range) {
  const int64_t blocks = (a.neurons + kLifBlock - 1) / kLifBlock;
  torch::stable::parallel_for(0, blocks, grain(a, kLifBlock), range);
}

// Sums of all tasks, in order: [2 C].
template <typename T, class Range>
void over_tasks(const TdbnInput<T>& a, double* sums, const Tensor& x, const Range& range) {
  const int64_t tasks = tdbn_tasks(a.neurons), width = 2 * a.order.channels;
  const Tensor partial = empty({tasks, width}, ScalarType::Double, x);
  double* const rows = partial.mutable_data_ptr<double>();
  torch::stable::parallel_for(
      0, tasks, grain(a, kTdbnTaskBlocks * kLifBlock),
      [&](int64_t begin, int64_t end) { range(rows, begin, end); });
  tdbn_reduce(rows, tasks, width, sums);
}

template <typename T>
bool past_caches(const TdbnInput<T>& a, T* rows) {
  return rows != nullptr &&
         prepare_rows(rows, a.steps, a.neurons * static_cast<int64_t>(sizeof(T)));
}

struct Cpu {
  template <typename T>
  static void stats(const TdbnInput<T>& a, double* sums, const Tensor& x) {
    over_tasks(a, sums, x, [&](double* rows, int64_t begin, int64_t end) {
      tdbn_stats_tasks(a, rows, begin, end);
    });
    const int64_t channels = a.order.channels;
    const auto n = static_cast<double>(a.steps * a.order.count(a.neurons));
    for (int64_t c = 0; c < channels; ++c) {
      const auto pivot = static_cast<double>(a.x.data[c * a.order.inner]);
      tdbn_uncentre(pivot, n, sums[c], sums[channels + c]);
    }
    sums[2 * channels] = n;
  }

  template <typename T>
  static void moments(const double* sums, int64_t channels, double momentum, double eps,
                      T* running_mean, T* running_var, double* out, const Tensor&) {
    for (int64_t c = 0; c < channels; ++c) {
      tdbn_moments_channel(sums, channels, c, momentum, eps, running_mean, running_var, out);
    }
    out[2 * channels] = sums[2 * channels];
  }

  template <typename T>
  static void forward_constants(const double* moments, const T* weight, const T* bias,
                                int64_t channels, T* scale, T* shift, const Tensor&) {
    for (int64_t c = 0; c < channels; ++c) {
      tdbn_forward_channel(moments, weight, bias, channels, c, scale, shift);
    }
  }

  template <typename T>
  static void means(const double* moments, int64_t channels, T* mean, const Tensor&) {
    for (int64_t c = 0; c < channels; ++c) mean[c] = static_cast<T>(moments[c]);
  }

  template <typename T>
  static void backward_constants(const double* moments, const T* weight, const double* sums,
                                 int64_t channels, T* a, T* b, T* d, T* mean, const Tensor& x) {
    for (int64_t c = 0; c < channels; ++c) {
      tdbn_backward_channel(moments, weight, sums, channels, c, a, b, d);
    }
    means(moments, channels, mean, x);
  }

  template <typename T>
  static void add(TdbnForward<T> a, const Tensor&) {
    a.past_caches = past_caches(a, a.stream);
    over_blocks(a, [&](int64_t begin, int64_t end) { tdbn_add_blocks(a, begin, end); });
  }

  template <typename T>
  static void add_lif(TdbnForward<T> a, LifForward<T> lif, const Tensor&) {
    a.past_caches = past_caches(a, a.stream);
    lif.stream = past_caches(a, lif.spikes);
    over_blocks(a, [&](int64_t begin, int64_t end) { tdbn_add_lif_blocks(a, lif, begin, end); });
  }

  static void repack(const uint32_t* plane, const SpikeShape& s, uint32_t* words, const Tensor&) {
    torch::stable::parallel_for(0, s.rows * s.outer, 1, [&](int64_t begin, int64_t end) {
      repack_plane(plane, s, words, begin, end);
    });
  }

  template <typename T>
  static void grad_sums(const TdbnGradSums<T>& a, const Steps<T>& dz, double* sums,
                        const Tensor& x) {
    over_tasks(a, sums, x, [&](double* rows, int64_t begin, int64_t end) {
      tdbn_grad_sums_tasks(a, dz, rows, begin, end);
    });
  }

  template <typename T>
  static void lif_grad_sums(const TdbnGradSums<T>& a, LifBackward<T> lif, double* sums,
                            const Tensor& x) {
    lif.stream = past_caches(a, lif.grad_x);
    over_tasks(a, sums, x, [&](double* rows, int64_t begin, int64_t end) {
      tdbn_lif_grad_sums_tasks(a, lif, rows, begin, end);
    });
  }

  template <typename T>
  static void grad(TdbnBackward<T> a, const Tensor&) {
    a.past_caches = past_caches(a, a.grad_x);
    over_blocks(a, [&](int64_t begin, int64_t end) { tdbn_grad_blocks(a, begin, end); });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // x [T, B, C, H, W]. Sums and moments: float64 [2 C + 1] (tdbn_add_channel.h).
  m.def("_tdbn_stats(Tensor x) -> Tensor");
  m.def(
      "_tdbn_moments(Tensor sums, Tensor(a!)? running_mean, Tensor(b!)? running_var, float "
      "momentum, float eps) -> Tensor");
  // residual like x; weight, bias [C]; training: moments depend on x, summed over `group`.
  m.def(
      "tdbn_add(Tensor x, Tensor? residual, Tensor? weight, Tensor? bias, Tensor moments, bool "
      "training, str group) -> Tensor");
  // lif's arguments; returns spikes (a carrier when packed), stream, membrane x.shape[1:],
  // codes [ceil(T / 4), N], words.
  m.def(
      "tdbn_add_lif(Tensor x, Tensor? residual, Tensor? weight, Tensor? bias, Tensor moments, "
      "Tensor? v_init, Tensor? decay, Tensor? threshold, Tensor? gain, Tensor? width, float[] "
      "values, str reset, bool detach_reset, bool inclusive, str output, str membrane, bool "
      "stream, bool save_codes, bool training, str group) "
      "-> (Tensor, Tensor?, Tensor?, Tensor?, Tensor?)");
  // [2 C]: sums of grad and of grad (x - mean).
  m.def("_tdbn_grad_sums(Tensor grad, Tensor x, Tensor moments) -> Tensor");
  // (dz [T, ...], sums [2 C], gradient of v_init)
  m.def(
      "_tdbn_lif_grad_sums(Tensor? grad_stream, Tensor? grad_spikes, Tensor? grad_membrane, Tensor "
      "x, Tensor codes, Tensor moments, Tensor? decay, Tensor? threshold, Tensor? gain, Tensor? "
      "width, float[] values, str reset, bool detach_reset, bool inclusive, str output, str "
      "membrane, bool wants_v_init) -> (Tensor, Tensor, Tensor?)");
  // sums over all processes; None when the moments do not depend on x.
  m.def(
      "_tdbn_grad(Tensor grad, Tensor x, Tensor? weight, Tensor moments, Tensor? sums) -> Tensor");
  m.def(
      "_tdbn_grad_(Tensor(a!) grad, Tensor x, Tensor? weight, Tensor moments, Tensor? sums) -> ()");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("_tdbn_stats", TORCH_BOX(&tdbn_stats<Cpu>));
  m.impl("_tdbn_moments", TORCH_BOX(&tdbn_moments<Cpu>));
  m.impl("tdbn_add", TORCH_BOX(&tdbn_add<Cpu>));
  m.impl("tdbn_add_lif", TORCH_BOX(&tdbn_add_lif<Cpu>));
  m.impl("_tdbn_grad_sums", TORCH_BOX(&tdbn_grad_sums<Cpu>));
  m.impl("_tdbn_lif_grad_sums", TORCH_BOX(&tdbn_lif_grad_sums<Cpu>));
  m.impl("_tdbn_grad", TORCH_BOX(&tdbn_grad<Cpu>));
  m.impl("_tdbn_grad_", TORCH_BOX(&tdbn_grad_in_place<Cpu>));
}

}  // namespace lampyris
