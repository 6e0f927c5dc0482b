// Batch norm with statistics per channel over T, B, H and W, plus a residual, plus neurons over T.
// Two passes over memory each way: per-channel sums, then everything else while a block of neurons
// is in cache. A step has N neurons in the memory order of x[0]; T is innermost.
#pragma once

#include <cstdint>

#include "ops/lif/lif.h"

struct CUstream_st;

namespace lampyris {

// Neuron n of a step has channel (n / inner) % channels: inner is 1 for channels_last, H W for
// contiguous maps.
struct ChannelOrder {
  int64_t channels = 1;
  int64_t inner = 1;

  LAMPYRIS_INLINE int64_t at(int64_t n) const { return n / inner % channels; }
  // Values of one channel in a step.
  LAMPYRIS_INLINE int64_t count(int64_t neurons) const { return neurons / channels; }
  // Neuron of value k of channel c, in memory order.
  LAMPYRIS_INLINE int64_t neuron(int64_t c, int64_t k) const {
    return (k / inner * channels + c) * inner + k % inner;
  }
};

// T steps of N values; a step stride of 0 is a tensor expanded over T.
template <typename T>
struct Steps {
  const T* data = nullptr;
  int64_t stride = 0;

  LAMPYRIS_INLINE const T* at(int64_t t) const { return data + t * stride; }
};

template <typename T>
struct TdbnInput {
  int64_t steps = 0, neurons = 0;
  ChannelOrder order;
  Steps<T> x;
};

// y = x scale + shift + residual, evaluated from left to right without contraction.
template <typename T>
LAMPYRIS_INLINE T tdbn_value(T x, T scale, T shift) {
  return x * scale + shift;
}

template <typename T>
struct TdbnForward : TdbnInput<T> {
  Steps<T> residual;         // data null is 0
  const T* scale = nullptr;  // [C] weight / sqrt(var + eps)
  const T* shift = nullptr;  // [C] bias - mean scale
  T* stream = nullptr;       // [T, N]; null when only the neurons read it
  bool past_caches = false;  // write it past the caches
};

// Gradient of the norm; with given statistics b = d = 0.
template <typename T>
LAMPYRIS_INLINE T tdbn_gradient(T dz, T x, T a, T b, T d, T mean) {
  return (a * dz + b * (x - mean)) + d;
}

template <typename T>
struct TdbnBackward : TdbnInput<T> {
  Steps<T> grad;                                     // dz
  const T *a = nullptr, *b = nullptr, *d = nullptr;  // [C] each
  const T* mean = nullptr;                           // [C]
  T* grad_x = nullptr;                               // [T, N]
  bool past_caches = false;                          // write it past the caches
};

// What pass 1 of the backward adds per channel: sums of dz and of dz (x - mean).
template <typename T>
struct TdbnGradSums : TdbnInput<T> {
  const T* mean = nullptr;  // [C]
  Steps<T> grad_stream;     // data null is 0
};

// Sums are made in tasks of this many blocks of kLifBlock neurons, over all steps: each has its
// row of `partial`, so that results do not depend on threads.
inline constexpr int64_t kTdbnTaskBlocks = 4;

inline int64_t tdbn_tasks(int64_t neurons) {
  constexpr int64_t kTask = kTdbnTaskBlocks * kLifBlock;
  return (neurons + kTask - 1) / kTask;
}

// A pair of sums for every channel: partial[task][2][C]. Statistics are sums of (x - pivot) and of
// its square, pivot being the channel's first value: no cancellation in float32 when the mean is
// far from 0.
void tdbn_stats_tasks(const TdbnInput<float>& a, double* partial, int64_t begin, int64_t end);
void tdbn_stats_tasks(const TdbnInput<double>& a, double* partial, int64_t begin, int64_t end);

// Adds partial[tasks][width] up, in order.
void tdbn_reduce(const double* partial, int64_t tasks, int64_t width, double* sums);

// Blocks [begin, end) of kLifBlock neurons.
void tdbn_add_blocks(const TdbnForward<float>& a, int64_t begin, int64_t end);
void tdbn_add_blocks(const TdbnForward<double>& a, int64_t begin, int64_t end);

// The same, then the neurons on the block: `lif` has everything but its x.
void tdbn_add_lif_blocks(const TdbnForward<float>& a, const LifForward<float>& lif, int64_t begin,
                         int64_t end);
void tdbn_add_lif_blocks(const TdbnForward<double>& a, const LifForward<double>& lif, int64_t begin,
                         int64_t end);

// Pass 1 of the backward; `dz` is what passes on to the residual. Without neurons dz is given.
void tdbn_grad_sums_tasks(const TdbnGradSums<float>& a, Steps<float> dz, double* partial,
                          int64_t begin, int64_t end);
void tdbn_grad_sums_tasks(const TdbnGradSums<double>& a, Steps<double> dz, double* partial,
                          int64_t begin, int64_t end);
// With neurons, lif.grad_x [T, N] is dz and is written first.
void tdbn_lif_grad_sums_tasks(const TdbnGradSums<float>& a, const LifBackward<float>& lif,
                              double* partial, int64_t begin, int64_t end);
void tdbn_lif_grad_sums_tasks(const TdbnGradSums<double>& a, const LifBackward<double>& lif,
                              double* partial, int64_t begin, int64_t end);

// Pass 2; grad_x may be the memory of dz.
void tdbn_grad_blocks(const TdbnBackward<float>& a, int64_t begin, int64_t end);
void tdbn_grad_blocks(const TdbnBackward<double>& a, int64_t begin, int64_t end);

// CUDA: `partial` has tdbn_cuda_partial() doubles; sums are those of the CPU front, [2 C + 1] or
// [2 C].
int64_t tdbn_cuda_partial(const TdbnInput<float>& a);
int64_t tdbn_cuda_partial(const TdbnInput<double>& a);
void tdbn_stats_cuda(const TdbnInput<float>& a, double* partial, double* sums, CUstream_st* stream);
void tdbn_stats_cuda(const TdbnInput<double>& a, double* partial, double* sums,
                     CUstream_st* stream);
void tdbn_grad_sums_cuda(const TdbnGradSums<float>& a, Steps<float> dz, double* partial,
                         double* sums, CUstream_st* stream);
void tdbn_grad_sums_cuda(const TdbnGradSums<double>& a, Steps<double> dz, double* partial,
                         double* sums, CUstream_st* stream);
void tdbn_add_cuda(const TdbnForward<float>& a, CUstream_st* stream);
void tdbn_add_cuda(const TdbnForward<double>& a, CUstream_st* stream);
void tdbn_add_lif_cuda(const TdbnForward<float>& a, const LifForward<float>& lif,
                       CUstream_st* stream);
void tdbn_add_lif_cuda(const TdbnForward<double>& a, const LifForward<double>& lif,
                       CUstream_st* stream);
void tdbn_add_steps_cuda(const TdbnGradSums<float>& a, float* dz, CUstream_st* stream);
void tdbn_add_steps_cuda(const TdbnGradSums<double>& a, double* dz, CUstream_st* stream);
void tdbn_grad_cuda(const TdbnBackward<float>& a, CUstream_st* stream);
void tdbn_grad_cuda(const TdbnBackward<double>& a, CUstream_st* stream);
void tdbn_moments_cuda(const double* sums, int64_t channels, double momentum, double eps,
                       float* running_mean, float* running_var, double* out, CUstream_st* stream);
void tdbn_moments_cuda(const double* sums, int64_t channels, double momentum, double eps,
                       double* running_mean, double* running_var, double* out,
                       CUstream_st* stream);
void tdbn_forward_constants_cuda(const double* moments, const float* weight, const float* bias,
                                 int64_t channels, float* scale, float* shift, CUstream_st* stream);
void tdbn_forward_constants_cuda(const double* moments, const double* weight, const double* bias,
                                 int64_t channels, double* scale, double* shift,
                                 CUstream_st* stream);
// a, b and d may be null: the means alone.
void tdbn_backward_constants_cuda(const double* moments, const float* weight, const double* sums,
                                  int64_t channels, float* a, float* b, float* d, float* mean,
                                  CUstream_st* stream);
void tdbn_backward_constants_cuda(const double* moments, const double* weight, const double* sums,
                                  int64_t channels, double* a, double* b, double* d, double* mean,
                                  CUstream_st* stream);

}  // namespace lampyris
