// The kernels of ilif for each instruction set; ilif_cpu.cpp chooses. X is not double above baseline.
#pragma once

#include "ops/ilif/ilif.h"

namespace lampyris {

template <typename X>
void ilif_forward_avx2(const LifForward<X>& a, int64_t begin, int64_t end);
template <typename X>
void ilif_backward_avx2(const LifBackward<X>& a, int64_t begin, int64_t end);
template <typename X>
void ilif_forward_avx512(const LifForward<X>& a, int64_t begin, int64_t end);
template <typename X>
void ilif_backward_avx512(const LifBackward<X>& a, int64_t begin, int64_t end);

}  // namespace lampyris
