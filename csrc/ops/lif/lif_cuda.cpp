#include "ops/cuda_stream.h"
#include "ops/lif/lif_front.h"

namespace lampyris {

namespace {

struct Cuda {
  template <typename X>
  static void forward(const LifForward<X>& a, const Tensor& x) {
    lif_forward_cuda(a, OnDevice(x).stream());
  }

  template <typename X>
  static void backward(const LifBackward<X>& a, const Tensor& x) {
    lif_backward_cuda(a, OnDevice(x).stream());
  }

  static void repack(const uint32_t* plane, const SpikeShape& s, uint32_t* words, const Tensor& x) {
    repack_plane_cuda(plane, s, words, OnDevice(x).stream());
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("lif", TORCH_BOX(&lif<Cuda>));
  m.impl("_lif_backward", TORCH_BOX(&lif_backward<Cuda>));
}

}  // namespace lampyris
