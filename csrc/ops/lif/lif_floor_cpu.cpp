#include "ops/lif/lif_forward.h"

namespace lampyris {

void lif_forward_floor(const LifForward<float>& a, int64_t begin, int64_t end) {
  lif_forward_rounded<Rounding::kFloor>(a, begin, end);
}

void lif_forward_floor(const LifForward<double>& a, int64_t begin, int64_t end) {
  lif_forward_rounded<Rounding::kFloor>(a, begin, end);
}

}  // namespace lampyris
