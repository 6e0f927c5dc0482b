#include "ops/cuda_stream.h"
#include "ops/spike_conv_lif/spike_conv_lif_front.h"

namespace lampyris {

namespace {

struct Cuda {
  static void run(const SpikeConvLif& a, const Tensor& x) {
    spike_conv_lif_cuda(a, OnDevice(x).stream());
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("spike_conv_lif", TORCH_BOX(&spike_conv_lif_op<Cuda>));
}

}  // namespace lampyris
