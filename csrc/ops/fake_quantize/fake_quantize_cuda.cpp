#include "ops/cuda_stream.h"
#include "ops/fake_quantize/fake_quantize_front.h"

namespace lampyris {

namespace {

struct Cuda {
  template <typename T>
  static void forward(const FakeQuantize<T>& a, T* out, const Tensor& x) {
    fake_quantize_cuda(a, out, OnDevice(x).stream());
  }

  template <typename T>
  static void backward(const FakeQuantize<T>& a, const T* grad, T* grad_x, double* sums,
                       double factor, T* grad_scale, T* grad_offset, const Tensor& x) {
    fake_quantize_backward_cuda(a, grad, grad_x, sums, factor, grad_scale, grad_offset,
                                OnDevice(x).stream());
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("fake_quantize", TORCH_BOX(&fake_quantize<Cuda>));
  m.impl("_fake_quantize_backward", TORCH_BOX(&fake_quantize_backward<Cuda>));
}

}  // namespace lampyris
