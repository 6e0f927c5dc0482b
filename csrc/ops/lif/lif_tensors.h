// lif on tensors: check_lif(), allocation, and the front that every backend instantiates with its
// kernel launcher.
#pragma once

#include <cmath>
#include <iterator>
#include <string>
#include <tuple>
#include <utility>

#include "ops/layout.h"
#include "ops/lif/lif.h"

namespace lampyris {

// body(X{}) for x's element type X, one of those that check_lif() accepts.
template <class Body>
auto with_element(ScalarType type, const Body& body) {
  switch (type) {
    case ScalarType::Double:
      return body(double{});
    case ScalarType::BFloat16:
      return body(BFloat16{});
    case ScalarType::Half:
      return body(Float16{});
    default:
      return body(float{});
  }
}

// Words of the facade (python/lampyris/ops/lif.py), in the order of their integers.
enum class LifSave { kNothing, kCodes, kState };

// One neuron rule as the schema passes it: tensors, or the value in `values` where absent.
struct LifOptions {
  std::optional<Tensor> v_init, decay, threshold, gain, width;
  std::vector<double> values;    // decay, threshold, gain, width, v_reset
  std::vector<int64_t> options;  // as the functions below

  Reset reset() const { return static_cast<Reset>(options[0]); }
  bool detach_reset() const { return options[1] != 0; }
  bool inclusive() const { return options[2] != 0; }
  Surrogate surrogate() const { return static_cast<Surrogate>(options[3]); }
  Rounding rounding() const { return static_cast<Rounding>(options[4]); }
  bool packed() const { return options[5] != 0; }
  MembraneOut membrane() const { return static_cast<MembraneOut>(options[6]); }
  LifSave save() const { return static_cast<LifSave>(options[7]); }
};

inline constexpr int64_t kLifOptionLimits[] = {3, 2, 2, kSurrogates + 1, 2, 2, 3, 3};

inline int64_t lif_word(const char* name, const std::string& value,
                        const std::vector<std::string>& words) {
  std::string list;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == value) return static_cast<int64_t>(i);
    list += (list.empty() ? "'" : ", '") + words[i] + "'";
  }
  fail("lif: {} must be one of {}, got '{}'", name, list, value);
}

// The options of operators that have lif's as words: rectangle, no rounding.
inline std::vector<int64_t> lif_options(const std::string& reset, bool detach_reset, bool inclusive,
                                        const std::string& output, const std::string& membrane,
                                        LifSave save) {
  return {lif_word("reset", reset, {"hard", "soft", "none"}),
          detach_reset,
          inclusive,
          static_cast<int64_t>(Surrogate::kRectangle),
          static_cast<int64_t>(Rounding::kNone),
          lif_word("output", output, {"dense", "packed"}),
          lif_word("membrane", membrane, {"none", "last", "trace"}),
          static_cast<int64_t>(save)};
}

inline ScalarType compute_type(ScalarType x) {
  return x == ScalarType::Double ? x : ScalarType::Float;
}

// The tensor's sizes, aligned right, are 1 or those of x.shape[1:].
inline void check_parameter(const char* name, const std::optional<Tensor>& p, const Tensor& x,
                            ScalarType x_type) {
  if (!p.has_value()) return;
  const Sizes have = sizes_of(*p), want = [&] {
    Sizes sizes = sizes_of(x);
    sizes.erase(sizes.begin());
    return sizes;
  }();
  bool fits = have.size() <= want.size();
  for (size_t d = 0; fits && d < have.size(); ++d) {
    fits = have[d] == 1 || have[d] == want[want.size() - have.size() + d];
  }
  if (!fits) {
    fail("lif: {} must be broadcastable to x.shape[1:] {}, got {}", name, shape_text(want),
         shape_text(have));
  }
  check_dtype("lif", name, *p, compute_type(x_type));
  check_device("lif", name, *p, x);
}

inline void check_finite(const char* name, const std::optional<Tensor>& p, double value) {
  if (!p.has_value() && !std::isfinite(value)) {
    fail("lif: {} must be finite, got {}", name, value);
  }
}

