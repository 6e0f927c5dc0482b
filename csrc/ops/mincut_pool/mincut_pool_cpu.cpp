// The passes of mincut_pool for any processor, and the choice among those of the instruction sets.
#include "cpu/isa.h"
#include "ops/mincut_pool/mincut_pool_wide.h"

namespace lampyris {

LAMPYRIS_MINCUT_DEFINE(double, )

#if defined(__x86_64__)
#define LAMPYRIS_MINCUT_WIDER(function, ...)                                  \
  if (isa() >= Isa::kAvx512) return function##_avx512(__VA_ARGS__);           \
  if (isa() == Isa::kAvx2) return function##_avx2(__VA_ARGS__);
#else
#define LAMPYRIS_MINCUT_WIDER(function, ...)
#endif

void mincut_softmax_rows(const MincutForward<float>& a, int64_t begin, int64_t end) {
  LAMPYRIS_MINCUT_WIDER(mincut_softmax_rows, a, begin, end)
  softmax_any(a, begin, end);
}

void mincut_spread_rows(const MincutGraph<float>& a, const float* s, float* y, float* signs,
                        int64_t begin, int64_t end) {
  LAMPYRIS_MINCUT_WIDER(mincut_spread_rows, a, s, y, signs, begin, end)
  spread_any(a, s, y, signs, begin, end);
}

void mincut_products_task(const MincutForward<float>& a, const MincutTask& task, float* sums) {
  LAMPYRIS_MINCUT_WIDER(mincut_products_task, a, task, sums)
  products_any(a, task, sums);
}

void mincut_grad_task(const MincutBackward<float>& a, const MincutTask& task) {
  LAMPYRIS_MINCUT_WIDER(mincut_grad_task, a, task)
  grad_any(a, task);
}

void mincut_lift_task(const MincutLift<float>& a, const MincutTask& task) {
  LAMPYRIS_MINCUT_WIDER(mincut_lift_task, a, task)
  lift_any(a, task);
}

void mincut_lift_grad_task(const MincutLift<float>& a, const MincutTask& task, float* sums) {
  LAMPYRIS_MINCUT_WIDER(mincut_lift_grad_task, a, task, sums)
  lift_grad_any(a, task, sums);
}

}  // namespace lampyris
