// tdbn_add_lif on tensors: the front of tdbn_add with lif's options.
#pragma once

#include "ops/pack_spikes/pack_spikes_front.h"
#include "ops/tdbn_add/tdbn_add_front.h"

namespace lampyris {

// (spikes, stream, membrane, codes, words)
using TdbnLifOutputs = std::tuple<Tensor, std::optional<Tensor>, std::optional<Tensor>,
                                  std::optional<Tensor>, std::optional<Tensor>>;

template <class Backend, typename T>
TdbnLifOutputs tdbn_add_lif_typed(const Tensor& x, const std::optional<Tensor>& residual,
                                  const std::optional<Tensor>& weight,
                                  const std::optional<Tensor>& bias, const Tensor& moments,
                                  const LifOptions& o, bool packed, bool wants_stream,
                                  bool save_codes) {
  const ScalarType type = x.scalar_type();
  const int64_t steps = x.size(0);
  const Layout layout = packed ? packed_layout(x) : step_layout(x);
  std::vector<Tensor> keep;
  TdbnForward<T> a;
  fill_forward<Backend>(a, x, residual, weight, bias, moments, layout, keep);
  LifForward<T> lif;
  lif.v_init = fill_rule(lif, steps, layout, o, keep);
  lif.membrane_out = o.membrane();

  std::optional<Tensor> stream, membrane, codes, words, plane;
  if (wants_stream) stream = steps_like(x, layout);
  if (lif.membrane_out == MembraneOut::kLast) {
    membrane = empty_strided(layout.output_sizes(-1), layout.output_strides(-1), type, x);
  }
  if (save_codes) {
    codes = empty({(steps + kStepsPerByte - 1) / kStepsPerByte, a.neurons}, ScalarType::Byte, x);
  }
  const SpikeShape shape = packed ? packed_shape(x, layout) : SpikeShape{};
  if (packed) {
    words = empty(packed_sizes(sizes_of(x), packed_dim(x)), ScalarType::Int, x);
    plane =
        shape.plane_is_packed() ? *words : empty({steps, shape.plane_words()}, ScalarType::Int, x);
  }
  const Tensor spikes = packed ? make_carrier(sizes_of(x), type, x) : steps_like(x, layout);

  a.stream = data<T>(stream);
  lif.spikes = packed ? nullptr : spikes.template mutable_data_ptr<T>();
  lif.plane = reinterpret_cast<uint32_t*>(data<int32_t>(plane));
  lif.membrane = data<T>(membrane);
  lif.codes = data<uint8_t>(codes);
  if (a.neurons > 0) {
    Backend::add_lif(a, lif, x);
    if (packed && !shape.plane_is_packed()) {
      Backend::repack(lif.plane, shape, reinterpret_cast<uint32_t*>(data<int32_t>(words)), x);
    }
  }
  return {spikes, stream, membrane, codes, words};
}

inline void check_tdbn_lif(const Tensor& x, const LifOptions& o) {
  check_lif(x, x.scalar_type(), o);
  const bool codes_are_enough = o.membrane() != MembraneOut::kTrace &&
                                (o.detach_reset() || o.reset() != Reset::kHard);
  if (!codes_are_enough) {
    fail("tdbn_add_lif: options must let two bits a step carry the backward, got others");
  }
}

template <class Backend>
TdbnLifOutputs tdbn_add_lif(Tensor x, std::optional<Tensor> residual, std::optional<Tensor> weight,
                            std::optional<Tensor> bias, Tensor moments,
                            std::optional<Tensor> v_init, std::optional<Tensor> decay,
                            std::optional<Tensor> threshold, std::optional<Tensor> gain,
                            std::optional<Tensor> width, std::vector<double> values,
                            std::string reset, bool detach_reset, bool inclusive,
                            std::string output, std::string membrane, bool stream, bool save_codes,
                            bool, std::string) {
  const LifSave save = save_codes ? LifSave::kCodes : LifSave::kNothing;
  const LifOptions o{v_init, decay, threshold, gain, width, values,
                     lif_options(reset, detach_reset, inclusive, output, membrane, save)};
  check_tdbn(x, residual, weight, bias);
  check_per_channel("moments", moments, x);
  check_tdbn_lif(x, o);
  const bool packed = o.packed();
  return x.scalar_type() == ScalarType::Float
             ? tdbn_add_lif_typed<Backend, float>(x, residual, weight, bias, moments, o, packed,
                                                  stream, save_codes)
             : tdbn_add_lif_typed<Backend, double>(x, residual, weight, bias, moments, o, packed,
                                                   stream, save_codes);
}

// (dz, sums, grad_v_init)
using TdbnLifGradients = std::tuple<Tensor, Tensor, std::optional<Tensor>>;

template <class Backend, typename T>
TdbnLifGradients tdbn_lif_grad_sums_typed(const std::optional<Tensor>& grad_stream,
                                          const std::optional<Tensor>& grad_spikes,
                                          const std::optional<Tensor>& grad_membrane,
                                          const Tensor& x, const Tensor& codes,
                                          const Tensor& moments, const LifOptions& o, bool packed,
                                          bool wants_v_init) {
  const Layout layout = packed ? packed_layout(x) : step_layout(x);
  std::vector<Tensor> keep;
  TdbnGradSums<T> a;
  fill_grad_sums<Backend>(a, x, moments, layout, keep);
  a.grad_stream = dense_steps<T>(grad_stream, layout, keep);
  LifBackward<T> lif;
  fill_rule(lif, x.size(0), layout, o, keep);
  if (grad_spikes) lif.grad_spikes = step_view<T>(*grad_spikes, layout, keep);
  lif.membrane_out = o.membrane();
  if (grad_membrane) {
    keep.push_back(is_in_layout(*grad_membrane, layout)
                       ? *grad_membrane
                       : copy_in_layout(*grad_membrane, layout, -1, x.scalar_type()));
    lif.grad_membrane = keep.back().template const_data_ptr<T>();
  }
  lif.codes = codes.const_data_ptr<uint8_t>();
  const Tensor dz = steps_like(x, layout);
  std::optional<Tensor> grad_v_init;
  if (wants_v_init) {
    grad_v_init =
        empty_strided(layout.output_sizes(-1), layout.output_strides(-1), x.scalar_type(), x);
  }
  lif.grad_x = dz.mutable_data_ptr<T>();
  lif.grad_v_init = data<T>(grad_v_init);
  const Tensor sums = torch::stable::new_zeros(x, {2 * a.order.channels}, ScalarType::Double);
  if (a.neurons > 0) Backend::lif_grad_sums(a, lif, sums.mutable_data_ptr<double>(), x);
  return {dz, sums, grad_v_init};
}

template <class Backend>
TdbnLifGradients tdbn_lif_grad_sums(std::optional<Tensor> grad_stream,
                                    std::optional<Tensor> grad_spikes,
                                    std::optional<Tensor> grad_membrane, Tensor x, Tensor codes,
                                    Tensor moments, std::optional<Tensor> decay,
                                    std::optional<Tensor> threshold, std::optional<Tensor> gain,
                                    std::optional<Tensor> width, std::vector<double> values,
                                    std::string reset, bool detach_reset, bool inclusive,
                                    std::string output, std::string membrane, bool wants_v_init) {
  const LifOptions o{
      std::nullopt, decay, threshold, gain, width, values,
      lif_options(reset, detach_reset, inclusive, output, membrane, LifSave::kCodes)};
  check_tdbn(x, std::nullopt, std::nullopt, std::nullopt);
  check_per_channel("moments", moments, x);
  check_tdbn_lif(x, o);
  const Sizes code_sizes{(x.size(0) + kStepsPerByte - 1) / kStepsPerByte, x.numel() / x.size(0)};
  if (sizes_of(codes) != code_sizes || !codes.is_contiguous()) {
    fail("tdbn_add_lif: codes must have shape [ceil(T / 4), N] = {}, got {}",
         shape_text(code_sizes), shape_text(codes));
  }
  const bool packed = o.packed();
  return x.scalar_type() == ScalarType::Float
             ? tdbn_lif_grad_sums_typed<Backend, float>(grad_stream, grad_spikes, grad_membrane, x,
                                                        codes, moments, o, packed, wants_v_init)
             : tdbn_lif_grad_sums_typed<Backend, double>(grad_stream, grad_spikes, grad_membrane, x,
                                                         codes, moments, o, packed, wants_v_init);
}

}  // namespace lampyris
