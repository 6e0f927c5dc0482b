// spike_conv_lif on tensors, instantiated with a backend: a struct with static run(a, x).
#pragma once

#include <tuple>

#include "ops/spike_conv2d/spike_conv2d_front.h"
#include "ops/spike_conv_lif/spike_conv_lif.h"

namespace lampyris {

inline constexpr const char* kConvLif = "spike_conv_lif";

// Currents [T, B, Co, H', W'] in the order [T, B, H', W', Co].
inline Sizes stream_strides(const Sizes& s) {
  const int64_t image = s[2] * s[3] * s[4];
  return {s[1] * image, image, 1, s[4] * s[2], s[2]};
}

inline Tensor current_tensor(const char* name, const Tensor& t, const Sizes& want,
                             ScalarType type, const Tensor& like) {
  if (sizes_of(t) != want) {
    fail("{}: {} must have shape {}, got {}", kConvLif, name, shape_text(want), shape_text(t));
  }
  check_dtype(kConvLif, name, t, type);
  check_device(kConvLif, name, t, like);
  Sizes moved(want.size());
  for (size_t d = 0; d < want.size(); ++d) moved[d] = static_cast<int64_t>(d);
  std::rotate(moved.end() - 3, moved.end() - 2, moved.end());
  return torch::stable::contiguous(torch::stable::permute(t, moved));
}

inline ChannelValue channel_value(const char* name, const std::optional<Tensor>& t, double value,
                                  int64_t channels, const Tensor& like, std::vector<Tensor>& keep) {
  if (!t.has_value()) return {nullptr, static_cast<float>(value)};
  if (sizes_of(*t) != Sizes{channels}) {
    fail("{}: {} must be a number or have one value a channel [{}], got {}", kConvLif, name,
         channels, shape_text(*t));
  }
  check_dtype(kConvLif, name, *t, ScalarType::Float);
  check_device(kConvLif, name, *t, like);
  keep.push_back(torch::stable::contiguous(*t));
  return {keep.back().const_data_ptr<float>(), 0};
}

inline CurrentForm current_form(const SpikeConv2dShape& s, const Tensor& weight, bool scaled,
                                int64_t shift) {
  const ScalarType type = weight.scalar_type();
  if (type != ScalarType::Float && type != ScalarType::Char) {
    fail("{}: weight must have dtype float32 or int8, got {}", kConvLif, dtype_text(weight));
  }
  const bool exact = type == ScalarType::Char && !scaled;
  if (scaled && type != ScalarType::Char) {
    fail("{}: scale must be None without int8 weights, got {}", kConvLif, dtype_text(weight));
  }
  if (shift < 0 || shift > 4 || (shift > 0 && !exact)) {
    fail("{}: shift must be 0, or up to 4 with int8 weights without scale, got {}", kConvLif,
         shift);
  }
  constexpr int64_t kMostFanIn = int64_t{1} << 22;  // sums below 2^29 after the shift
  if (type == ScalarType::Char && (s.group_in() * s.taps()) << shift > kMostFanIn) {
    fail("{}: weight must have fan-in x 2^shift of at most 2^22, got {}", kConvLif,
         (s.group_in() * s.taps()) << shift);
  }
  return exact ? CurrentForm::kExact : (scaled ? CurrentForm::kScaled : CurrentForm::kFloat);
}

inline void check_options(const std::string& reset, const std::vector<double>& values) {
  if (reset != "hard" && reset != "soft" && reset != "none") {
    fail("{}: reset must be one of 'hard', 'soft', 'none', got '{}'", kConvLif, reset);
  }
  if (values.size() != 5) fail("{}: values must have length 5, got {}", kConvLif, values.size());
}

using ConvLifOutputs =
    std::tuple<Tensor, Tensor, std::optional<Tensor>, std::optional<Tensor>>;

// values = decay, threshold, gain, scale, v_reset; used where the tensor is absent.
template <class Backend>
ConvLifOutputs spike_conv_lif_op(Tensor words, Tensor carrier, Tensor weight,
                                 std::optional<Tensor> bias, std::optional<Tensor> residual,
                                 std::optional<Tensor> v_init, std::optional<Tensor> decay,
                                 std::optional<Tensor> threshold, std::optional<Tensor> gain,
                                 std::optional<Tensor> scale, std::vector<double> values,
                                 std::string reset, bool inclusive, bool scaled, int64_t shift,
                                 int64_t stride, int64_t padding, int64_t groups, bool stream,
                                 bool membrane) {
  if (carrier.dim() != 5 || words.dim() != 5) {
    fail("{}: spikes must have shape [T, B, C, H, W], got {}", kConvLif, shape_text(carrier));
  }
  const Sizes c = sizes_of(carrier), w = sizes_of(words);
  const Tensor flat = torch::stable::reshape(carrier, {c[0] * c[1], c[2], c[3], c[4]});
  const Tensor bits = torch::stable::contiguous(
      torch::stable::reshape(words, {w[0] * w[1], w[2], w[3], w[4]}));
  SpikeConvLif a;
  a.conv = check_spike_conv2d(kConvLif, bits, flat, weight, bias, stride, padding, groups);
  check_options(reset, values);
  a.form = current_form(a.conv, weight, scaled, shift);
  a.steps = c[0];
  a.batch = c[1];
  a.shift = static_cast<int>(shift);
  const bool exact = a.form == CurrentForm::kExact;
  const ScalarType stream_type = exact ? ScalarType::Short : ScalarType::Float;
  if (bias.has_value()) {
    check_dtype(kConvLif, "bias", *bias, exact ? ScalarType::Int : ScalarType::Float);
  }

  std::vector<Tensor> keep;
  const int64_t channels = a.conv.out_channels;
  const Sizes maps = {a.steps, a.batch, channels, a.conv.out_height(), a.conv.out_width()};
  const Sizes state = {maps[1], maps[2], maps[3], maps[4]};
  const auto hold = [&](Tensor t) -> const Tensor& {
    keep.push_back(std::move(t));
    return keep.back();
  };
  a.words = words_of(bits);
  a.weight = hold(torch::stable::contiguous(weight)).const_data_ptr();
  if (bias.has_value()) a.bias = hold(torch::stable::contiguous(*bias)).const_data_ptr();
  if (residual.has_value()) {
    a.residual =
        hold(current_tensor("residual", *residual, maps, stream_type, carrier)).const_data_ptr();
  }
  if (v_init.has_value()) {
    a.v_init = hold(current_tensor("v_init", *v_init, state, ScalarType::Float, carrier))
                   .template const_data_ptr<float>();
  }
  a.decay = channel_value("decay", decay, values[0], channels, carrier, keep);
  a.threshold = channel_value("threshold", threshold, values[1], channels, carrier, keep);
  a.gain = channel_value("gain", gain, values[2], channels, carrier, keep);
  a.scale = channel_value("scale", scale, values[3], channels, carrier, keep);
  a.v_reset = static_cast<float>(values[4]);
  a.reset = reset == "hard" ? Reset::kHard : (reset == "soft" ? Reset::kSoft : Reset::kNone);
  a.inclusive = inclusive;

  std::optional<Tensor> currents, last;
  if (stream) currents = empty_strided(maps, stream_strides(maps), stream_type, carrier);
  if (membrane) last = empty_channels_last(state, ScalarType::Float, carrier);
  a.stream = currents.has_value() ? currents->mutable_data_ptr() : nullptr;
  a.membrane = data<float>(last);
  const Tensor out =
      empty({maps[0], maps[1], maps[3], maps[4], a.out_words()}, ScalarType::Int, carrier);
  a.out = reinterpret_cast<uint32_t*>(out.mutable_data_ptr<int32_t>());
  Backend::run(a, carrier);
  return {make_carrier(maps, ScalarType::Float, carrier), out, last, currents};
}

}  // namespace lampyris