// x, or a tensor of its shape (T aside) and device: x itself need not be kept for the backward.
inline void check_lif(const Tensor& x, ScalarType x_type, const LifOptions& o) {
  if (x.dim() < 1 || x.size(0) < 1) {
    fail("lif: x must have shape [T, ...] with T >= 1, got {}", shape_text(x));
  }
  if (x_type != ScalarType::Float && x_type != ScalarType::Double &&
      x_type != ScalarType::BFloat16 && x_type != ScalarType::Half) {
    fail("lif: x must have dtype float32, float64, bfloat16 or float16, got {}",
         dtype_text(x_type));
  }
  if (o.v_init.has_value()) {
    Sizes want = sizes_of(x);
    want.erase(want.begin());
    if (sizes_of(*o.v_init) != want) {
      fail("lif: v_init must have shape x.shape[1:] {}, got {}", shape_text(want),
           shape_text(*o.v_init));
    }
    check_dtype("lif", "v_init", *o.v_init, compute_type(x_type));
    check_device("lif", "v_init", *o.v_init, x);
  }
  check_parameter("decay", o.decay, x, x_type);
  check_parameter("threshold", o.threshold, x, x_type);
  check_parameter("gain", o.gain, x, x_type);
  check_parameter("width", o.width, x, x_type);
  if (o.values.size() != 5) {
    fail("lif: values must have length 5, got {}", o.values.size());
  }
  check_finite("decay", o.decay, o.values[0]);
  check_finite("gain", o.gain, o.values[2]);
  check_finite("v_reset", std::nullopt, o.values[4]);
  if (!o.threshold.has_value() && std::isnan(o.values[1])) {
    fail("lif: threshold must not be NaN, got {}", o.values[1]);
  }
  if (!o.width.has_value() && !(o.values[3] > 0 && std::isfinite(o.values[3]))) {
    fail("lif: width must be > 0, got {}", o.values[3]);
  }
  constexpr size_t count = std::size(kLifOptionLimits);
  if (o.options.size() != count) {
    fail("lif: options must have length {}, got {}", count, o.options.size());
  }
  for (size_t i = 0; i < count; ++i) {
    if (o.options[i] < 0 || o.options[i] >= kLifOptionLimits[i]) {
      fail("lif: options[{}] must be in [0, {}], got {}", i, kLifOptionLimits[i] - 1, o.options[i]);
    }
  }
  if (o.rounding() == Rounding::kFloor && x_type != compute_type(x_type)) {
    fail("lif: x must have dtype float32 or float64 with rounding='floor', got {}",
         dtype_text(x_type));
  }
}

// A parameter as the kernels read it. `keep` owns copies made for exotic layouts.
template <typename T>
NeuronParameter<T> neuron_parameter(const std::optional<Tensor>& p, double value,
                                    const Layout& layout, std::vector<Tensor>& keep) {
  if (!p.has_value()) return {nullptr, static_cast<T>(value), 1, 1};
  const size_t dims = layout.sizes.size();
  const size_t skip = dims - static_cast<size_t>(p->dim());
  // Walk x[0] in memory order; the parameter's dimensions must be neighbours and in logical order.
  int64_t count = 1, inner = 1;
  int last = -1;
  bool started = false, ended = false, plain = p->is_contiguous();
  for (const int d : layout.order) {
    if (layout.sizes[d] == 1) continue;
    const bool own = static_cast<size_t>(d) >= skip && p->size(d - skip) > 1;
    if (own) {
      plain = plain && !ended && d > last;
      started = true;
      last = d;
      count *= layout.sizes[d];
    } else if (started) {
      ended = true;
      inner *= layout.sizes[d];
    }
  }
  if (plain) {
    keep.push_back(*p);
    return {p->const_data_ptr<T>(), T(0), count, count == 1 ? 1 : inner};
  }
  keep.push_back(copy_in_layout(*p, layout, -1, p->scalar_type()));
  return {keep.back().const_data_ptr<T>(), T(0), layout.neurons(), 1};
}

// A tensor dense in the layout: itself, or a copy.
inline Tensor in_layout(const Tensor& t, const Layout& layout, int64_t steps,
                        std::vector<Tensor>& keep) {
  const bool same = steps < 0 ? is_in_layout(t, layout)
                              : strides_of(t) == layout.output_strides(steps);
  keep.push_back(same ? t : copy_in_layout(t, layout, steps, t.scalar_type()));
  return keep.back();
}

// Fills the rule shared by both directions; returns the (possibly copied) v_init.
template <typename T>
const T* fill_rule(LifRule<T>& rule, int64_t steps, const Layout& layout, const LifOptions& o,
                   std::vector<Tensor>& keep) {
  rule.steps = steps;
  rule.neurons = layout.neurons();
  rule.decay = neuron_parameter<T>(o.decay, o.values[0], layout, keep);
  rule.threshold = neuron_parameter<T>(o.threshold, o.values[1], layout, keep);
  rule.gain = neuron_parameter<T>(o.gain, o.values[2], layout, keep);
  rule.width = neuron_parameter<T>(o.width, o.values[3], layout, keep);
  rule.v_reset = static_cast<T>(o.values[4]);
  rule.reset = o.reset();
  rule.rounding = o.rounding();
  rule.detach_reset = o.detach_reset();
  rule.inclusive = o.inclusive();
  if (!o.v_init.has_value()) return nullptr;
  return in_layout(*o.v_init, layout, -1, keep).const_data_ptr<T>();
}

// Reads `x` in place when its steps are rows of the layout, else from a copy.
template <typename X>
StepView<X> step_view(const Tensor& x, const Layout& layout, std::vector<Tensor>& keep) {
  auto strides = step_strides(x, layout);
  keep.push_back(strides ? x : copy_in_layout(x, layout, x.size(0), x.scalar_type()));
  if (!strides) strides = StepStrides{layout.neurons(), 0, std::max<int64_t>(layout.neurons(), 1)};
  return {static_cast<const X*>(keep.back().const_data_ptr()), strides->step, strides->row_stride,
          strides->row};
}

}  // namespace lampyris
