#include "firefly/v1_builder.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/fixed_point.h"
#include "firefly/config.h"
#include "firefly/host.h"

namespace lampyris::firefly {

V1Builder::V1Builder(int parallelism, int time_steps, int channels, int height, int width,
                     const std::string& preset)
    : p_(parallelism),
      steps_(time_steps),
      channels_(channels),
      height_(height),
      width_(width),
      preset_(preset) {
  check_parallelism("build", parallelism);
  preset_config(preset, parallelism);
  constexpr int kMaxSide = 1 << 14;
  if (time_steps < 1 || channels < 1 || height < 1 || width < 1 || channels > kMaxSide ||
      height > kMaxSide || width > kMaxSide || time_steps > (1 << 14))
    fail("build: input_shape must be (T, C, H, W) with sizes from 1, got ({}, {}, {}, {})",
         time_steps, channels, height, width);
}

void V1Builder::new_name(const std::string& name) {
  if (name.empty() || std::find(names_.begin(), names_.end(), name) != names_.end())
    fail("build: names must be new and not empty, got \"{}\"", name);
  names_.push_back(name);
}

void V1Builder::layer(const V1LayerSpec& spec) {
  Layer layer;
  layer.spec = spec;
  const std::string& name = layer.name();
  new_name(spec.neuron);
  if (!spec.pool.empty()) new_name(spec.pool);
  const bool first = layers_.empty();
  const Layer* before = first ? nullptr : &layers_.back();
  layer.in_channels = first ? channels_ : before->spec.out;
  layer.in_height = first ? height_ : before->out_height;
  layer.in_width = first ? width_ : before->out_width;
  const int inputs =
      spec.linear ? layer.in_channels * layer.in_height * layer.in_width : layer.in_channels;
  if (spec.in != inputs)
    fail("{}: weight must have shape [Co, {}{}], got [{}, {}{}]", name, inputs,
         spec.linear ? "" : ", 3, 3", spec.out, spec.in, spec.linear ? "" : ", 3, 3");
  if (spec.out < 1 || spec.bias.size() != static_cast<size_t>(spec.out) ||
      spec.weight.size() != static_cast<size_t>(spec.out) * inputs * (spec.linear ? 1 : 9))
    fail("{}: weight and bias must have {} output channels, got {} biases", name, spec.out,
         spec.bias.size());
  if (!spec.linear && before && before->spec.linear)
    fail("{}: layer must be linear behind a linear layer, got conv", name);
  if (spec.linear && !spec.pool.empty()) fail("{}: pool must be False on a linear layer", name);
  layer.weight.assign(spec.weight.begin(), spec.weight.end());
  layer.bias.assign(spec.bias.begin(), spec.bias.end());
  const int pool = spec.pool.empty() ? 1 : 2;
  layer.out_height = spec.linear ? 1 : layer.in_height / pool;
  layer.out_width = spec.linear ? 1 : layer.in_width / pool;
  layers_.push_back(std::move(layer));
}

void V1Builder::host_stem(const StemSpec& spec, const std::string& neuron, int32_t threshold,
                          Leak leak) {
  if (stem_) fail("{}: host_stem must be given once, got a second", spec.name);
  HostStem stem = make_stem(spec, steps_);
  const auto [height, width] = stem_output_size(stem);
  if (stem.out_channels != channels_ || height != height_ || width != width_)
    fail("{}: host_stem must give the input [{}, {}, {}], got [{}, {}, {}]", spec.name, channels_,
         height_, width_, stem.out_channels, height, width);
  if (leak != Leak::kNone && leak != Leak::kHalfAfter)
    fail("{}: leak must be none or half_after, got {}", spec.name, leak_name(leak));
  if (wrap(threshold, kMembraneBits) != threshold)
    fail("{}: threshold must fit 18 bits [-131072, 131071], got {}", spec.name, threshold);
  new_name(spec.name);
  new_name(neuron);
  stem.fires = true, stem.neuron = neuron, stem.threshold = threshold, stem.leak = leak;
  stem_ = stem;
  stem_weight_.assign(spec.weight.values.begin(), spec.weight.values.end());
  stem_bias_.assign(spec.bias.begin(), spec.bias.end());
}

void V1Builder::host_output(const std::string& name, const WeightView& w,
                            std::span<const int16_t> bias, std::vector<double> step,
                            std::vector<std::string> class_names) {
  if (layers_.empty()) fail("{}: host_output must come behind a layer, got none", name);
  const Layer& last = layers_.back();
  if (w.kernel_h != w.kernel_w || (w.kernel_h != 1 && w.kernel_h != 3) || w.in != last.spec.out ||
      w.out < 1)
    fail("{}: weight must have shape [Co, {}, k, k] with k 1 or 3, got [{}, {}, {}, {}]", name,
         last.spec.out, w.out, w.in, w.kernel_h, w.kernel_w);
  const size_t out = static_cast<size_t>(w.out);
  if (bias.size() != out || step.size() != out)
    fail("{}: bias and step must have shape [{}], got [{}] and [{}]", name, out, bias.size(),
         step.size());
  for (size_t c = 0; c < out; ++c)
    if (!(std::isfinite(step[c]) && step[c] > 0))
      fail("{}: step must be finite and above 0, got {} at [{}]", name, step[c], c);
  new_name(name);
  HostOutput output;
  output.name = name, output.step = std::move(step), output.class_names = std::move(class_names);
  output.convolves = true;
  output.in_channels = w.in, output.out_channels = w.out;
  output.kernel = w.kernel_h, output.padding = w.kernel_h / 2;
  output_ = std::move(output);
  output_weight_.assign(w.values.begin(), w.values.end());
  output_bias_.assign(bias.begin(), bias.end());
}

}  // namespace lampyris::firefly
