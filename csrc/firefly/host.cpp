#include "firefly/host.h"

#include <algorithm>

#include "core/error.h"
#include "core/fixed_point.h"

namespace lampyris::firefly {

namespace {
constexpr int64_t kStemLimit = int64_t{1} << 24;
constexpr int kMaxPixel = 255;
constexpr int kMaxStemKernel = 15;
constexpr int kMaxStemShift = 24;
constexpr int kMaxSide = 1 << 14;

// Least and largest acc + b32 over all pixels and output channels.
std::pair<int64_t, int64_t> sum_range(const HostStem& stem, std::span<const int8_t> weight,
                                      std::span<const int32_t> bias) {
  const int64_t inputs = int64_t{stem.in_channels} * stem.kernel_h * stem.kernel_w;
  int64_t least = 0, largest = 0;
  for (int64_t o = 0; o < stem.out_channels; ++o) {
    int64_t low = bias[static_cast<size_t>(o)], high = low;
    for (int64_t i = 0; i < inputs; ++i) {
      const int64_t value = weight[static_cast<size_t>(o * inputs + i)];
      (value > 0 ? high : low) += value * kMaxPixel;
    }
    least = std::min(least, low), largest = std::max(largest, high);
  }
  return {least, largest};
}

}  // namespace

HostStem make_stem(const StemSpec& spec, int time_steps) {
  const WeightView& w = spec.weight;
  const std::string& name = spec.name;
  if (w.in != spec.channels || w.out < 1 || w.kernel_h < 1 || w.kernel_w < 1 ||
      w.kernel_h > kMaxStemKernel || w.kernel_w > kMaxStemKernel)
    fail("{}: weight must have shape [Co, {}, kh, kw] with kernels up to {}, got [{}, {}, {}, {}]",
         name, spec.channels, kMaxStemKernel, w.out, w.in, w.kernel_h, w.kernel_w);
  if (spec.bias.size() != static_cast<size_t>(w.out))
    fail("{}: bias must have shape [{}], got [{}]", name, w.out, spec.bias.size());
  if (spec.stride < 1 || spec.padding < 0 || spec.padding >= std::max(w.kernel_h, w.kernel_w))
    fail("{}: stride must be from 1 and padding below the kernel, got {} and {}", name, spec.stride,
         spec.padding);
  if (spec.shift < 0 || spec.shift > kMaxStemShift)
    fail("{}: shift must be 0 to {}, got {}", name, kMaxStemShift, spec.shift);
  if (spec.steps != 1 && spec.steps != time_steps)
    fail("{}: input_steps must be 1 or {}, got {}", name, time_steps, spec.steps);
  if (spec.channels < 1 || spec.height < 1 || spec.width < 1 || spec.height > kMaxSide ||
      spec.width > kMaxSide || spec.height + 2 * spec.padding < w.kernel_h ||
      spec.width + 2 * spec.padding < w.kernel_w)
    fail("{}: input_shape must be [C, H, W] of at least the kernel, got [{}, {}, {}]", name,
         spec.channels, spec.height, spec.width);
  HostStem stem;
  stem.name = name;
  stem.in_channels = spec.channels, stem.in_height = spec.height, stem.in_width = spec.width;
  stem.in_steps = spec.steps, stem.out_channels = w.out;
  stem.kernel_h = w.kernel_h, stem.kernel_w = w.kernel_w;
  stem.stride = spec.stride, stem.padding = spec.padding;
  stem.shift = spec.shift, stem.exponent = spec.exponent;
  const auto [low, high] = sum_range(stem, w.values, spec.bias);
  if (-low >= kStemLimit || high >= kStemLimit)
    fail("{}: |acc + b32| must be below 2^24, got up to {}", name, std::max(-low, high));
  return stem;
}

std::pair<int64_t, int64_t> stem_range(const HostStem& stem, std::span<const int8_t> weight,
                                       std::span<const int32_t> bias) {
  const auto [low, high] = sum_range(stem, weight, bias);
  return {shift_round(static_cast<int32_t>(low), stem.shift),
          shift_round(static_cast<int32_t>(high), stem.shift)};
}

std::pair<int, int> stem_output_size(const HostStem& stem) {
  return {(stem.in_height + 2 * stem.padding - stem.kernel_h) / stem.stride + 1,
          (stem.in_width + 2 * stem.padding - stem.kernel_w) / stem.stride + 1};
}

StemSpikes run_stem_neuron(const HostStem& stem, std::span<const int16_t> currents,
                           int time_steps) {
  const auto [out_h, out_w] = stem_output_size(stem);
  const int64_t size = int64_t{stem.out_channels} * out_h * out_w;
  StemSpikes result;
  result.fired.resize(static_cast<size_t>(time_steps * size));
  result.membrane.resize(result.fired.size());
  std::vector<int32_t> v(static_cast<size_t>(size), 0);
  for (int64_t t = 0; t < time_steps; ++t) {
    const int16_t* x = currents.data() + (stem.in_steps == 1 ? 0 : t * size);
    for (int64_t i = 0; i < size; ++i) {
      int32_t& value = v[static_cast<size_t>(i)];
      value = wrap(value + x[i], kMembraneBits);
      if (stem.leak == Leak::kHalfAfter) value = shift_floor(value, 1);
      const bool fires = value > stem.threshold;
      if (fires) value = 0;
      result.fired[static_cast<size_t>(t * size + i)] = fires;
      result.membrane[static_cast<size_t>(t * size + i)] = value;
    }
  }
  return result;
}

std::vector<int32_t> run_host_output(const HostOutput& output, std::span<const int8_t> weight,
                                     std::span<const int16_t> bias, std::span<const uint8_t> spikes,
                                     int time_steps, int height, int width) {
  const int k = output.kernel, pad = output.padding;
  const int out_h = height + 2 * pad - k + 1, out_w = width + 2 * pad - k + 1;
  const int64_t co = output.out_channels, ci = output.in_channels, taps = int64_t{k} * k;
  const int64_t plane = int64_t{height} * width;
  std::vector<int32_t> total(static_cast<size_t>(co * out_h * out_w));
  std::vector<int32_t> sum(static_cast<size_t>(co));
  std::vector<int32_t> rows(static_cast<size_t>(ci * taps * co));
  for (int64_t o = 0; o < co; ++o)
    for (int64_t i = 0; i < ci * taps; ++i)
      rows[static_cast<size_t>(i * co + o)] = weight[static_cast<size_t>(o * ci * taps + i)];
  for (int y = 0; y < out_h; ++y)
    for (int x = 0; x < out_w; ++x) {
      for (int64_t o = 0; o < co; ++o)
        sum[static_cast<size_t>(o)] = time_steps * bias[static_cast<size_t>(o)];
      for (int64_t t = 0; t < time_steps; ++t)
        for (int64_t i = 0; i < ci; ++i)
          for (int64_t tap = 0; tap < taps; ++tap) {
            const int64_t iy = y - pad + tap / k, ix = x - pad + tap % k;
            if (iy < 0 || ix < 0 || iy >= height || ix >= width) continue;
            if (!spikes[static_cast<size_t>((t * ci + i) * plane + iy * width + ix)]) continue;
            const int32_t* row = rows.data() + (i * taps + tap) * co;
            for (int64_t o = 0; o < co; ++o) sum[static_cast<size_t>(o)] += row[o];
          }
      for (int64_t o = 0; o < co; ++o)
        total[static_cast<size_t>((o * out_h + y) * out_w + x)] = sum[static_cast<size_t>(o)];
    }
  return total;
}

}  // namespace lampyris::firefly
