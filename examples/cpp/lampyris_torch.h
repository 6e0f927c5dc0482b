// Lampyris operators for torch's C++ frontend: calls through the dispatcher, and their gradients.
//
// In Python the operators' autograd is registered by the package; a program without Python brings
// its own. Both call the same forward and backward operators: values and gradients are the same
// bits.
#pragma once

#include <torch/torch.h>

#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "load_operators.h"

namespace lampyris {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// An operator called by argument names; optional arguments left out are None.
class Operator {
 public:
  explicit Operator(const std::string& name)
      : handle_(c10::Dispatcher::singleton().findSchemaOrThrow(name.c_str(), "")) {}

  std::vector<c10::IValue> operator()(std::map<std::string, c10::IValue> arguments) const {
    std::vector<c10::IValue> stack;
    for (const auto& argument : handle_.schema().arguments()) {
      const auto given = arguments.extract(argument.name());
      const bool optional = argument.type()->kind() == c10::TypeKind::OptionalType;
      if (given.empty() && !optional) {
        throw std::invalid_argument(handle_.schema().name() + ": " + argument.name() +
                                    " must be given, got nothing");
      }
      stack.push_back(given.empty() ? c10::IValue() : given.mapped());
    }
    if (!arguments.empty()) {
      throw std::invalid_argument(handle_.schema().name() + ": " + arguments.begin()->first +
                                  " is no argument");
    }
    const at::AutoDispatchBelowAutograd without_gradient;
    handle_.callBoxed(stack);
    return stack;
  }

 private:
  c10::OperatorHandle handle_;
};

inline Tensor tensor_or_none(const c10::IValue& value) {
  return value.isNone() ? Tensor() : value.toTensor();
}

inline c10::IValue ivalue_or_none(const Tensor& tensor) {
  return tensor.defined() ? c10::IValue(tensor) : c10::IValue();
}

// Spikes as bits, with a zero-stride carrier of the logical shape that gradients flow through.
struct Spikes {
  Tensor words;
  Tensor carrier;
};

// As in lampyris.ops.lif, whose words these are; decay, threshold and gain do not learn here.
enum class Reset { kHard, kSoft, kNone };
enum class Surrogate {
  kRectangle,
  kTriangle,
  kSigmoid,
  kAtan,
  kFastSigmoid,
  kPiecewiseExponential
};

struct LifOptions {
  double decay = 0.5, threshold = 1.0, gain = 1.0, width = 1.0, v_reset = 0.0;
  Reset reset = Reset::kHard;
  Surrogate surrogate = Surrogate::kRectangle;
  bool detach_reset = true, inclusive = false;

  c10::List<double> values() const {
    return c10::List<double>({decay, threshold, gain, width, v_reset});
  }
  // Two bits a neuron-step are enough for the backward; else it reads the membranes.
  bool codes_suffice() const {
    return surrogate == Surrogate::kRectangle && (detach_reset || reset != Reset::kHard);
  }
  // reset, detach_reset, inclusive, surrogate, rounding, packed, membrane, save
  c10::List<int64_t> words(bool packed) const {
    constexpr int64_t kCodes = 1, kState = 2;
    return c10::List<int64_t>({static_cast<int64_t>(reset), detach_reset, inclusive,
                               static_cast<int64_t>(surrogate), 0, packed, 0,
                               codes_suffice() ? kCodes : kState});
  }
};

struct LifFunction : torch::autograd::Function<LifFunction> {
  // x [T, ...] -> {spikes [T, ...]}, or {carrier [T, ...], words} when packed
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const LifOptions& options,
                               bool packed) {
    static const Operator lif("lampyris::lif");
    const auto out =
        lif({{"x", x}, {"values", options.values()}, {"options", options.words(packed)}});
    ctx->save_for_backward({tensor_or_none(out[2]), tensor_or_none(out[3])});
    ctx->saved_data["values"] = options.values();
    ctx->saved_data["options"] = options.words(packed);
    ctx->saved_data["steps"] = x.size(0);
    ctx->saved_data["dtype"] = x.scalar_type();
    if (!packed) {
      return {out[0].toTensor()};
    }
    ctx->mark_non_differentiable({out[4].toTensor()});
    return {out[0].toTensor(), out[4].toTensor()};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const Operator lif_backward("lampyris::_lif_backward");
    const auto saved = ctx->get_saved_variables();
    std::map<std::string, c10::IValue> arguments = {
        {"grad_spikes", grads[0]},
        {"codes", ivalue_or_none(saved[0])},
        {"state", ivalue_or_none(saved[1])},
        {"wanted", c10::List<bool>({false, false, false, false})}};
    for (const auto& [name, value] : ctx->saved_data) {
      arguments[name] = value;
    }
    return {lif_backward(std::move(arguments))[0].toTensor(), Tensor(), Tensor()};
  }
};

// Neurons over all T steps of x [T, ...]: dense spikes.
inline Tensor lif(const Tensor& x, const LifOptions& options) {
  return LifFunction::apply(x, options, false)[0];
}

// The same, packed along C of maps [T, B, C, H, W], else along the last dimension.
inline Spikes lif_packed(const Tensor& x, const LifOptions& options) {
  const auto out = LifFunction::apply(x, options, true);
  return {out[1], out[0]};
}

struct SpikeConv2dFunction : torch::autograd::Function<SpikeConv2dFunction> {
  // words [N, H, W, ceil(C / 32)], carrier [N, C, H, W], weight [Co, C, kh, kw] -> [N, Co, H', W']
  static Tensor forward(AutogradContext* ctx, const Tensor& words, const Tensor& carrier,
                        const Tensor& weight, int64_t stride, int64_t padding) {
    static const Operator conv("lampyris::spike_conv2d");
    ctx->save_for_backward({words, carrier, weight});
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["padding"] = padding;
    return conv({{"words", words},
                 {"carrier", carrier},
                 {"weight", weight},
                 {"stride", stride},
                 {"padding", padding},
                 {"groups", int64_t{1}},
                 {"precision", std::string("float32")}})[0]
        .toTensor();
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const Operator to_weight("lampyris::_spike_conv2d_grad_weight");
    static const Operator to_input("lampyris::_spike_conv2d_grad_input");
    const auto saved = ctx->get_saved_variables();
    const std::map<std::string, c10::IValue> shared = {{"carrier", saved[1]},
                                                       {"grad", grads[0]},
                                                       {"weight", saved[2]},
                                                       {"stride", ctx->saved_data["stride"]},
                                                       {"padding", ctx->saved_data["padding"]},
                                                       {"groups", int64_t{1}},
                                                       {"precision", std::string("float32")}};
    auto with_words = shared;
    with_words["words"] = saved[0];
    const Tensor to_carrier = to_input(shared)[0].toTensor();
    return {Tensor(), to_carrier, to_weight(with_words)[0].toTensor(), Tensor(), Tensor()};
  }
};

// Convolution of maps [T, B, C, H, W] without bias, in [T, B, Co, H', W'].
inline Tensor spike_conv2d(const Spikes& spikes, const Tensor& weight, int64_t stride,
                           int64_t padding) {
  const auto out = SpikeConv2dFunction::apply(
      spikes.words.flatten(0, 1), spikes.carrier.flatten(0, 1), weight, stride, padding);
  return out.unflatten(0, spikes.carrier.sizes().slice(0, 2));
}

}  // namespace lampyris
