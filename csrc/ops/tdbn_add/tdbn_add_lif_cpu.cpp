// The choice of the passes with neurons by instruction set, and their baseline form (float64, which
// is for gradient checks, has no other).
#include "cpu/isa.h"
#include "ops/tdbn_add/tdbn_add_isa.h"
#include "ops/tdbn_add/tdbn_add_wide.h"

namespace lampyris {

void tdbn_add_lif_blocks(const TdbnForward<float>& a, const LifForward<float>& lif, int64_t begin,
                         int64_t end) {
#if defined(__x86_64__)
  if (isa() >= Isa::kAvx512) return tdbn_add_lif_avx512(a, lif, begin, end);
  if (isa() == Isa::kAvx2) return tdbn_add_lif_avx2(a, lif, begin, end);
#endif
  add_lif_any(a, lif, begin, end);
}

void tdbn_add_lif_blocks(const TdbnForward<double>& a, const LifForward<double>& lif, int64_t begin,
                         int64_t end) {
  add_lif_any(a, lif, begin, end);
}

void tdbn_lif_grad_sums_tasks(const TdbnGradSums<float>& a, const LifBackward<float>& lif,
                              double* partial, int64_t begin, int64_t end) {
#if defined(__x86_64__)
  if (isa() >= Isa::kAvx512) return tdbn_lif_grad_sums_avx512(a, lif, partial, begin, end);
  if (isa() == Isa::kAvx2) return tdbn_lif_grad_sums_avx2(a, lif, partial, begin, end);
#endif
  lif_grad_sums_any(a, lif, partial, begin, end);
}

void tdbn_lif_grad_sums_tasks(const TdbnGradSums<double>& a, const LifBackward<double>& lif,
                              double* partial, int64_t begin, int64_t end) {
  lif_grad_sums_any(a, lif, partial, begin, end);
}

}  // namespace lampyris
