#include "ops/magnitude_mask/magnitude_mask_front.h"

namespace lampyris {

namespace {

struct Cpu {
  static void scope(const MaskSegment* segments, int64_t count, int64_t prune, const Tensor&) {
    magnitude_mask_scope(segments, count, prune);
  }

  static void nm(const float* weight, uint8_t* mask, const NmShape& s, int n, int m,
                 const Tensor&) {
    constexpr int64_t kGrainElements = 1 << 14;
    const int64_t grain = std::max<int64_t>(1, kGrainElements / (s.length * s.inner));
    torch::stable::parallel_for(0, s.outer, grain, [&](int64_t begin, int64_t end) {
      nm_mask_rows(weight, mask, s, n, m, begin, end);
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // weights: float32 of any shapes; one bool mask each.
  m.def("magnitude_mask(Tensor[] weights, float sparsity, str scope) -> Tensor[]");
  // weight [.., C, ..] with C at dim >= 0 a multiple of m.
  m.def("nm_mask(Tensor weight, int n, int m, int dim) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("magnitude_mask", TORCH_BOX(&magnitude_mask<Cpu>));
  m.impl("nm_mask", TORCH_BOX(&nm_mask<Cpu>));
}

}  // namespace lampyris
