// The choice of the kernels by instruction set, their baseline form, and the expansion.
#include "cpu/isa.h"
#include "ops/ilif/ilif_wide.h"

namespace lampyris {

template <typename X>
void ilif_forward_blocks(const LifForward<X>& a, int64_t begin, int64_t end) {
#if defined(__x86_64__)
  if constexpr (!std::is_same_v<X, double>) {
    if (isa() >= Isa::kAvx512) return ilif_forward_avx512(a, begin, end);
    if (isa() == Isa::kAvx2) return ilif_forward_avx2(a, begin, end);
  }
#endif
  counts_forward(a, begin, end);
}

template <typename X>
void ilif_backward_blocks(const LifBackward<X>& a, int64_t begin, int64_t end) {
#if defined(__x86_64__)
  if constexpr (!std::is_same_v<X, double>) {
    if (isa() >= Isa::kAvx512) return ilif_backward_avx512(a, begin, end);
    if (isa() == Isa::kAvx2) return ilif_backward_avx2(a, begin, end);
  }
#endif
  counts_backward(a, begin, end);
}

template <typename X>
void ilif_expand_rows(const X* counts, int64_t neurons, int64_t max_spikes, X* out, int64_t begin,
                      int64_t end) {
  using T = Compute<X>;
  const X one = narrow<X>(T(1)), zero = narrow<X>(T(0));
  for (int64_t row = begin; row < end; ++row) {
    const X* const from = counts + row / max_spikes * neurons;
    const T least = static_cast<T>(row % max_spikes);
    X* const to = out + row * neurons;
    for (int64_t n = 0; n < neurons; ++n) to[n] = widen(from[n]) > least ? one : zero;
  }
}

#define LAMPYRIS_ILIF(X)                                                          \
  template void ilif_forward_blocks(const LifForward<X>&, int64_t, int64_t);      \
  template void ilif_backward_blocks(const LifBackward<X>&, int64_t, int64_t);    \
  template void ilif_expand_rows(const X*, int64_t, int64_t, X*, int64_t, int64_t)
LAMPYRIS_ILIF(float);
LAMPYRIS_ILIF(double);
LAMPYRIS_ILIF(BFloat16);
LAMPYRIS_ILIF(Float16);
#undef LAMPYRIS_ILIF

}  // namespace lampyris
