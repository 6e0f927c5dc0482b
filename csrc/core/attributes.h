// Function attributes shared by host and device code.
#pragma once

#if defined(__CUDACC__)
#define LAMPYRIS_HD __host__ __device__
#define LAMPYRIS_INLINE __host__ __device__ __forceinline__
#else
#define LAMPYRIS_HD
#define LAMPYRIS_INLINE inline __attribute__((always_inline))
#endif
