// The passes of tdbn_add_lif on 16 floats at a time.
#if defined(__x86_64__)
#define LAMPYRIS_WIDE 512
#include "ops/tdbn_add/tdbn_add_isa.h"
#include "ops/tdbn_add/tdbn_add_wide.h"

namespace lampyris {

void tdbn_add_lif_avx512(const TdbnForward<float>& a, const LifForward<float>& lif, int64_t begin,
                         int64_t end) {
  add_lif_any(a, lif, begin, end);
}

void tdbn_lif_grad_sums_avx512(const TdbnGradSums<float>& a, const LifBackward<float>& lif,
                               double* partial, int64_t begin, int64_t end) {
  lif_grad_sums_any(a, lif, partial, begin, end);
}

}  // namespace lampyris
#endif
