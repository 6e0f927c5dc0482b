#include "ops/cuda_stream.h"
#include "ops/spike_max_pool2d/spike_max_pool2d_front.h"

namespace lampyris {

namespace {

struct Cuda {
  static void pool(const SpikePool& p, const uint32_t* in, uint32_t* out, const Tensor& like) {
    spike_max_pool2d_cuda(p, in, out, OnDevice(like).stream());
  }

  template <typename T>
  static void grad(const SpikePool& p, const uint32_t* in, const T* grad_out, T* grad_in,
                   const Tensor& like) {
    spike_max_pool2d_grad_cuda(p, in, grad_out, grad_in, OnDevice(like).stream());
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("spike_max_pool2d", TORCH_BOX(&spike_max_pool2d<Cuda>));
  m.impl("_spike_max_pool2d_backward", TORCH_BOX(&spike_max_pool2d_backward<Cuda>));
}

}  // namespace lampyris
