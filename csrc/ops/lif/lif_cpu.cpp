#include "ops/lif/lif_forward.h"

namespace lampyris {

namespace {

template <typename T>
void forward(const LifForward<T>& a, int64_t begin, int64_t end) {
  if (a.rounding == Rounding::kFloor) {
    lif_forward_floor(a, begin, end);
  } else {
    lif_forward_rounded<Rounding::kNone>(a, begin, end);
  }
}

}  // namespace

void lif_forward_blocks(const LifForward<float>& a, int64_t begin, int64_t end) {
  forward(a, begin, end);
}

void lif_forward_blocks(const LifForward<double>& a, int64_t begin, int64_t end) {
  forward(a, begin, end);
}

}  // namespace lampyris
