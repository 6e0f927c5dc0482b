#include "core/magnitude.h"
#include "ops/cuda_stream.h"
#include "ops/magnitude_mask/magnitude_mask_front.h"

namespace lampyris {

namespace {

struct Cuda {
  static void scope(const MaskSegment* segments, int64_t count, int64_t prune, const Tensor& x) {
    const Tensor histogram = empty({kDigitValues}, ScalarType::Int, x);
    const Tensor state = empty({2}, ScalarType::Long, x);
    magnitude_mask_cuda(segments, count, prune,
                        static_cast<uint32_t*>(histogram.mutable_data_ptr()),
                        static_cast<uint64_t*>(state.mutable_data_ptr()), OnDevice(x).stream());
  }

  static void nm(const float* weight, uint8_t* mask, const NmShape& s, int n, int m,
                 const Tensor& x) {
    nm_mask_cuda(weight, mask, s, n, m, OnDevice(x).stream());
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("magnitude_mask", TORCH_BOX(&magnitude_mask<Cuda>));
  m.impl("nm_mask", TORCH_BOX(&nm_mask<Cuda>));
}

}  // namespace lampyris
