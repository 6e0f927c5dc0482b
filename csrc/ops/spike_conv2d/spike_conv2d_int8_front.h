// spike_conv2d_int8 and spike_linear_int8 on tensors, instantiated with a backend: a struct with
// static run(op, a, words).
#pragma once

#include "ops/spike_conv2d/spike_conv2d_front.h"
#include "ops/spike_conv2d/spike_conv2d_int8.h"

namespace lampyris {

// int32 holds the sum of so many weights.
inline constexpr int64_t kInt8FanIn = int64_t{1} << 24;

inline void check_int8(const char* op, const SpikeConv2dShape& s, const Tensor& weight,
                       const std::optional<Tensor>& bias) {
  check_dtype(op, "weight", weight, ScalarType::Char);
  if (bias.has_value()) check_dtype(op, "bias", *bias, ScalarType::Int);
  if (s.group_in() * s.taps() >= kInt8FanIn) {
    fail("{}: weight must have a fan-in below 2^24, got {}", op, s.group_in() * s.taps());
  }
}

template <class Backend>
void int8_sums(const char* op, const SpikeConv2dShape& s, const Tensor& words, const Tensor& weight,
               const std::optional<Tensor>& bias, int64_t shift, const Tensor& out) {
  const Tensor dense = torch::stable::contiguous(words);
  const Tensor w = torch::stable::contiguous(weight);
  std::optional<Tensor> b;
  if (bias.has_value()) b = torch::stable::contiguous(*bias);
  if (s.outputs() == 0) return;
  Backend::run(op,
               SpikeConv2dInt8{s, words_of(dense), w.const_data_ptr<int8_t>(),
                               b.has_value() ? b->const_data_ptr<int32_t>() : nullptr,
                               static_cast<int>(shift),
                               static_cast<int32_t*>(out.mutable_data_ptr()),
                               out.scalar_type() == ScalarType::Float},
               words);
}

template <class Backend>
Tensor spike_conv2d_int8(Tensor words, Tensor carrier, Tensor weight, std::optional<Tensor> bias,
                         int64_t stride, int64_t padding, int64_t groups) {
  constexpr const char* kOp = "spike_conv2d";
  const auto s = check_spike_conv2d(kOp, words, carrier, weight, bias, stride, padding, groups);
  check_int8(kOp, s, weight, bias);
  const Tensor out = empty_channels_last({s.images, s.out_channels, s.out_height(), s.out_width()},
                                         ScalarType::Int, words);
  int8_sums<Backend>(kOp, s, words, weight, bias, 0, out);
  return out;
}

// The current of an exact layer, (P << shift) + bias in float32.
template <class Backend>
Tensor spike_conv2d_exact(Tensor words, Tensor carrier, Tensor weight, std::optional<Tensor> bias,
                          int64_t shift, int64_t stride, int64_t padding, int64_t groups) {
  constexpr const char* kOp = "_spike_conv2d_exact";
  const auto s = check_spike_conv2d(kOp, words, carrier, weight, bias, stride, padding, groups);
  check_int8(kOp, s, weight, bias);
  if (shift < 0 || (s.group_in() * s.taps()) << shift >= kInt8FanIn) {
    fail("{}: shift must be >= 0 and fan-in x 2^shift below 2^24, got {} and {}", kOp, shift,
         s.group_in() * s.taps());
  }
  const Tensor out = empty_channels_last({s.images, s.out_channels, s.out_height(), s.out_width()},
                                         ScalarType::Float, words);
  int8_sums<Backend>("spike_conv2d", s, words, weight, bias, shift, out);
  return out;
}

// A linear layer is the convolution of one map, one pixel wide, under a kernel of one pixel.
template <class Backend>
Tensor spike_linear_int8(Tensor words, Tensor weight) {
  constexpr const char* kOp = "spike_linear";
  if (weight.dim() != 2 || weight.numel() == 0) {
    fail("{}: weight must have shape [N, K], got {}", kOp, shape_text(weight));
  }
  SpikeConv2dShape s;
  s.in_channels = weight.size(1);
  s.out_channels = weight.size(0);
  s.images = s.in_width = s.kernel_height = s.kernel_width = 1;
  if (words.dim() != 2 || words.size(1) != s.words_per_pixel()) {
    fail("{}: words must have shape [M, {}], got {}", kOp, s.words_per_pixel(), shape_text(words));
  }
  s.in_height = words.size(0);
  check_dtype(kOp, "words", words, ScalarType::Int);
  check_device(kOp, "weight", weight, words);
  check_int8(kOp, s, weight, std::nullopt);
  const Tensor out = empty({s.in_height, s.out_channels}, ScalarType::Int, words);
  int8_sums<Backend>(kOp, s, words, weight, std::nullopt, 0, out);
  return out;
}

}  // namespace lampyris
