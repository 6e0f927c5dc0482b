// The kernels of ilif on 8 floats at a time.
#if defined(__x86_64__)
#define LAMPYRIS_WIDE 256
#include "ops/ilif/ilif_wide.h"

namespace lampyris {

template <typename X>
void ilif_forward_avx2(const LifForward<X>& a, int64_t begin, int64_t end) {
  counts_forward(a, begin, end);
}

template <typename X>
void ilif_backward_avx2(const LifBackward<X>& a, int64_t begin, int64_t end) {
  counts_backward(a, begin, end);
}

template void ilif_forward_avx2(const LifForward<float>&, int64_t, int64_t);
template void ilif_forward_avx2(const LifForward<BFloat16>&, int64_t, int64_t);
template void ilif_forward_avx2(const LifForward<Float16>&, int64_t, int64_t);
template void ilif_backward_avx2(const LifBackward<float>&, int64_t, int64_t);
template void ilif_backward_avx2(const LifBackward<BFloat16>&, int64_t, int64_t);
template void ilif_backward_avx2(const LifBackward<Float16>&, int64_t, int64_t);

}  // namespace lampyris
#endif
