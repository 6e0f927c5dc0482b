// The operator bodies of lif, instantiated with a backend: a struct with static forward(a, x),
// backward(a, x) and repack(plane, shape, words, x).
#pragma once

#include "ops/lif/lif_tensors.h"
#include "ops/pack_spikes/pack_spikes.h"

namespace lampyris {

// The packed dimension: C of maps [T, B, C, H, W], else the last.
inline int64_t packed_dim(const Tensor& x) { return x.dim() == 5 ? 2 : x.dim() - 1; }

// Packing reads logical order, or the packed dimension innermost (channels_last).
inline Layout packed_layout(const Tensor& x) {
  Layout layout = step_layout(x);
  const int last = static_cast<int>(packed_dim(x)) - 1;
  std::vector<int> moved = logical_order(layout.sizes.size());
  if (last >= 0) {
    moved.erase(moved.begin() + last);
    moved.push_back(last);
  }
  const auto significant = [&](const std::vector<int>& order) {
    std::vector<int> out;
    for (const int d : order) {
      if (layout.sizes[d] > 1) out.push_back(d);
    }
    return out;
  };
  if (significant(layout.order) == significant(moved)) {
    return layout_in_order(layout.sizes, std::move(moved));
  }
  return layout_in_order(layout.sizes, logical_order(layout.sizes.size()));
}

inline SpikeShape packed_shape(const Tensor& x, const Layout& layout) {
  SpikeShape s{x.size(0), 1, 1, 1};
  const int last = static_cast<int>(packed_dim(x)) - 1;
  if (last < 0) return s;
  s.length = layout.sizes[last];
  bool after = false;
  for (const int d : layout.order) {
    if (d == last) {
      after = true;
    } else {
      (after ? s.inner : s.outer) *= layout.sizes[d];
    }
  }
  return s;
}

using LifOutputs = std::tuple<Tensor, std::optional<Tensor>, std::optional<Tensor>,
                              std::optional<Tensor>, std::optional<Tensor>>;

template <class Backend, typename X>
LifOutputs lif_typed(const Tensor& x, const LifOptions& o) {
  using T = Compute<X>;
  const ScalarType type = x.scalar_type();
  const int64_t steps = x.size(0);
  const Layout layout = o.packed() ? packed_layout(x) : step_layout(x);
  std::vector<Tensor> keep;
  LifForward<X> a;
  a.v_init = fill_rule(a, steps, layout, o, keep);
  a.x = step_view<X>(x, layout, keep);
  a.membrane_out = o.membrane();
  // Dense in the layout: `rows` rows, or none but x[0]'s dimensions.
  const auto rows_of = [&](int64_t rows, ScalarType dtype) {
    return empty_strided(layout.output_sizes(rows), layout.output_strides(rows), dtype, x);
  };

  std::optional<Tensor> membrane, codes, state, words, plane;
  if (a.membrane_out != MembraneOut::kNone) {
    membrane = rows_of(a.membrane_out == MembraneOut::kTrace ? steps : -1, compute_type(type));
  }
  if (o.save() == LifSave::kCodes) {
    codes = rows_of((steps + kStepsPerByte - 1) / kStepsPerByte, ScalarType::Byte);
  }
  if (o.save() == LifSave::kState) state = rows_of(steps, compute_type(type));
  const SpikeShape shape = o.packed() ? packed_shape(x, layout) : SpikeShape{};
  if (o.packed()) {
    Sizes sizes = sizes_of(x);
    const int64_t dim = packed_dim(x);
    sizes.erase(sizes.begin() + dim);
    sizes.push_back(dim == 0 ? 1 : shape.words_per_line());
    if (dim == 0) sizes.insert(sizes.begin(), steps);
    words = empty(sizes, ScalarType::Int, x);
    plane =
        shape.plane_is_packed() ? *words : empty({steps, shape.plane_words()}, ScalarType::Int, x);
  }
  const Tensor spikes = o.packed() ? make_carrier(sizes_of(x), type, x) : rows_of(steps, type);

  a.spikes = o.packed() ? nullptr : static_cast<X*>(spikes.mutable_data_ptr());
  a.plane = reinterpret_cast<uint32_t*>(data<int32_t>(plane));
  a.membrane = data<T>(membrane);
  a.codes = data<uint8_t>(codes);
  a.state = data<T>(state);
  if (layout.neurons() > 0) {
    Backend::forward(a, x);
    if (o.packed() && !shape.plane_is_packed()) {
      Backend::repack(a.plane, shape, reinterpret_cast<uint32_t*>(data<int32_t>(words)), x);
    }
  }
  return {spikes, membrane, codes, state, words};
}

// What the backward gets besides the rule: x only where it is read (see LifBackward).
struct LifSaved {
  std::optional<Tensor> grad_spikes, grad_membrane, x, codes, state, derivative;
  int64_t steps;
  std::vector<bool> wanted;  // gradients of v_init, decay, threshold, gain

