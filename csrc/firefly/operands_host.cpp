#include "firefly/operands_host.h"

#include "core/fixed_point.h"

namespace lampyris::firefly {

namespace {

int32_t stem_current(const LoadedImage& image, const TraceMap& pixels, const Place& at, int t,
                     Operands* keep) {
  const HostStem& s = *image.plan.stem;
  const size_t per = static_cast<size_t>(s.in_channels * s.kernel_h * s.kernel_w);
  const int8_t* w = image.stem_weight.data() + static_cast<size_t>(at.channel) * per;
  const int32_t bias = image.stem_bias[static_cast<size_t>(at.channel)];
  int64_t sum = 0;
  for (int c = 0; c < s.in_channels; ++c)
    for (int ky = 0; ky < s.kernel_h; ++ky)
      for (int kx = 0; kx < s.kernel_w; ++kx, ++w) {
        const int y = at.y * s.stride - s.padding + ky, x = at.x * s.stride - s.padding + kx;
        if (y < 0 || x < 0 || y >= s.in_height || x >= s.in_width) continue;
        const int32_t pixel = pixels.at(t, c, y, x);
        sum += int64_t{pixel} * *w;
        if (keep && pixel != 0) keep->products.push_back({t, c, ky, kx, pixel, *w});
      }
  const int32_t value = sat16(shift_round(static_cast<int32_t>(sum) + bias, s.shift));
  if (keep) keep->sum = sum, keep->bias = bias, keep->shift = s.shift, keep->current = value;
  return value;
}

}  // namespace

TraceMap needed_map(const TraceSource& trace, Quantity quantity, const std::string& name) {
  std::optional<TraceMap> found = trace.find(quantity, name);
  if (!found) throw MissingMap{std::string(quantity_name(quantity)) + " \"" + name + "\""};
  return std::move(*found);
}

void explain_stem(const LoadedImage& image, const TraceSource& trace, const Place& at,
                  Operands& out) {
  const Plan& plan = image.plan;
  if (!plan.stem) {
    out.layer = plan.input, out.op = "input";
    return;
  }
  const HostStem& s = *plan.stem;
  out.layer = s.name, out.op = "host stem";
  const TraceMap pixels = needed_map(trace, Quantity::kInput, plan.input);
  if (at.quantity == Quantity::kStream) {
    out.value = stem_current(image, pixels, at, at.t, &out);
    return;
  }
  NeuronOperands n;
  n.threshold = s.threshold, n.leak = s.leak;
  for (int t = 0; t <= at.t; ++t) {
    n.previous = n.after;
    n.charged = wrap(n.previous + stem_current(image, pixels, at, t, t == at.t ? &out : nullptr),
                     kMembraneBits);
    if (s.leak == Leak::kHalfAfter) n.charged = shift_floor(n.charged, 1);
    n.fired = n.charged > n.threshold;
    n.after = n.fired ? 0 : n.charged;
  }
  out.neuron = n;
  out.value = at.quantity == Quantity::kSpikes ? n.fired : n.after;
}

void explain_output(const LoadedImage& image, const TraceSource& trace, const Place& at,
                    Operands& out) {
  const Plan& plan = image.plan;
  const HostOutput& o = *plan.output;
  out.layer = o.name, out.op = "host output";
  const TraceMap in = needed_map(trace, Quantity::kSpikes, plan.layers.back().spikes);
  const int k = o.kernel;
  const int32_t bias = image.output_bias[static_cast<size_t>(at.channel)];
  int64_t acc = 0;
  for (int t = 0; t < plan.steps; ++t) {
    int64_t sum = bias;
    for (int c = 0; c < o.in_channels; ++c)
      for (int ky = 0; ky < k; ++ky)
        for (int kx = 0; kx < k; ++kx) {
          const int y = at.y - o.padding + ky, x = at.x - o.padding + kx;
          if (y < 0 || x < 0 || y >= in.height || x >= in.width) continue;
          if (in.at(t, c, y, x) == 0) continue;
          const int64_t index = ((int64_t{at.channel} * o.in_channels + c) * k + ky) * k + kx;
          const int32_t weight = image.output_weight[static_cast<size_t>(index)];
          out.products.push_back({t, c, ky, kx, 1, weight});
          sum += weight;
        }
    out.step_sums.push_back(sum);
    acc += sum;
  }
  out.bias = bias;
  out.value = acc;
}

}  // namespace lampyris::firefly
