// Function attributes shared by host and device code.
#pragma once

#if defined(__CUDACC__)
#define LAMPYRIS_HD __host__ __device__
#define LAMPYRIS_INLINE __host__ __device__ __forceinline__
#else
#define LAMPYRIS_HD
// A file that works on vectors of cpu/wide.h defines LAMPYRIS_WIDE (512 or 256, their bits) before
// its first include: everything inline is then compiled for that instruction set, so that one rule
// serves all widths. Functions that are not inline there belong in an anonymous namespace.
#if defined(__x86_64__) && defined(LAMPYRIS_WIDE)
#if LAMPYRIS_WIDE == 512
#define LAMPYRIS_WIDE_TARGET __attribute__((target("arch=x86-64-v4,prefer-vector-width=512")))
#else
#define LAMPYRIS_WIDE_TARGET __attribute__((target("arch=x86-64-v3")))
#endif
#else
#define LAMPYRIS_WIDE_TARGET
#endif
#define LAMPYRIS_INLINE inline __attribute__((always_inline)) LAMPYRIS_WIDE_TARGET
#endif
