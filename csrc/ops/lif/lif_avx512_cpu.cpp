// The kernels of lif on 16 floats at a time.
#if defined(__x86_64__)
#define LAMPYRIS_WIDE 512
#include "ops/lif/lif_backward_wide.h"
#include "ops/lif/lif_forward_wide.h"
#include "ops/lif/lif_isa.h"

namespace lampyris {

template <typename X>
void lif_forward_avx512(const LifForward<X>& a, int64_t begin, int64_t end) {
  forward_any(a, begin, end);
}

template <typename X>
void lif_backward_avx512(const LifBackward<X>& a, int64_t begin, int64_t end) {
  backward_any(a, begin, end);
}

template void lif_forward_avx512(const LifForward<float>&, int64_t, int64_t);
template void lif_forward_avx512(const LifForward<BFloat16>&, int64_t, int64_t);
template void lif_forward_avx512(const LifForward<Float16>&, int64_t, int64_t);
template void lif_backward_avx512(const LifBackward<float>&, int64_t, int64_t);
template void lif_backward_avx512(const LifBackward<BFloat16>&, int64_t, int64_t);
template void lif_backward_avx512(const LifBackward<Float16>&, int64_t, int64_t);

}  // namespace lampyris
#endif
