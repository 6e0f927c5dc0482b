// float32 on the tensor cores (ops/spike_gemm.h); float64 one thread an output value.
#include "ops/launch.cuh"
#include "ops/spike_gemm.cuh"
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

struct LinearPlaces {
  int64_t inputs;

  __device__ int64_t at(int64_t k, int bit) const {
    const int64_t input = k * kGemmDepth + bit;
    return input < inputs ? input : -1;
  }
};

}  // namespace

void spike_linear_cuda(const SpikeLinear<double>& a, CUstream_st* stream) {
  linear_kernel<<<blocks_for(a.rows * a.outputs), kBlockThreads, 0, stream>>>(a);
  check_launch("spike_linear");
}

void spike_linear_gemm_cuda(const SpikeLinear<float>& a, bool to_bfloat16, uint16_t* packed,
                            CUstream_st* stream) {
  const int64_t width = (a.inputs + kGemmDepth - 1) / kGemmDepth;
  const SpikeGemm g{a.rows, a.outputs, width, packed, a.bias, a.out, a.outputs};
  const MatrixWords words{a.words, width};
  const LinearPlaces places{a.inputs};
  if (to_bfloat16) {
    launch_spike_gemm<1>(g, words, a.weight, a.inputs, places, packed, stream);
  } else {
    launch_spike_gemm<3>(g, words, a.weight, a.inputs, places, packed, stream);
  }
  check_launch("spike_linear");
}

}  // namespace lampyris
