// A block a tile and a block a channel for the sums, one thread a neuron for everything else: the
// forward is lif's neuron on a normalised current, the backward lif's kernel and then the sums.
// Bytes of device memory a neuron-step in float32, packed, no stream:
//   forward   4 (statistics) + 4 (x) + 4 (residual) + 0.125 + 0.25 (codes)      = 12.4
//   backward  4 (g) + 0.25 + 4 (dz) + 8 (sums of dz, x) + 12 (dz, x to grad x)  = 28.3
#include "ops/launch.cuh"
#include "ops/lif/lif_emit.cuh"
#include "ops/lif/lif_neuron.h"
#include "ops/tdbn_add/tdbn_add.h"
#include "ops/tdbn_add/tdbn_add_channel.h"
#include "ops/tdbn_add/tdbn_add_team.h"

namespace lampyris {

namespace {

template <typename Input, typename Pair>
__global__ void __launch_bounds__(kBlockThreads)
    tile_kernel(const Input a, const TdbnTile tile, double* partial, const Pair make) {
  __shared__ double shared[2 * kBlockThreads];
  tdbn_sum_tile(CudaTeam{nullptr}, a, tile, static_cast<int64_t>(blockIdx.x), shared, partial,
                make(a));
}

__global__ void __launch_bounds__(kBlockThreads)
    stretch_kernel(const double* partial, int64_t stretches, int64_t width, double* sums) {
  __shared__ double shared[kWarp];
  tdbn_sum_stretches(CudaTeam{shared}, partial, stretches, width,
                     static_cast<int64_t>(blockIdx.x), sums);
}

template <typename T>
struct MakeStats {
  __device__ StatsPair<T> operator()(const TdbnInput<T>& a) const { return {a}; }
};

template <typename T>
struct MakeGrad {
  Steps<T> dz;
  __device__ GradPair<T> operator()(const TdbnGradSums<T>& a) const { return {a, dz}; }
};

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    uncentre_kernel(const TdbnInput<T> a, double n, double* sums) {
  const int64_t c = global_thread(), channels = a.order.channels;
  if (c == 0) sums[2 * channels] = n;
  if (c >= channels) return;
  const auto pivot = static_cast<double>(a.x.data[c * a.order.inner]);
  tdbn_uncentre(pivot, n, sums[c], sums[channels + c]);
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads) add_kernel(const TdbnForward<T> a) {
  const int64_t n = global_thread();
  if (n >= a.neurons) return;
  const int64_t c = a.order.at(n);
  const T scale = a.scale[c], shift = a.shift[c];
  for (int64_t t = 0; t < a.steps; ++t) {
    const T y = tdbn_value(a.x.at(t)[n], scale, shift);
    a.stream[t * a.neurons + n] = a.residual.data == nullptr ? y : y + a.residual.at(t)[n];
  }
}

template <typename T>
struct NormalisedCurrent {
  const TdbnForward<T>& a;
  int64_t n;
  T scale, shift;

