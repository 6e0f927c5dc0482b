// spike_conv2d on tensors: the checks every backend and precision shares, and the front that a
// backend instantiates: a struct with static forward(conv, precision, x) and grad_weight(conv,
// precision, x) for conv in float and double.
#pragma once

#include <string>
#include <utility>

#include "ops/spike_conv2d/spike_conv2d.h"
#include "ops/spike_conv2d/spike_conv2d_aten.h"

namespace lampyris {

enum class Precision { kFloat32, kMixed, kBfloat16 };

inline Precision parse_precision(const char* op, const std::string& word) {
  if (word == "float32") return Precision::kFloat32;
  if (word == "mixed") return Precision::kMixed;
  if (word == "bfloat16") return Precision::kBfloat16;
  fail("{}: precision must be one of 'float32', 'mixed', 'bfloat16', got '{}'", op, word);
}

// Everything but the dtype of the weights. `bias` may be absent.
inline SpikeConv2dShape check_spike_conv2d(const char* op, const Tensor& words,
                                           const Tensor& carrier, const Tensor& weight,
                                           const std::optional<Tensor>& bias, int64_t stride,
                                           int64_t padding, int64_t groups) {
  if (carrier.dim() != 4) {
    fail("{}: spikes must have shape [N, C, H, W], got {}", op, shape_text(carrier));
  }
  SpikeConv2dShape s{carrier.size(0), carrier.size(1), carrier.size(2), carrier.size(3)};
  if (s.images < 1 || s.in_channels < 1) {
    fail("{}: spikes must have shape [N, C, H, W] with N >= 1 and C >= 1, got {}", op,
         shape_text(carrier));
  }
  const Sizes want = {s.images, s.in_height, s.in_width, s.words_per_pixel()};
  if (sizes_of(words) != want) {
    fail("{}: words must have shape {}, got {}", op, shape_text(want), shape_text(words));
  }
  if (weight.dim() != 4) {
    fail("{}: weight must have shape [Co, C / groups, kh, kw], got {}", op, shape_text(weight));
  }
  if (groups < 1) fail("{}: groups must be >= 1, got {}", op, groups);
  if (s.in_channels % groups != 0) {
    fail("{}: groups must divide the {} channels of spikes, got {}", op, s.in_channels, groups);
  }
  s.out_channels = weight.size(0);
  s.kernel_height = weight.size(2);
  s.kernel_width = weight.size(3);
  if (weight.size(1) != s.in_channels / groups || weight.numel() == 0 ||
      s.out_channels % groups != 0) {
    fail("{}: weight must have shape [Co, {}, kh, kw] with Co a multiple of {} groups, got {}", op,
         s.in_channels / groups, groups, shape_text(weight));
  }
  if (bias.has_value() && sizes_of(*bias) != Sizes{s.out_channels}) {
    fail("{}: bias must have shape [{}], got {}", op, s.out_channels, shape_text(*bias));
  }
  if (stride < 1) fail("{}: stride must be >= 1, got {}", op, stride);
  if (padding < 0) fail("{}: padding must be >= 0, got {}", op, padding);
  s.stride = stride;
  s.padding = padding;
  s.groups = groups;
  if (s.in_height + 2 * padding < s.kernel_height || s.in_width + 2 * padding < s.kernel_width) {
    fail("{}: weight must have a kernel within the padded maps [{}, {}], got [{}, {}]", op,
         s.in_height + 2 * padding, s.in_width + 2 * padding, s.kernel_height, s.kernel_width);
  }
  check_dtype(op, "words", words, ScalarType::Int);
  check_device(op, "words", words, carrier);
  check_device(op, "weight", weight, carrier);
  if (bias.has_value()) check_device(op, "bias", *bias, carrier);
  return s;
}

inline void check_float_weight(const char* op, const Tensor& weight,
                               const std::optional<Tensor>& bias) {
  const ScalarType type = weight.scalar_type();
  if (type != ScalarType::Float && type != ScalarType::Double && type != ScalarType::BFloat16 &&
      type != ScalarType::Half) {
    fail("{}: weight must have dtype float32, float64, bfloat16 or float16, got {}", op,
         dtype_text(weight));
  }
  if (bias.has_value()) check_dtype(op, "bias", *bias, type);
}

// What sums run in: float64 for float64, else float32.
inline ScalarType sum_type(const Tensor& weight) {
  return weight.scalar_type() == ScalarType::Double ? ScalarType::Double : ScalarType::Float;
}

// Values as operands: rounded to bfloat16 first where the precision says so.
inline Tensor as_operand(const Tensor& t, ScalarType type, bool round) {
  return cast(round ? cast(t, ScalarType::BFloat16) : t, type);
}

inline const uint32_t* words_of(const Tensor& words) {
  return reinterpret_cast<const uint32_t*>(words.const_data_ptr<int32_t>());
}

template <class Backend, typename T>
Tensor spike_conv2d_typed(const SpikeConv2dShape& s, const Tensor& words, const Tensor& weight,
                          const std::optional<Tensor>& bias, Precision precision) {
  const ScalarType type = sum_type(weight);
  const Tensor dense = torch::stable::contiguous(words);
  const Tensor w = torch::stable::contiguous(
      as_operand(weight, type, precision == Precision::kBfloat16));
  std::optional<Tensor> b;
  if (bias.has_value()) b = torch::stable::contiguous(cast(*bias, type));
  return cast(Backend::template forward<T>(s, dense, w, b, precision), weight.scalar_type());
}

template <class Backend>
Tensor spike_conv2d(Tensor words, Tensor carrier, Tensor weight, std::optional<Tensor> bias,
                    int64_t stride, int64_t padding, int64_t groups, std::string precision) {
  constexpr const char* kOp = "spike_conv2d";
  const auto s =
      check_spike_conv2d(kOp, words, carrier, weight, bias, stride, padding, groups);
  check_float_weight(kOp, weight, bias);
  const Precision p = parse_precision(kOp, precision);
  return sum_type(weight) == ScalarType::Double
             ? spike_conv2d_typed<Backend, double>(s, words, weight, bias, p)
             : spike_conv2d_typed<Backend, float>(s, words, weight, bias, p);
}

inline void check_grad(const char* op, const Tensor& grad, const SpikeConv2dShape& s,
                       const Tensor& weight) {
  const Sizes want = {s.images, s.out_channels, s.out_height(), s.out_width()};
  if (sizes_of(grad) != want) {
    fail("{}: grad must have shape {}, got {}", op, shape_text(want), shape_text(grad));
  }
  check_dtype(op, "grad", grad, weight.scalar_type());
  check_device(op, "grad", grad, weight);
}

template <class Backend>
Tensor spike_conv2d_grad_weight(Tensor words, Tensor carrier, Tensor grad, Tensor weight,
                                int64_t stride, int64_t padding, int64_t groups,
                                std::string precision) {
  constexpr const char* kOp = "_spike_conv2d_grad_weight";
  const auto s =
      check_spike_conv2d(kOp, words, carrier, weight, std::nullopt, stride, padding, groups);
  check_float_weight(kOp, weight, std::nullopt);
  check_grad(kOp, grad, s, weight);
  const Precision p = parse_precision(kOp, precision);
  const ScalarType type = sum_type(weight);
  const Tensor dense = torch::stable::contiguous(words);
  const Tensor dy =
      in_channels_last(as_operand(grad, type, p == Precision::kBfloat16));
  const Tensor out = type == ScalarType::Double
                         ? Backend::template grad_weight<double>(s, dense, dy, p)
                         : Backend::template grad_weight<float>(s, dense, dy, p);
  return cast(out, weight.scalar_type());
}

// Gradient of the carrier: a dense transposed convolution, by the backend's grad_input(conv, grad,
// weight, precision) where it has one and takes the case, else by torch.
template <class Backend>
Tensor spike_conv2d_grad_input(Tensor carrier, Tensor grad, Tensor weight, int64_t stride,
                               int64_t padding, int64_t groups, std::string precision) {
  constexpr const char* kOp = "_spike_conv2d_grad_input";
  SpikeConv2dShape s{carrier.size(0), carrier.size(1), carrier.size(2), carrier.size(3),
                     weight.size(0),  weight.size(2),  weight.size(3),  stride,
                     padding,         groups};
  check_float_weight(kOp, weight, std::nullopt);
  check_grad(kOp, grad, s, weight);
  const Precision p = parse_precision(kOp, precision);
  if constexpr (requires { Backend::grad_input(s, grad, weight, p); }) {
    if (sum_type(weight) == ScalarType::Float) {
      const std::optional<Tensor> dx = Backend::grad_input(s, grad, weight, p);
      if (dx.has_value()) return cast(*dx, carrier.scalar_type());
    }
  }
  const ScalarType type = Backend::grad_input_type(s, sum_type(weight), p);
  const bool round = p == Precision::kBfloat16;
  const Tensor dx = convolution_grad_input(in_channels_last(as_operand(grad, type, round)),
                                           as_operand(weight, type, round), s);
  return in_channels_last(cast(dx, carrier.scalar_type()));
}

}  // namespace lampyris
