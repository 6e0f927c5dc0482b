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

template <class Backend, typename T>
LifOutputs lif_typed(const Tensor& x, const LifOptions& o, bool packed, bool save_codes,
                     bool save_state) {
  const ScalarType type = x.scalar_type();
  const int64_t steps = x.size(0);
  const Layout layout = packed ? packed_layout(x) : step_layout(x);
  const int64_t neurons = layout.neurons();
  std::vector<Tensor> keep;
  LifForward<T> a;
  a.v_init = fill_rule(a, steps, layout, o, keep);
  a.x = step_view<T>(x, layout, keep);
  a.membrane_out = membrane_out(o.membrane);

  std::optional<Tensor> membrane, codes, state, words, plane;
  if (a.membrane_out != MembraneOut::kNone) {
    const int64_t rows = a.membrane_out == MembraneOut::kTrace ? steps : -1;
    membrane = empty_strided(layout.output_sizes(rows), layout.output_strides(rows), type, x);
  }
  if (save_codes) {
    codes = empty({(steps + kStepsPerByte - 1) / kStepsPerByte, neurons}, ScalarType::Byte, x);
  }
  if (save_state) state = empty({steps, neurons}, type, x);
  const SpikeShape shape = packed ? packed_shape(x, layout) : SpikeShape{};
  if (packed) {
    Sizes sizes = sizes_of(x);
    const int64_t dim = packed_dim(x);
    sizes.erase(sizes.begin() + dim);
    sizes.push_back(dim == 0 ? 1 : shape.words_per_line());
    if (dim == 0) sizes.insert(sizes.begin(), steps);
    words = empty(sizes, ScalarType::Int, x);
    plane =
        shape.plane_is_packed() ? *words : empty({steps, shape.plane_words()}, ScalarType::Int, x);
  }
  const Tensor spikes =
      packed ? make_carrier(sizes_of(x), type, x)
             : empty_strided(layout.output_sizes(steps), layout.output_strides(steps), type, x);

  a.spikes = packed ? nullptr : spikes.template mutable_data_ptr<T>();
  a.plane = reinterpret_cast<uint32_t*>(data<int32_t>(plane));
  a.membrane = data<T>(membrane);
  a.codes = data<uint8_t>(codes);
  a.state = data<T>(state);
  if (neurons > 0) {
    Backend::forward(a, x);
    if (packed && !shape.plane_is_packed()) {
      Backend::repack(a.plane, shape, reinterpret_cast<uint32_t*>(data<int32_t>(words)), x);
    }
  }
  return {spikes, membrane, codes, state, words};
}

using LifGradients = std::tuple<Tensor, std::optional<Tensor>, std::optional<Tensor>,
                                std::optional<Tensor>, std::optional<Tensor>>;

template <class Backend, typename T>
LifGradients lif_backward_typed(const Tensor& x, const LifOptions& o, bool packed,
                                const std::optional<Tensor>& grad_spikes,
                                const std::optional<Tensor>& grad_membrane, const Tensor& codes,
                                const std::optional<Tensor>& state,
                                const std::vector<bool>& wanted) {
  const ScalarType type = x.scalar_type();
  const int64_t steps = x.size(0);
  const Layout layout = packed ? packed_layout(x) : step_layout(x);
  std::vector<Tensor> keep;
  LifBackward<T> a;
  a.v_init = fill_rule(a, steps, layout, o, keep);
  if (grad_spikes) a.grad_spikes = step_view<T>(*grad_spikes, layout, keep);
  a.membrane_out = membrane_out(o.membrane);
  if (grad_membrane) {
    const int64_t rows = a.membrane_out == MembraneOut::kTrace ? steps : -1;
    Tensor dense = *grad_membrane;
    if (strides_of(dense) != layout.output_strides(rows)) {
      dense = copy_in_layout(dense, layout, rows, type);
    }
    keep.push_back(dense);
    a.grad_membrane = dense.template const_data_ptr<T>();
  }
  a.codes = codes.template const_data_ptr<uint8_t>();
  if (state) {
    a.state = state->template const_data_ptr<T>();
    a.x = step_view<T>(x, layout, keep);
  }
  const auto neuron_gradient = [&](size_t i) -> std::optional<Tensor> {
    if (!wanted[i]) return std::nullopt;
    return empty_strided(layout.sizes, layout.strides, type, x);
  };
  const Tensor grad_x =
      empty_strided(layout.output_sizes(steps), layout.output_strides(steps), type, x);
  const auto v_init = neuron_gradient(0), decay = neuron_gradient(1);
  const auto threshold = neuron_gradient(2), gain = neuron_gradient(3);
  a.grad_x = grad_x.template mutable_data_ptr<T>();
  a.grad_v_init = data<T>(v_init);
  a.grad_decay = data<T>(decay);
  a.grad_threshold = data<T>(threshold);
  a.grad_gain = data<T>(gain);
  if (layout.neurons() > 0) Backend::backward(a, x);
  return {grad_x, v_init, decay, threshold, gain};
}

