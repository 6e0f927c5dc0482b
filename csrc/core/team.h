// Cooperative kernels are templates over a team: lane(), size(), sync(), sum(double) and
// max(int32_t), which return the total and the largest in every lane. SerialTeam is one lane; tests run the same code on std::threads,
// CUDA on the threads of a block.
#pragma once

#include <cstdint>

#include "core/attributes.h"

namespace lampyris {

// What a team needs to compile for host and device: no annotation, the caller decides.
#if defined(__CUDACC__)
#define LAMPYRIS_TEAM __device__ inline
#define LAMPYRIS_TEAM_INLINE __device__ __forceinline__
#else
#define LAMPYRIS_TEAM inline
#define LAMPYRIS_TEAM_INLINE LAMPYRIS_INLINE
#endif

struct SerialTeam {
  int64_t lane() const { return 0; }
  int64_t size() const { return 1; }
  void sync() const {}
  double sum(double value) const { return value; }
  int32_t max(int32_t value) const { return value; }
};

}  // namespace lampyris
