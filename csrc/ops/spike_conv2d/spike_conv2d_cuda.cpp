#include "ops/cuda_stream.h"
#include "ops/spike_conv2d/spike_conv2d_front.h"
#include "ops/spike_conv2d/spike_conv2d_gemm.h"

namespace lampyris {

namespace {

// The spikes [N, C, H, W] as 0 and 1.
Tensor dense_maps(const Tensor& words, const SpikeConv2dShape& s, ScalarType type) {
  using torch::stable::detail::from;
  const Tensor carrier =
      make_carrier({s.images, s.in_channels, s.in_height, s.in_width}, type, words);
  std::array<StableIValue, 4> stack{from(carrier), from(words), from(int64_t{1}), from(type)};
  STABLE_TORCH_ERROR_CODE_CHECK(
      torch_call_dispatcher("lampyris::unpack_spikes", "", stack.data(), TORCH_ABI_VERSION));
  return in_channels_last(torch::stable::detail::to<Tensor>(stack[0]));
}

struct Cuda {
  template <typename T>
  static Tensor forward(const SpikeConv2dShape& s, const Tensor& words, const Tensor& weight,
                        const std::optional<Tensor>& bias, Precision precision) {
    const Tensor out =
        empty_channels_last({s.images, s.out_channels, s.out_height(), s.out_width()},
                            weight.scalar_type(), weight);
    const SpikeConv2d<T> a{s, words_of(words), weight.const_data_ptr<T>(),
                           bias.has_value() ? bias->const_data_ptr<T>() : nullptr,
                           out.mutable_data_ptr<T>()};
    const OnDevice device(words);
    if constexpr (std::is_same_v<T, float>) {
      if (gemm_fits(s)) {
        const bool narrow = precision == Precision::kBfloat16;
        const Tensor packed = empty({packed_gemm_weights(s, narrow)}, ScalarType::Short, words);
        auto* const to = reinterpret_cast<uint16_t*>(packed.mutable_data_ptr<int16_t>());
        spike_conv2d_gemm_cuda(a, narrow, to, device.stream());
        return out;
      }
    }
    spike_conv2d_cuda(a, device.stream());
    return out;
  }

  template <typename T>
  static Tensor grad_weight(const SpikeConv2dShape& s, const Tensor& words, const Tensor& grad,
                            Precision p) {
    const bool narrow = std::is_same_v<T, float> && p != Precision::kFloat32;
    const ScalarType operand = narrow ? ScalarType::BFloat16 : grad.scalar_type();
    const Tensor maps = cast(dense_maps(words, s, grad.scalar_type()), operand);
    const Tensor weight =
        empty({s.out_channels, s.group_in(), s.kernel_height, s.kernel_width}, operand, maps);
    const Tensor dw = convolution_grad_weight(cast(grad, operand), maps, weight, s);
    return torch::stable::contiguous(cast(dw, grad.scalar_type()));
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