template <class Backend>
LifOutputs lif(Tensor x, std::optional<Tensor> v_init, std::optional<Tensor> decay,
               std::optional<Tensor> threshold, std::optional<Tensor> gain,
               std::optional<Tensor> width, std::vector<double> values, std::string reset,
               bool detach_reset, bool inclusive, std::string surrogate, std::string rounding,
               std::string output, std::string membrane, bool save_codes, bool save_state) {
  const LifOptions o{v_init, decay,     threshold, gain,     width,        values,
                     reset,  surrogate, rounding,  membrane, detach_reset, inclusive};
  check_lif(x, o);
  check_word("output", output, {"dense", "packed"});
  const bool packed = output == "packed";
  return x.scalar_type() == ScalarType::Float
             ? lif_typed<Backend, float>(x, o, packed, save_codes, save_state)
             : lif_typed<Backend, double>(x, o, packed, save_codes, save_state);
}

template <class Backend>
LifGradients lif_backward(std::optional<Tensor> grad_spikes, std::optional<Tensor> grad_membrane,
                          Tensor x, Tensor codes, std::optional<Tensor> state,
                          std::optional<Tensor> v_init, std::optional<Tensor> decay,
                          std::optional<Tensor> threshold, std::optional<Tensor> gain,
                          std::optional<Tensor> width, std::vector<double> values,
                          std::string reset, bool detach_reset, bool inclusive,
                          std::string surrogate, std::string rounding, std::string output,
                          std::string membrane, std::vector<bool> wanted) {
  const LifOptions o{v_init, decay,     threshold, gain,     width,        values,
                     reset,  surrogate, rounding,  membrane, detach_reset, inclusive};
  check_lif(x, o);
  if (wanted.size() != 4) fail("_lif_backward: wanted must have length 4, got {}", wanted.size());
  const bool packed = output == "packed";
  const int64_t neurons = x.numel() / x.size(0);
  const Sizes code_sizes{(x.size(0) + kStepsPerByte - 1) / kStepsPerByte, neurons};
  if (sizes_of(codes) != code_sizes || !codes.is_contiguous()) {
    fail("_lif_backward: codes must have shape [ceil(T / 4), N] = {}, got {}",
         shape_text(code_sizes), shape_text(codes));
  }
  const bool reads_state =
      wanted[1] || wanted[2] || wanted[3] || (!detach_reset && reset == "hard");
  if (reads_state && (!state || sizes_of(*state) != Sizes{x.size(0), neurons})) {
    fail("_lif_backward: state must be saved for these gradients, got {}",
         state ? shape_text(*state) : "None");
  }
  if (!reads_state) state.reset();
  return x.scalar_type() == ScalarType::Float
             ? lif_backward_typed<Backend, float>(x, o, packed, grad_spikes, grad_membrane, codes,
                                                  state, wanted)
             : lif_backward_typed<Backend, double>(x, o, packed, grad_spikes, grad_membrane, codes,
                                                   state, wanted);
}

}  // namespace lampyris
