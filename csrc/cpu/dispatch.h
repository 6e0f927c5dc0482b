// Run-time choice of the instruction set for a kernel. A kernel body is a struct with a static
// LAMPYRIS_INLINE template `run<Target>(args...)`; dispatch<Body>(args...) calls the instantiation
// compiled for isa(). Lambdas inside a body must be always_inline too, or they stay at baseline.
#pragma once

#include "core/attributes.h"
#include "cpu/isa.h"

#if defined(__x86_64__)
// For target attributes. Clang has no name for the width there.
#if defined(__clang__)
#define LAMPYRIS_V4 "arch=x86-64-v4"
#else
#define LAMPYRIS_V4 "arch=x86-64-v4,prefer-vector-width=512"
#endif
#define LAMPYRIS_TARGET_AVX2 __attribute__((target("arch=x86-64-v3")))
#define LAMPYRIS_TARGET_AVX512 __attribute__((target(LAMPYRIS_V4)))
#endif

namespace lampyris {

// Tags that pick intrinsics inside a body (see cpu/bits.h).
struct Baseline {};
struct Avx2 {};
struct Avx512 {};
struct Amx : Avx512 {};  // overloads for Avx512 serve both

#if defined(__x86_64__)
template <class Body, class... Args>
LAMPYRIS_TARGET_AVX512 void run_avx512(const Args&... args) {
  Body::template run<Avx512>(args...);
}

// For bodies on tiles (cpu/tiles.h), which call it themselves where isa() is kAmx; dispatch() gives
// every other body Avx512 there.
template <class Body, class... Args>
LAMPYRIS_TARGET_AVX512 void run_amx(const Args&... args) {
  Body::template run<Amx>(args...);
}

template <class Body, class... Args>
LAMPYRIS_TARGET_AVX2 void run_avx2(const Args&... args) {
  Body::template run<Avx2>(args...);
}
#endif

template <class Body, class... Args>
void run_baseline(const Args&... args) {
  Body::template run<Baseline>(args...);
}

template <class Body, class... Args>
void dispatch(const Args&... args) {
#if defined(__x86_64__)
  const Isa chosen = isa();
  if (chosen >= Isa::kAvx512) return run_avx512<Body>(args...);
  if (chosen == Isa::kAvx2) return run_avx2<Body>(args...);
#endif
  run_baseline<Body>(args...);
}

}  // namespace lampyris
