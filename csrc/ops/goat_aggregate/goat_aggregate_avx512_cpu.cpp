// The cells of goat_aggregate on 16 floats at a time.
#if defined(__x86_64__)
#define LAMPYRIS_WIDE 512
#include "ops/goat_aggregate/goat_aggregate_backward_wide.h"
#include "ops/goat_aggregate/goat_aggregate_forward_wide.h"
#include "ops/goat_aggregate/goat_aggregate_isa.h"

namespace lampyris {

void goat_forward_avx512(const GoatForward<float>& a, int64_t head, int64_t begin, int64_t end) {
  goat_forward_any(a, head, begin, end);
}

void goat_backward_avx512(const GoatBackward<float>& a, const GoatSums<float>& sums, int64_t head,
                         int64_t begin, int64_t end) {
  goat_backward_any(a, sums, head, begin, end);
}

}  // namespace lampyris
#endif
