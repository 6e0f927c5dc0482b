// One thread an element forward; one block a piece, then one block a channel backward.
#include "ops/fake_quantize/fake_quantize.h"
#include "ops/fake_quantize/fake_quantize_team.h"
#include "ops/launch.cuh"

namespace lampyris {

namespace {

template <typename T>
__global__ void __launch_bounds__(kBlockThreads) forward_kernel(const FakeQuantize<T> a, T* out) {
  const int64_t k = global_thread();
  if (k >= a.rows() * a.inner) return;
  const bool kept = a.mask == nullptr || a.mask[k];
  out[k] = kept ? fake_quantize_value(a.x[k], a.at(k / a.inner % a.channels)) : T(0);
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    piece_kernel(const FakeQuantize<T> a, const T* grad, T* grad_x, double* sums) {
  __shared__ double shared[kWarp];
  fake_quantize_piece(CudaTeam{shared}, a, grad, grad_x, sums, static_cast<int64_t>(blockIdx.x));
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    channel_kernel(const FakeQuantize<T> a, const double* sums, double factor, T* grad_scale,
                   T* grad_offset) {
  __shared__ double shared[kWarp];
  fake_quantize_channel(CudaTeam{shared}, a, sums, factor, grad_scale, grad_offset,
                        static_cast<int64_t>(blockIdx.x));
}

// Short rows get a warp, long ones a full block.
int team_threads(int64_t items) { return items <= kWarp ? kWarp : kBlockThreads; }

template <typename T>
void forward(const FakeQuantize<T>& a, T* out, cudaStream_t stream) {
  forward_kernel<<<blocks_for(a.rows() * a.inner), kBlockThreads, 0, stream>>>(a, out);
  check_launch("fake_quantize");
}

template <typename T>
void backward(const FakeQuantize<T>& a, const T* grad, T* grad_x, double* sums, double factor,
              T* grad_scale, T* grad_offset, cudaStream_t stream) {
  const auto pieces = static_cast<unsigned>(a.rows() * pieces_per_row(a));
  piece_kernel<<<pieces, team_threads(a.inner), 0, stream>>>(a, grad, grad_x, sums);
  const auto channels = static_cast<unsigned>(a.channels);
  const int threads = team_threads(a.outer * pieces_per_row(a));
  channel_kernel<<<channels, threads, 0, stream>>>(a, sums, factor, grad_scale, grad_offset);
  check_launch("_fake_quantize_backward");
}

}  // namespace

void fake_quantize_cuda(const FakeQuantize<float>& a, float* out, CUstream_st* stream) {
  forward(a, out, stream);
}

void fake_quantize_cuda(const FakeQuantize<double>& a, double* out, CUstream_st* stream) {
  forward(a, out, stream);
}

void fake_quantize_backward_cuda(const FakeQuantize<float>& a, const float* grad, float* grad_x,
                                 double* sums, double factor, float* grad_scale, float* grad_offset,
                                 CUstream_st* stream) {
  backward(a, grad, grad_x, sums, factor, grad_scale, grad_offset, stream);
}

void fake_quantize_backward_cuda(const FakeQuantize<double>& a, const double* grad, double* grad_x,
                                 double* sums, double factor, double* grad_scale,
                                 double* grad_offset, CUstream_st* stream) {
  backward(a, grad, grad_x, sums, factor, grad_scale, grad_offset, stream);
}

}  // namespace lampyris
