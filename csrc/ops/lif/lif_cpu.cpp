// The choice of the kernels by instruction set, and their baseline form (any processor; float64,
// which is for gradient checks, has no other).
#include "cpu/isa.h"
#include "ops/lif/lif_backward_wide.h"
#include "ops/lif/lif_forward_wide.h"
#include "ops/lif/lif_isa.h"

namespace lampyris {

template <typename X>
void lif_forward_blocks(const LifForward<X>& a, int64_t begin, int64_t end) {
#if defined(__x86_64__)
  if constexpr (!std::is_same_v<X, double>) {
    if (isa() >= Isa::kAvx512) return lif_forward_avx512(a, begin, end);
    if (isa() == Isa::kAvx2) return lif_forward_avx2(a, begin, end);
  }
#endif
  forward_any(a, begin, end);
}

template <typename X>
void lif_backward_blocks(const LifBackward<X>& a, int64_t begin, int64_t end) {
#if defined(__x86_64__)
  if constexpr (!std::is_same_v<X, double>) {
    if (isa() >= Isa::kAvx512) return lif_backward_avx512(a, begin, end);
    if (isa() == Isa::kAvx2) return lif_backward_avx2(a, begin, end);
  }
#endif
  backward_any(a, begin, end);
}

template void lif_forward_blocks(const LifForward<float>&, int64_t, int64_t);
template void lif_forward_blocks(const LifForward<double>&, int64_t, int64_t);
template void lif_forward_blocks(const LifForward<BFloat16>&, int64_t, int64_t);
template void lif_forward_blocks(const LifForward<Float16>&, int64_t, int64_t);
template void lif_backward_blocks(const LifBackward<float>&, int64_t, int64_t);
template void lif_backward_blocks(const LifBackward<double>&, int64_t, int64_t);
template void lif_backward_blocks(const LifBackward<BFloat16>&, int64_t, int64_t);
template void lif_backward_blocks(const LifBackward<Float16>&, int64_t, int64_t);

}  // namespace lampyris
