// lif on tensors: check_lif(), allocation, and the front that every backend instantiates with its
// kernel launcher.
#pragma once

#include <string>
#include <tuple>
#include <utility>

#include "ops/layout.h"
#include "ops/lif/lif.h"

namespace lampyris {

// One neuron rule as the schema passes it: tensors, or the value in `values` where absent.
struct LifOptions {
  std::optional<Tensor> v_init, decay, threshold, gain, width;
  std::vector<double> values;  // decay, threshold, gain, width, v_reset
  std::string reset, surrogate, rounding, membrane;
  bool detach_reset, inclusive;
};

inline void check_word(const char* name, const std::string& value,
                       const std::vector<std::string>& words) {
  std::string list;
  for (const auto& word : words) {
    if (word == value) return;
    list += (list.empty() ? "'" : ", '") + word + "'";
  }
  fail("lif: {} must be one of {}, got '{}'", name, list, value);
}

// The tensor's sizes, aligned right, are 1 or those of x.shape[1:].
inline void check_parameter(const char* name, const std::optional<Tensor>& p, const Tensor& x) {
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
  check_dtype("lif", name, *p, x.scalar_type());
  check_device("lif", name, *p, x);
}

inline void check_lif(const Tensor& x, const LifOptions& o) {
  if (x.dim() < 1 || x.size(0) < 1) {
    fail("lif: x must have shape [T, ...] with T >= 1, got {}", shape_text(x));
  }
  if (x.scalar_type() != ScalarType::Float && x.scalar_type() != ScalarType::Double) {
    fail("lif: x must have dtype float32 or float64, got {}", dtype_text(x));
  }
  if (o.v_init.has_value()) {
    Sizes want = sizes_of(x);
    want.erase(want.begin());
    if (sizes_of(*o.v_init) != want) {
      fail("lif: v_init must have shape x.shape[1:] {}, got {}", shape_text(want),
           shape_text(*o.v_init));
    }
    check_dtype("lif", "v_init", *o.v_init, x.scalar_type());
    check_device("lif", "v_init", *o.v_init, x);
  }
  check_parameter("decay", o.decay, x);
  check_parameter("threshold", o.threshold, x);
  check_parameter("gain", o.gain, x);
  check_parameter("width", o.width, x);
  check_word("reset", o.reset, {"hard", "soft"});
  check_word("surrogate", o.surrogate, {"rectangle"});
  check_word("rounding", o.rounding, {"none", "floor"});
  check_word("membrane", o.membrane, {"last", "trace", "none"});
  if (o.values.size() != 5) {
    fail("lif: values must have length 5, got {}", o.values.size());
  }
  if (!o.width.has_value() && !(o.values[3] > 0)) {
    fail("lif: width must be > 0, got {}", o.values[3]);
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
  rule.reset = o.reset == "hard" ? Reset::kHard : Reset::kSoft;
  rule.rounding = o.rounding == "floor" ? Rounding::kFloor : Rounding::kNone;
  rule.detach_reset = o.detach_reset;
  rule.inclusive = o.inclusive;
  if (!o.v_init.has_value()) return nullptr;
  keep.push_back(is_in_layout(*o.v_init, layout)
                     ? *o.v_init
                     : copy_in_layout(*o.v_init, layout, -1, o.v_init->scalar_type()));
  return keep.back().const_data_ptr<T>();
}

// Reads `x` in place when its steps are rows of the layout, else from a copy.
template <typename T>
StepView<T> step_view(const Tensor& x, const Layout& layout, std::vector<Tensor>& keep) {
  auto strides = step_strides(x, layout);
  keep.push_back(strides ? x : copy_in_layout(x, layout, x.size(0), x.scalar_type()));
  if (!strides) strides = StepStrides{layout.neurons(), 0, std::max<int64_t>(layout.neurons(), 1)};
  return {keep.back().const_data_ptr<T>(), strides->step, strides->row_stride, strides->row};
}

inline MembraneOut membrane_out(const std::string& word) {
  if (word == "none") return MembraneOut::kNone;
  return word == "last" ? MembraneOut::kLast : MembraneOut::kTrace;
}

}  // namespace lampyris
