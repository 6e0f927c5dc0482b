// torch's own convolution and casts through the stable dispatcher (oneDNN on the CPU, cuDNN on
// CUDA).
#pragma once

#include <array>

#include "ops/spike_conv2d/spike_conv2d.h"
#include "ops/tensor.h"

namespace lampyris {

inline Tensor cast(const Tensor& t, ScalarType type) {
  return t.scalar_type() == type ? t : torch::stable::to(t, type);
}

// The same values with channels innermost in memory: a 4-D view of [N, H, W, C].
inline Tensor in_channels_last(const Tensor& t) {
  const Tensor moved = torch::stable::permute(t, Sizes{0, 2, 3, 1});
  if (moved.is_contiguous()) return t;
  return torch::stable::permute(torch::stable::contiguous(moved), Sizes{0, 3, 1, 2});
}

inline Tensor empty_channels_last(const Sizes& s, ScalarType type, const Tensor& like) {
  return empty_strided(s, {s[1] * s[2] * s[3], 1, s[1] * s[3], s[1]}, type, like);
}

// aten::convolution of dense maps [N, Ci, H, W].
inline Tensor convolution(const Tensor& maps, const Tensor& weight,
                          const std::optional<Tensor>& bias, const SpikeConv2dShape& s) {
  using torch::stable::detail::from;
  const Sizes stride = {s.stride, s.stride}, padding = {s.padding, s.padding};
  const Sizes dilation = {1, 1}, output_padding = {0, 0};
  std::array<StableIValue, 9> stack{from(maps),     from(weight), from(bias),
                                    from(stride),   from(padding), from(dilation),
                                    from(false),    from(output_padding), from(s.groups)};
  STABLE_TORCH_ERROR_CODE_CHECK(
      torch_call_dispatcher("aten::convolution", "", stack.data(), TORCH_ABI_VERSION));
  return torch::stable::detail::to<Tensor>(stack[0]);
}

// One gradient of aten::convolution: of its maps (0) or its weights (1).
template <size_t kWhich>
Tensor convolution_grad(const Tensor& grad, const Tensor& maps, const Tensor& weight,
                        const SpikeConv2dShape& s) {
  using torch::stable::detail::from;
  const Sizes stride = {s.stride, s.stride}, padding = {s.padding, s.padding};
  const Sizes dilation = {1, 1}, output_padding = {0, 0};
  const std::optional<Sizes> bias_sizes;
  constexpr std::array<bool, 3> kWanted = {kWhich == 0, kWhich == 1, false};
  const torch::headeronly::HeaderOnlyArrayRef<bool> mask(kWanted.data(), kWanted.size());
  std::array<StableIValue, 11> stack{
      from(grad),    from(maps),     from(weight), from(bias_sizes),     from(stride),
      from(padding), from(dilation), from(false),  from(output_padding), from(s.groups),
      from(mask)};
  STABLE_TORCH_ERROR_CODE_CHECK(
      torch_call_dispatcher("aten::convolution_backward", "", stack.data(), TORCH_ABI_VERSION));
  // Undefined gradients come back as tensors too and are released here.
  std::array<Tensor, 3> grads;
  for (size_t i = 0; i < 3; ++i) grads[i] = torch::stable::detail::to<Tensor>(stack[i]);
  return grads[kWhich];
}

// Of the maps [N, Ci, H, W].
inline Tensor convolution_grad_input(const Tensor& grad, const Tensor& weight,
                                     const SpikeConv2dShape& s) {
  // Only its sizes, dtype and memory order are read.
  const Tensor maps = empty_channels_last({s.images, s.in_channels, s.in_height, s.in_width},
                                          weight.scalar_type(), weight);
  return convolution_grad<0>(grad, maps, weight, s);
}

// Of the weights; of `weight` only sizes and dtype are read.
inline Tensor convolution_grad_weight(const Tensor& grad, const Tensor& maps, const Tensor& weight,
                                      const SpikeConv2dShape& s) {
  return convolution_grad<1>(grad, maps, weight, s);
}

}  // namespace lampyris