  const Tensor& any() const { return state ? *state : *codes; }
};

using LifGradients = std::tuple<Tensor, std::optional<Tensor>, std::optional<Tensor>,
                                std::optional<Tensor>, std::optional<Tensor>>;

template <class Backend, typename X>
LifGradients lif_backward_typed(const LifSaved& s, ScalarType type, const LifOptions& o) {
  using T = Compute<X>;
  const Tensor& like = s.any();
  const Layout layout = step_layout(like);
  std::vector<Tensor> keep;
  LifBackward<X> a;
  a.v_init = fill_rule(a, s.steps, layout, o, keep);
  if (s.grad_spikes) a.grad_spikes = step_view<X>(*s.grad_spikes, layout, keep);
  a.membrane_out = o.membrane();
  a.surrogate = o.surrogate();
  if (s.grad_membrane) {
    const int64_t rows = a.membrane_out == MembraneOut::kTrace ? s.steps : -1;
    a.grad_membrane = in_layout(*s.grad_membrane, layout, rows, keep).template const_data_ptr<T>();
  }
  if (s.codes) a.codes = in_layout(*s.codes, layout, s.codes->size(0), keep)
                             .template const_data_ptr<uint8_t>();
  if (s.state) {
    a.state = in_layout(*s.state, layout, s.steps, keep).template const_data_ptr<T>();
    if (s.x) a.x = step_view<X>(*s.x, layout, keep);
  }
  if (s.derivative) {
    a.derivative = in_layout(*s.derivative, layout, s.steps, keep).template const_data_ptr<T>();
  }
  const auto neuron_gradient = [&](size_t i) -> std::optional<Tensor> {
    if (!s.wanted[i]) return std::nullopt;
    return empty_strided(layout.sizes, layout.strides, compute_type(type), like);
  };
  const Tensor grad_x =
      empty_strided(layout.output_sizes(s.steps), layout.output_strides(s.steps), type, like);
  const auto v_init = neuron_gradient(0), decay = neuron_gradient(1);
  const auto threshold = neuron_gradient(2), gain = neuron_gradient(3);
  a.grad_x = static_cast<X*>(grad_x.mutable_data_ptr());
  a.grad_v_init = data<T>(v_init);
  a.grad_decay = data<T>(decay);
  a.grad_threshold = data<T>(threshold);
  a.grad_gain = data<T>(gain);
  if (layout.neurons() > 0) Backend::backward(a, like);
  return {grad_x, v_init, decay, threshold, gain};
}

template <class Backend>
LifOutputs lif(Tensor x, std::optional<Tensor> v_init, std::optional<Tensor> decay,
               std::optional<Tensor> threshold, std::optional<Tensor> gain,
               std::optional<Tensor> width, std::vector<double> values,
               std::vector<int64_t> options) {
  const LifOptions o{v_init, decay, threshold, gain, width, values, options};
  check_lif(x, x.scalar_type(), o);
  return with_element(x.scalar_type(), [&](auto element) {
    return lif_typed<Backend, decltype(element)>(x, o);
  });
}

inline void check_lif_backward(const LifSaved& s, ScalarType type, const LifOptions& o) {
  if (s.wanted.size() != 4) {
    fail("_lif_backward: wanted must have length 4, got {}", s.wanted.size());
  }
  if (!s.codes && !s.state) fail("_lif_backward: codes or state must be saved, got None");
  check_lif(s.any(), type, o);
  const bool learns = s.wanted[1] || s.wanted[2] || s.wanted[3];
  const bool codes_do = !learns && o.surrogate() == Surrogate::kRectangle &&
                        (o.detach_reset() || o.reset() != Reset::kHard);
  const int64_t rows = s.state ? s.steps : (s.steps + kStepsPerByte - 1) / kStepsPerByte;
  if (s.any().size(0) != rows) {
    fail("_lif_backward: saved rows must be {}, got {}", rows, s.any().size(0));
  }
  if (!s.state && !codes_do) {
    fail("_lif_backward: state must be saved for these gradients, got None");
  }
  if (s.state && (learns || o.rounding() == Rounding::kFloor) && !s.x) {
    fail("_lif_backward: x must be saved for these gradients, got None");
  }
  if (s.state && (o.surrogate() == Surrogate::kGiven) != s.derivative.has_value()) {
    fail("_lif_backward: derivative must be given for a surrogate without formula, got {}",
         s.derivative ? "one for a named surrogate" : "None");
  }
}

template <class Backend>
LifGradients lif_backward(std::optional<Tensor> grad_spikes, std::optional<Tensor> grad_membrane,
                          std::optional<Tensor> x, std::optional<Tensor> codes,
                          std::optional<Tensor> state, std::optional<Tensor> derivative,
                          std::optional<Tensor> v_init, std::optional<Tensor> decay,
                          std::optional<Tensor> threshold, std::optional<Tensor> gain,
                          std::optional<Tensor> width, std::vector<double> values,
                          std::vector<int64_t> options, int64_t steps, ScalarType dtype,
                          std::vector<bool> wanted) {
  const LifOptions o{v_init, decay, threshold, gain, width, values, options};
  const LifSaved s{grad_spikes, grad_membrane, x, codes, state, derivative, steps, wanted};
  check_lif_backward(s, dtype, o);
  return with_element(dtype, [&](auto element) {
    return lif_backward_typed<Backend, decltype(element)>(s, dtype, o);
  });
}

}  // namespace lampyris
