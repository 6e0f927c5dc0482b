// One thread an output value; the words of a row are read together.
#include "ops/launch.cuh"
#include "ops/spike_linear/spike_linear.h"

namespace lampyris {

namespace {

template <typename T>
__global__ void __launch_bounds__(kBlockThreads) linear_kernel(const SpikeLinear<T> a) {
  const int64_t e = global_thread();
  if (e >= a.rows * a.outputs) return;
  const int64_t n = e % a.outputs, width = (a.inputs + kWarp - 1) / kWarp;
  const uint32_t* words = a.words + e / a.outputs * width;
  const T* weight = a.weight + n * a.inputs;
  T sum = a.bias == nullptr ? T(0) : a.bias[n];
  for (int64_t w = 0; w < width; ++w) {
    for (uint32_t word = words[w]; word != 0; word &= word - 1) {
      sum += weight[w * kWarp + __ffs(static_cast<int>(word)) - 1];
    }
  }
  a.out[e] = sum;
}

template <typename T>
void launch(const SpikeLinear<T>& a, cudaStream_t stream) {
  linear_kernel<<<blocks_for(a.rows * a.outputs), kBlockThreads, 0, stream>>>(a);
  check_launch("spike_linear");
}

}  // namespace

void spike_linear_cuda(const SpikeLinear<float>& a, CUstream_st* stream) { launch(a, stream); }
void spike_linear_cuda(const SpikeLinear<double>& a, CUstream_st* stream) { launch(a, stream); }

}  // namespace lampyris
