// Launch shapes and the block-wide team of the CUDA kernels.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace lampyris {

inline constexpr int kBlockThreads = 256;
inline constexpr int kWarp = 32;

inline unsigned blocks_for(int64_t items, int threads = kBlockThreads) {
  return static_cast<unsigned>((items + threads - 1) / threads);
}

inline void check_launch(const char* op) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) {
    throw std::runtime_error(std::string(op) + ": launch failed: " + cudaGetErrorString(error));
  }
}

__device__ inline int64_t global_thread() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// The threads of one block as a team (see core/team.h); blockDim.x is a multiple of 32.
struct CudaTeam {
  double* shared;  // kWarp doubles of shared memory

  __device__ int64_t lane() const { return threadIdx.x; }
  __device__ int64_t size() const { return blockDim.x; }
  __device__ void sync() const { __syncthreads(); }

  // The sum of every lane's value, in a fixed order, in every lane.
  __device__ double sum(double value) const {
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
      value += __shfl_down_sync(0xFFFFFFFFU, value, offset);
    }
    __syncthreads();
    if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = value;
    __syncthreads();
    double total = 0;
    for (unsigned w = 0; w < blockDim.x / kWarp; ++w) total += shared[w];
    return total;
  }
};

// The threads of one warp as a team, all of them there.
struct WarpTeam {
  __device__ int64_t lane() const { return threadIdx.x % kWarp; }
  __device__ int64_t size() const { return kWarp; }
  __device__ void sync() const { __syncwarp(); }

  __device__ int32_t max(int32_t value) const {
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
      const int32_t other = __shfl_xor_sync(0xFFFFFFFFU, value, offset);
      value = other > value ? other : value;
    }
    return value;
  }
};

}  // namespace lampyris