  __device__ T operator()(int64_t t) const {
    T z = tdbn_value(a.x.at(t)[n], scale, shift);
    if (a.residual.data != nullptr) z += a.residual.at(t)[n];
    if (a.stream != nullptr) a.stream[t * a.neurons + n] = z;
    return z;
  }
};

template <typename T, Reset kReset, bool kPacked>
__global__ void __launch_bounds__(kBlockThreads)
    lif_kernel(const TdbnForward<T> a, const LifForward<T> lif) {
  const int64_t n = global_thread();
  const unsigned active = __ballot_sync(0xFFFFFFFFU, n < a.neurons);
  if (n >= a.neurons) return;
  const int64_t c = a.order.at(n);
  lif_forward_neuron<kReset, Rounding::kNone>(
      lif, n, NormalisedCurrent<T>{a, n, a.scale[c], a.shift[c]},
      EmitSpikes<T, kPacked>{lif.spikes, lif.plane, a.neurons, n, active});
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    add_steps_kernel(const TdbnGradSums<T> a, T* dz) {
  const int64_t n = global_thread();
  if (n >= a.neurons) return;
  for (int64_t t = 0; t < a.steps; ++t) dz[t * a.neurons + n] += a.grad_stream.at(t)[n];
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads) grad_kernel(const TdbnBackward<T> g) {
  const int64_t n = global_thread();
  if (n >= g.neurons) return;
  const int64_t c = g.order.at(n);
  const T a = g.a[c], b = g.b[c], d = g.d[c], mean = g.mean[c];
  for (int64_t t = 0; t < g.steps; ++t) {
    g.grad_x[t * g.neurons + n] = tdbn_gradient(g.grad.at(t)[n], g.x.at(t)[n], a, b, d, mean);
  }
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    moments_kernel(const double* sums, int64_t channels, double momentum, double eps,
                   T* running_mean, T* running_var, double* out) {
  const int64_t c = global_thread();
  if (c == 0) out[2 * channels] = sums[2 * channels];
  if (c >= channels) return;
  tdbn_moments_channel(sums, channels, c, momentum, eps, running_mean, running_var, out);
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    forward_constants_kernel(const double* moments, const T* weight, const T* bias,
                             int64_t channels, T* scale, T* shift) {
  const int64_t c = global_thread();
  if (c < channels) tdbn_forward_channel(moments, weight, bias, channels, c, scale, shift);
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    backward_constants_kernel(const double* moments, const T* weight, const double* sums,
                              int64_t channels, T* a, T* b, T* d, T* mean) {
  const int64_t c = global_thread();
  if (c >= channels) return;
  mean[c] = static_cast<T>(moments[c]);
  if (a != nullptr) tdbn_backward_channel(moments, weight, sums, channels, c, a, b, d);
}

template <typename Input, typename Pair>
void sums(const Input& a, const Pair& make, double* partial, double* out, cudaStream_t stream) {
  const TdbnTile tile = tdbn_tile(a);
  const int64_t width = 2 * a.order.channels;
  tile_kernel<<<static_cast<unsigned>(tile.count()), kBlockThreads, 0, stream>>>(a, tile, partial,
                                                                                 make);
  stretch_kernel<<<static_cast<unsigned>(width), kWarp, 0, stream>>>(partial, tile.stretches, width,
                                                                     out);
}

template <typename T>
void stats(const TdbnInput<T>& a, double* partial, double* out, cudaStream_t stream) {
  sums(a, MakeStats<T>{}, partial, out, stream);
  const auto n = static_cast<double>(a.steps * a.order.count(a.neurons));
  uncentre_kernel<<<blocks_for(a.order.channels), kBlockThreads, 0, stream>>>(a, n, out);
  check_launch("_tdbn_stats");
}

template <typename T>
void grad_sums(const TdbnGradSums<T>& a, Steps<T> dz, double* partial, double* out,
               cudaStream_t stream) {
  sums(a, MakeGrad<T>{dz}, partial, out, stream);
  check_launch("_tdbn_grad_sums");
}

template <typename T>
int64_t partial_size(const TdbnInput<T>& a) {
  return tdbn_tile(a).stretches * 2 * a.order.channels;
}

// One thread an item of an element-wise kernel.
template <typename... Parameters, typename... Arguments>
void launch(const char* op, void (*kernel)(Parameters...), int64_t items, cudaStream_t stream,
            const Arguments&... arguments) {
  kernel<<<blocks_for(items), kBlockThreads, 0, stream>>>(arguments...);
  check_launch(op);
}

template <typename T, Reset kReset>
void add_lif(const TdbnForward<T>& a, const LifForward<T>& lif, cudaStream_t stream) {
  const char* op = "tdbn_add_lif";
  if (lif.plane != nullptr) {
    launch(op, lif_kernel<T, kReset, true>, a.neurons, stream, a, lif);
  } else {
    launch(op, lif_kernel<T, kReset, false>, a.neurons, stream, a, lif);
  }
}

template <typename T>
void add_lif(const TdbnForward<T>& a, const LifForward<T>& lif, cudaStream_t stream) {
  if (lif.reset == Reset::kHard) return add_lif<T, Reset::kHard>(a, lif, stream);
  add_lif<T, Reset::kSoft>(a, lif, stream);
}

}  // namespace

int64_t tdbn_cuda_partial(const TdbnInput<float>& a) { return partial_size(a); }
int64_t tdbn_cuda_partial(const TdbnInput<double>& a) { return partial_size(a); }

void tdbn_stats_cuda(const TdbnInput<float>& a, double* partial, double* out,
                     CUstream_st* stream) {
  stats(a, partial, out, stream);
}

void tdbn_stats_cuda(const TdbnInput<double>& a, double* partial, double* out,
                     CUstream_st* stream) {
  stats(a, partial, out, stream);
}

void tdbn_grad_sums_cuda(const TdbnGradSums<float>& a, Steps<float> dz, double* partial,
                         double* out, CUstream_st* stream) {
  grad_sums(a, dz, partial, out, stream);
}

void tdbn_grad_sums_cuda(const TdbnGradSums<double>& a, Steps<double> dz, double* partial,
                         double* out, CUstream_st* stream) {
  grad_sums(a, dz, partial, out, stream);
}

void tdbn_add_cuda(const TdbnForward<float>& a, CUstream_st* stream) {
  launch("tdbn_add", add_kernel<float>, a.neurons, stream, a);
}

void tdbn_add_cuda(const TdbnForward<double>& a, CUstream_st* stream) {
  launch("tdbn_add", add_kernel<double>, a.neurons, stream, a);
}

void tdbn_add_lif_cuda(const TdbnForward<float>& a, const LifForward<float>& lif,
                       CUstream_st* stream) {
  add_lif(a, lif, stream);
}

void tdbn_add_lif_cuda(const TdbnForward<double>& a, const LifForward<double>& lif,
                       CUstream_st* stream) {
  add_lif(a, lif, stream);
}

void tdbn_add_steps_cuda(const TdbnGradSums<float>& a, float* dz, CUstream_st* stream) {
  launch("_tdbn_lif_grad_sums", add_steps_kernel<float>, a.neurons, stream, a, dz);
}

void tdbn_add_steps_cuda(const TdbnGradSums<double>& a, double* dz, CUstream_st* stream) {
  launch("_tdbn_lif_grad_sums", add_steps_kernel<double>, a.neurons, stream, a, dz);
}

void tdbn_grad_cuda(const TdbnBackward<float>& a, CUstream_st* stream) {
  launch("_tdbn_grad", grad_kernel<float>, a.neurons, stream, a);
}

void tdbn_grad_cuda(const TdbnBackward<double>& a, CUstream_st* stream) {
  launch("_tdbn_grad", grad_kernel<double>, a.neurons, stream, a);
}

void tdbn_moments_cuda(const double* sums, int64_t channels, double momentum, double eps,
                       float* running_mean, float* running_var, double* out, CUstream_st* stream) {
  launch("_tdbn_moments", moments_kernel<float>, channels, stream, sums, channels, momentum, eps,
         running_mean, running_var, out);
}

void tdbn_moments_cuda(const double* sums, int64_t channels, double momentum, double eps,
                       double* running_mean, double* running_var, double* out,
                       CUstream_st* stream) {
  launch("_tdbn_moments", moments_kernel<double>, channels, stream, sums, channels, momentum, eps,
         running_mean, running_var, out);
}

void tdbn_forward_constants_cuda(const double* moments, const float* weight, const float* bias,
                                 int64_t channels, float* scale, float* shift,
                                 CUstream_st* stream) {
  launch("tdbn_add", forward_constants_kernel<float>, channels, stream, moments, weight, bias,
         channels, scale, shift);
}

void tdbn_forward_constants_cuda(const double* moments, const double* weight, const double* bias,
                                 int64_t channels, double* scale, double* shift,
                                 CUstream_st* stream) {
  launch("tdbn_add", forward_constants_kernel<double>, channels, stream, moments, weight, bias,
         channels, scale, shift);
}

void tdbn_backward_constants_cuda(const double* moments, const float* weight, const double* sums,
                                  int64_t channels, float* a, float* b, float* d, float* mean,
                                  CUstream_st* stream) {
  launch("_tdbn_grad", backward_constants_kernel<float>, channels, stream, moments, weight, sums,
         channels, a, b, d, mean);
}

void tdbn_backward_constants_cuda(const double* moments, const double* weight, const double* sums,
                                  int64_t channels, double* a, double* b, double* d, double* mean,
                                  CUstream_st* stream) {
  launch("_tdbn_grad", backward_constants_kernel<double>, channels, stream, moments, weight, sums,
         channels, a, b, d, mean);
}

}  // namespace lampyris
