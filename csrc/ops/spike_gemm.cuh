// Fragments of the tensor cores, and the kernels that pack weights and run tiles.
#pragma once

#include <cuda_bf16.h>
#include <mma.h>

#include "ops/launch.cuh"
#include "ops/spike_gemm.h"

namespace lampyris {

struct TensorCores {
  static constexpr int kWarp = 32;
  template <class Use, class Layout>
  using Operand =
      nvcuda::wmma::fragment<Use, kFragment, kFragment, kFragment, __nv_bfloat16, Layout>;
  using A = Operand<nvcuda::wmma::matrix_a, nvcuda::wmma::row_major>;
  using B = Operand<nvcuda::wmma::matrix_b, nvcuda::wmma::row_major>;
  using Sum = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, kFragment, kFragment, kFragment,
                                     float>;

  __device__ static void fill(Sum& sum) { nvcuda::wmma::fill_fragment(sum, 0.0F); }
  __device__ static void load_a(A& a, const uint16_t* from, int stride) {
    nvcuda::wmma::load_matrix_sync(a, reinterpret_cast<const __nv_bfloat16*>(from), stride);
  }
  __device__ static void load_b(B& b, const uint16_t* from, int stride) {
    nvcuda::wmma::load_matrix_sync(b, reinterpret_cast<const __nv_bfloat16*>(from), stride);
  }
  __device__ static void multiply(Sum& sum, const A& a, const B& b) {
    nvcuda::wmma::mma_sync(sum, a, b, sum);
  }
  __device__ static void store(float* to, const Sum& sum, int stride) {
    nvcuda::wmma::store_matrix_sync(to, sum, stride, nvcuda::wmma::mem_row_major);
  }
  __device__ static void copy_16_bytes(const uint16_t* from, uint16_t* to) {
    *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
  }
};

// Blocks along x are tiles of rows, along y tiles of columns.
template <int kParts, class Words>
__global__ void __launch_bounds__(kGemmWarps* TensorCores::kWarp)
    spike_gemm_kernel(const SpikeGemm g, const Words words) {
  __shared__ GemmShared<kParts> shared;
  const CudaTeam team{nullptr};
  spike_gemm_tile<TensorCores, kParts>(team, g, words, static_cast<int64_t>(blockIdx.x) * kGemmRows,
                                       static_cast<int64_t>(blockIdx.y) * kGemmColumns, shared);
}

// Weight (column n, depth word k, bit j) is at weight[n * column_stride + words.at(k, j)], or there
// is none where that is negative.
template <int kParts, class Places>
__global__ void __launch_bounds__(kBlockThreads)
    pack_gemm_weight_kernel(const float* weight, int64_t column_stride, const Places places,
                            int64_t depth_words, int64_t columns, int64_t padded,
                            uint16_t* packed) {
  const int64_t e = global_thread();
  if (e >= depth_words * kGemmDepth * padded) return;
  const int64_t n = e % padded, d = e / padded;
  const int64_t k = d / kGemmDepth, j = d % kGemmDepth;
  const int64_t place = n < columns ? places.at(k, static_cast<int>(j)) : -1;
  const float value = place < 0 ? 0.0F : weight[n * column_stride + place];
  for (int part = 0; part < kParts; ++part) {
    packed[((k * kParts + part) * kGemmDepth + j) * padded + n] = bfloat16_term(value, part);
  }
}

// Packs the weights of g (into `packed`, which g.weight points at) and multiplies.
template <int kParts, class Words, class Places>
void launch_spike_gemm(const SpikeGemm& g, const Words& words, const float* weight,
                       int64_t column_stride, const Places& places, uint16_t* packed,
                       cudaStream_t stream) {
  const int64_t padded = g.padded_columns();
  pack_gemm_weight_kernel<kParts>
      <<<blocks_for(g.depth_words * kGemmDepth * padded), kBlockThreads, 0, stream>>>(
          weight, column_stride, places, g.depth_words, g.columns, padded, packed);
  const dim3 blocks(blocks_for(g.rows, kGemmRows), blocks_for(g.columns, kGemmColumns));
  spike_gemm_kernel<kParts><<<blocks, kGemmWarps * TensorCores::kWarp, 0, stream>>>(g, words);
}

}  // namespace lampyris
