#include "ops/cuda_stream.h"
#include "ops/ilif/ilif_front.h"

namespace lampyris {

namespace {

struct IlifCuda {
  template <typename X>
  static void forward(const LifForward<X>& a, const Tensor& x) {
    ilif_forward_cuda(a, OnDevice(x).stream());
  }

  template <typename X>
  static void backward(LifBackward<X> a, const Tensor& x) {
    if (a.state != nullptr) return ilif_backward_cuda(a, OnDevice(x).stream());
    a.width = a.threshold;
    lif_backward_cuda(a, OnDevice(x).stream());
  }

  template <typename X>
  static void expand(const X* counts, int64_t steps, int64_t neurons, int64_t max_spikes, X* out,
                     const Tensor& x) {
    ilif_expand_cuda(counts, steps, neurons, max_spikes, out, OnDevice(x).stream());
  }

  static void repack(const uint32_t*, const SpikeShape&, uint32_t*, const Tensor&) {}
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("ilif", TORCH_BOX(&ilif<IlifCuda>));
  m.impl("_ilif_backward", TORCH_BOX(&ilif_backward<IlifCuda>));
  m.impl("ilif_expand", TORCH_BOX(&ilif_expand<IlifCuda>));
}

}  // namespace lampyris
