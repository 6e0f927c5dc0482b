#include "ops/cuda_stream.h"
#include "ops/spike_conv2d/spike_conv2d_int8_front.h"

namespace lampyris {

namespace {

struct Cuda {
  static void run(const char*, const SpikeConv2dInt8& a, const Tensor& words) {
    spike_conv2d_int8_cuda(a, OnDevice(words).stream());
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("spike_conv2d_int8", TORCH_BOX(&spike_conv2d_int8<Cuda>));
  m.impl("_spike_conv2d_exact", TORCH_BOX(&spike_conv2d_exact<Cuda>));
  m.impl("spike_linear_int8", TORCH_BOX(&spike_linear_int8<Cuda>));
}

}  // namespace lampyris
