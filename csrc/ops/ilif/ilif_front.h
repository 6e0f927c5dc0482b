// ilif on tensors: lif's front with another backend (a struct with static forward(a, x), backward(a,
// x), expand(counts, steps, neurons, max_spikes, out, x)).
#pragma once

#include "ops/ilif/ilif.h"
#include "ops/lif/lif_front.h"

namespace lampyris {

inline LifOptions ilif_options(const std::optional<Tensor>& v_init,
                               const std::optional<Tensor>& decay,
                               const std::optional<Tensor>& threshold,
                               const std::optional<Tensor>& gain, const std::vector<double>& values,
                               int64_t max_spikes, LifSave save) {
  if (values.size() != 3) fail("ilif: values must have length 3, got {}", values.size());
  if (max_spikes < 1 || max_spikes > kMostSpikes) {
    fail("ilif: max_spikes must be in [1, {}], got {}", kMostSpikes, max_spikes);
  }
  if (!threshold && !(values[1] > 0)) fail("ilif: threshold must be > 0, got {}", values[1]);
  const double width = 2.0 * static_cast<double>(max_spikes), v_reset = 0;
  const std::vector<double> all{values[0], values[1], values[2], width, v_reset};
  return {v_init, decay, threshold, gain, std::nullopt, all,
          lif_options("none", true, false, "dense", "last", save)};
}

// lif's checks under ilif's name.
inline void check_ilif(const Tensor& x, ScalarType type, const LifOptions& o) {
  try {
    check_lif(x, type, o);
  } catch (const std::exception& error) {
    fail("i{}", error.what());
  }
}

using IlifOutputs = std::tuple<Tensor, Tensor, std::optional<Tensor>, std::optional<Tensor>>;

template <class Backend, typename X>
IlifOutputs ilif_typed(const Tensor& x, const LifOptions& o) {
  auto [counts, membrane, codes, state, words] = lif_typed<Backend, X>(x, o);
  return {counts, *membrane, codes, state};
}

template <class Backend>
IlifOutputs ilif(Tensor x, std::optional<Tensor> v_init, std::optional<Tensor> decay,
                 std::optional<Tensor> threshold, std::optional<Tensor> gain,
                 std::vector<double> values, int64_t max_spikes, int64_t save) {
  const LifOptions o =
      ilif_options(v_init, decay, threshold, gain, values, max_spikes, static_cast<LifSave>(save));
  check_ilif(x, x.scalar_type(), o);
  return with_element(x.scalar_type(), [&](auto element) {
    return ilif_typed<Backend, decltype(element)>(x, o);
  });
}

template <class Backend>
LifGradients ilif_backward(std::optional<Tensor> grad_counts, std::optional<Tensor> grad_membrane,
                           std::optional<Tensor> x, std::optional<Tensor> codes,
                           std::optional<Tensor> state, std::optional<Tensor> v_init,
                           std::optional<Tensor> decay, std::optional<Tensor> threshold,
                           std::optional<Tensor> gain, std::vector<double> values,
                           int64_t max_spikes, int64_t steps, ScalarType dtype,
                           std::vector<bool> wanted) {
  const LifSave save = state ? LifSave::kState : LifSave::kCodes;
  const LifOptions o = ilif_options(v_init, decay, threshold, gain, values, max_spikes, save);
  const LifSaved s{grad_counts, grad_membrane, x, codes, state, std::nullopt, steps, wanted};
  check_lif_backward(s, dtype, o);
  return with_element(dtype, [&](auto element) {
    return lif_backward_typed<Backend, decltype(element)>(s, dtype, o);
  });
}

template <class Backend, typename X>
Tensor ilif_expand_typed(const Tensor& counts, int64_t max_spikes) {
  const Layout layout = step_layout(counts);
  const int64_t steps = counts.size(0), rows = steps * max_spikes;
  std::vector<Tensor> keep;
  const Tensor dense = in_layout(counts, layout, steps, keep);
  const Tensor out = empty_strided(layout.output_sizes(rows), layout.output_strides(rows),
                                   counts.scalar_type(), counts);
  if (layout.neurons() > 0) {
    Backend::expand(static_cast<const X*>(dense.const_data_ptr()), steps, layout.neurons(),
                    max_spikes, static_cast<X*>(out.mutable_data_ptr()), counts);
  }
  return out;
}

template <class Backend>
Tensor ilif_expand(Tensor counts, int64_t max_spikes) {
  if (counts.dim() < 1 || counts.size(0) < 1) {
    fail("ilif_expand: counts must have shape [T, ...] with T >= 1, got {}", shape_text(counts));
  }
  if (max_spikes < 1 || max_spikes > kMostSpikes) {
    fail("ilif_expand: max_spikes must be in [1, {}], got {}", kMostSpikes, max_spikes);
  }
  switch (counts.scalar_type()) {
    case ScalarType::Float:
      return ilif_expand_typed<Backend, float>(counts, max_spikes);
    case ScalarType::Double:
      return ilif_expand_typed<Backend, double>(counts, max_spikes);
    case ScalarType::BFloat16:
      return ilif_expand_typed<Backend, BFloat16>(counts, max_spikes);
    case ScalarType::Half:
      return ilif_expand_typed<Backend, Float16>(counts, max_spikes);
    default:
      fail("ilif_expand: counts must have dtype float32, float64, bfloat16 or float16, got {}",
           dtype_text(counts));
  }
}

}  // namespace lampyris
