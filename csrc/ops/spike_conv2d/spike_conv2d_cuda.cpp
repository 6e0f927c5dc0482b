#include "ops/cuda_stream.h"
#include "ops/spike_conv2d/spike_conv2d_front.h"

namespace lampyris {

namespace {

struct Cuda {
  template <typename T>
  static Tensor forward(const SpikeConv2dShape& s, const Tensor& words, const Tensor& weight,
                        const std::optional<Tensor>& bias, Precision) {
    const Tensor out =
        empty_channels_last({s.images, s.out_channels, s.out_height(), s.out_width()},
                            weight.scalar_type(), weight);
    spike_conv2d_cuda(SpikeConv2d<T>{s, words_of(words), weight.const_data_ptr<T>(),
                                     bias.has_value() ? bias->const_data_ptr<T>() : nullptr,
                                     out.mutable_data_ptr<T>()},
                      OnDevice(words).stream());
    return out;
  }

  template <typename T>
  static Tensor grad_weight(const SpikeConv2dShape& s, const Tensor& words, const Tensor& grad,
                            Precision) {
    const Tensor out =
        empty({s.out_channels, s.group_in(), s.kernel_height, s.kernel_width}, grad.scalar_type(),
              grad);
    spike_conv2d_grad_weight_cuda(
        SpikeConv2dGradWeight<T>{s, words_of(words), grad.const_data_ptr<T>(),
                                 out.mutable_data_ptr<T>()},
        OnDevice(words).stream());
    return out;
  }

  static ScalarType grad_input_type(const SpikeConv2dShape&, ScalarType sums, Precision p) {
    return p == Precision::kFloat32 || sums == ScalarType::Double ? sums : ScalarType::BFloat16;
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("spike_conv2d", TORCH_BOX(&spike_conv2d<Cuda>));
  m.impl("_spike_conv2d_grad_weight", TORCH_BOX(&spike_conv2d_grad_weight<Cuda>));
  m.impl("_spike_conv2d_grad_input", TORCH_BOX(&spike_conv2d_grad_input<Cuda>));
}

}  // namespace lampyris
