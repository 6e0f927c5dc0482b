// spike_conv2d on matrix tiles with tensors: each returns whether tiles were chosen and the result
// is done.
#pragma once

#include "cpu/kernel_log.h"
#include "ops/spike_conv2d/spike_conv2d_amx.h"
#include "ops/spike_conv2d/spike_conv2d_front.h"

namespace lampyris {

inline void torch_ranges(int64_t begin, int64_t end, int64_t grain,
                         const std::function<void(int64_t, int64_t)>& range) {
  torch::stable::parallel_for(begin, end, grain, range);
}

inline bool tiles_forward(const SpikeConv2d<float>& a, Precision precision, double density,
                          const char* op = "spike_conv2d") {
  const int parts = forward_parts(a.shape, precision != Precision::kBfloat16, density);
  if (parts == 0) return false;
  note_kernel(op, tile_kernel_name(parts), density);
  spike_conv2d_tiles(a, parts, tile_policy(), torch_ranges);
  return true;
}

inline bool tiles_grad_weight(const SpikeConv2dGradWeight<float>& a, Precision precision,
                              double density, const char* op = "spike_conv2d dW") {
  const int parts = grad_weight_parts(a.shape, precision == Precision::kFloat32, density);
  if (parts == 0) return false;
  note_kernel(op, tile_kernel_name(parts), density);
  spike_conv2d_grad_weight_tiles(a, parts, tile_policy(), torch_ranges);
  return true;
}

// dX [N, Ci, H, W] in channels_last strides, float32; nothing where torch's convolution is better.
inline std::optional<Tensor> tiles_grad_input(const SpikeConv2dShape& s, const Tensor& grad,
                                              const Tensor& weight, Precision precision) {
  const int parts = grad_input_parts(s, precision == Precision::kFloat32);
  if (parts == 0) return std::nullopt;
  const Tensor dy = in_channels_last(cast(grad, ScalarType::Float));
  const Tensor w = torch::stable::contiguous(cast(weight, ScalarType::Float));
  const Tensor dx = empty_channels_last({s.images, s.in_channels, s.in_height, s.in_width},
                                        ScalarType::Float, weight);
  note_kernel("spike_conv2d dX", tile_kernel_name(parts), -1);
  spike_conv2d_grad_input_tiles(
      {s, dy.const_data_ptr<float>(), w.const_data_ptr<float>(), dx.mutable_data_ptr<float>()},
      parts, tile_policy(), torch_ranges);
  return dx;
}

}  // namespace lampyris
