// spike_linear on tensors, instantiated with a backend: a struct with static forward(shape, words,
// weight, bias, precision) and grad_weight(shape, words, grad, weight, precision), both for float32
// and float64 operands, and narrow(precision), whether gradients run in bfloat16.
#pragma once

#include "ops/spike_conv2d/spike_conv2d_front.h"
#include "ops/spike_linear/spike_linear.h"

namespace lampyris {

struct SpikeLinearShape {
  int64_t rows = 0, inputs = 0, outputs = 0;

  int64_t words_per_row() const { return (inputs + 31) / 32; }
};

// words [M, ceil(K / 32)], carrier [M, K], weight [N, K].
inline SpikeLinearShape check_spike_linear(const char* op, const Tensor& words,
                                           const Tensor& carrier, const Tensor& weight,
                                           const std::optional<Tensor>& bias) {
  if (carrier.dim() != 2) {
    fail("{}: spikes must have shape [M, K], got {}", op, shape_text(carrier));
  }
  SpikeLinearShape s{carrier.size(0), carrier.size(1), 0};
  const Sizes want{s.rows, s.words_per_row()};
  if (sizes_of(words) != want) {
    fail("{}: words must have shape {}, got {}", op, shape_text(want), shape_text(words));
  }
  if (weight.dim() != 2 || weight.size(1) != s.inputs) {
    fail("{}: weight must have shape [N, {}], got {}", op, s.inputs, shape_text(weight));
  }
  s.outputs = weight.size(0);
  if (bias.has_value() && sizes_of(*bias) != Sizes{s.outputs}) {
    fail("{}: bias must have shape [{}], got {}", op, s.outputs, shape_text(*bias));
  }
  check_dtype(op, "words", words, ScalarType::Int);
  check_float_weight(op, weight, bias);
  check_device(op, "words", words, carrier);
  check_device(op, "weight", weight, carrier);
  if (bias.has_value()) check_device(op, "bias", *bias, carrier);
  return s;
}

inline Tensor linear(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
  using torch::stable::detail::from;
  std::array<StableIValue, 3> stack{from(x), from(weight), from(bias)};
  STABLE_TORCH_ERROR_CODE_CHECK(
      torch_call_dispatcher("aten::linear", "", stack.data(), TORCH_ABI_VERSION));
  return torch::stable::detail::to<Tensor>(stack[0]);
}

// The spikes [M, K] as 0 and 1.
inline Tensor dense_spikes(const Tensor& words, const SpikeLinearShape& s, ScalarType type) {
  using torch::stable::detail::from;
  const ScalarType wide = type == ScalarType::Double ? type : ScalarType::Float;
  const Tensor carrier = make_carrier({s.rows, s.inputs}, wide, words);
  std::array<StableIValue, 4> stack{from(carrier), from(words), from(int64_t{1}), from(wide)};
  STABLE_TORCH_ERROR_CODE_CHECK(
      torch_call_dispatcher("lampyris::unpack_spikes", "", stack.data(), TORCH_ABI_VERSION));
  return cast(torch::stable::detail::to<Tensor>(stack[0]), type);
}

template <class Backend>
Tensor spike_linear(Tensor words, Tensor carrier, Tensor weight, std::optional<Tensor> bias,
                    std::string precision) {
  const SpikeLinearShape s = check_spike_linear("spike_linear", words, carrier, weight, bias);
  const Precision p = parse_precision("spike_linear", precision);
  const ScalarType type = sum_type(weight);
  if (s.rows == 0 || s.outputs == 0) return empty({s.rows, s.outputs}, weight.scalar_type(), weight);
  std::optional<Tensor> b;
  if (bias.has_value()) b = torch::stable::contiguous(cast(*bias, type));
  const Tensor w = cast(weight, type);
  return cast(Backend::forward(s, torch::stable::contiguous(words), w, b, p), weight.scalar_type());
}

inline void check_linear_grad(const char* op, const Tensor& grad, int64_t rows,
                              const Tensor& weight) {
  const Sizes want{rows, weight.size(0)};
  if (sizes_of(grad) != want) {
    fail("{}: grad must have shape {}, got {}", op, shape_text(want), shape_text(grad));
  }
  check_dtype(op, "grad", grad, weight.scalar_type());
  check_device(op, "grad", grad, weight);
}

template <class Backend>
Tensor spike_linear_grad_weight(Tensor words, Tensor carrier, Tensor grad, Tensor weight,
                                std::string precision) {
  constexpr const char* kOp = "_spike_linear_grad_weight";
  const SpikeLinearShape s = check_spike_linear(kOp, words, carrier, weight, std::nullopt);
  const Precision p = parse_precision(kOp, precision);
  check_linear_grad(kOp, grad, s.rows, weight);
  const Tensor g = torch::stable::contiguous(cast(grad, sum_type(weight)));
  return cast(Backend::grad_weight(s, torch::stable::contiguous(words), g, p),
              weight.scalar_type());
}

// Gradient of the carrier [M, K]: dense, by torch.
template <class Backend>
Tensor spike_linear_grad_input(Tensor grad, Tensor weight, std::string precision) {
  constexpr const char* kOp = "_spike_linear_grad_input";
  const Precision p = parse_precision(kOp, precision);
  if (weight.dim() != 2 || grad.dim() != 2) {
    fail("{}: grad must have shape [M, N], got {}", kOp, shape_text(grad));
  }
  check_linear_grad(kOp, grad, grad.size(0), weight);
  const ScalarType type = sum_type(weight);
  const bool round = type == ScalarType::Float && p == Precision::kBfloat16;
  const bool narrow = type == ScalarType::Float && Backend::narrow(p);
  const ScalarType operand = narrow ? ScalarType::BFloat16 : type;
  const Tensor dx = torch::stable::matmul(as_operand(grad, operand, round || narrow),
                                          as_operand(weight, operand, round || narrow));
  return cast(dx, weight.scalar_type());
}

}  // namespace lampyris
