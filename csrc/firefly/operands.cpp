#include "firefly/operands.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/fixed_point.h"
#include "firefly/operands_host.h"
#include "firefly/packing.h"
#include "firefly/plan_commands.h"

namespace lampyris::firefly {

namespace {

constexpr int kTileBits = 16;  // tile sum of the released accelerator
constexpr int kLinearTaps = 9;

class Explanation {
 public:
  Explanation(const LoadedImage& image, const TraceSource& trace, const Place& place, Operands& out)
      : image_(image), plan_(image.plan), trace_(trace), at_(place), out_(out) {}

  void run() {
    if (at_.layer < 0) return explain_stem(image_, trace_, at_, out_);
    if (at_.layer == static_cast<int>(plan_.layers.size()))
      return explain_output(image_, trace_, at_, out_);
    const PlanLayer& layer = plan_.layers[static_cast<size_t>(at_.layer)];
    out_.layer = layer.name, out_.op = layer.op;
    if (layer.op == "output") return accumulate(layer);
    if (layer.op == "max_pool" || layer.op == "upsample" || layer.op == "copy") return move(layer);
    if (layer.pool && at_.quantity == Quantity::kSpikes && at_.name == layer.spikes)
      return pool(layer);
    if (at_.quantity == Quantity::kStream) {
      out_.value = current(layer, at_.t, at_.channel, true);
      return;
    }
    const int t = at_.quantity == Quantity::kOutput ? plan_.steps - 1 : at_.t;
    const NeuronOperands n = neuron(layer, t, at_.channel, at_.y, at_.x, true);
    out_.neuron = n;
    out_.value = at_.quantity == Quantity::kSpikes ? n.fired : n.after;
  }

 private:
  // The map a layer reads, fetched once.
  const TraceMap& source(const PlanLayer& layer) {
    if (!source_) {
      const PlanMap& in = plan_.map(layer.inputs.at(0));
      source_ =
          needed_map(trace_, in.kind == Kind::kSpikes ? Quantity::kSpikes : Quantity::kStream, in.name);
    }
    return *source_;
  }

  const TraceMap& residual(const PlanLayer& layer) {
    if (!residual_) residual_ = needed_map(trace_, Quantity::kStream, layer.residual);
    return *residual_;
  }

  int32_t weight(int tiles, int taps, int out, int in, int tap) const {
    const int p = plan_.parallelism;
    const int64_t block = (int64_t{out / p} * tiles + in / p) * taps + tap;
    const auto& bytes = image_.weights[static_cast<size_t>(at_.layer)];
    return static_cast<int8_t>(bytes[static_cast<size_t>((block * p + in % p) * p + out % p)]);
  }

  int32_t bias(int out) const {
    int16_t value = 0;
    const auto& bytes = image_.bias[static_cast<size_t>(at_.layer)];
    std::memcpy(&value, bytes.data() + static_cast<size_t>(out) * sizeof(value), sizeof(value));
    return value;
  }

  int32_t threshold(const PlanLayer& layer, int channel) const {
    if (layer.threshold.size() == 1) return layer.threshold[0];
    return channel < layer.out_channels ? layer.threshold[static_cast<size_t>(channel)] : INT32_MAX;
  }

  void note(std::vector<int32_t>& sums, int tile, const Product& product, bool keep) {
    sums[static_cast<size_t>(tile)] += product.input * product.weight;
    if (keep) out_.products.push_back(product);
  }

  // Sums by input-channel tile at step t of output (channel, y, x).
  std::vector<int32_t> tile_sums(const PlanLayer& layer, int t, int channel, int y, int x,
                                 bool keep) {
    const int p = plan_.parallelism;
    const TraceMap& in = source(layer);
    if (layer.op == "linear") return linear_sums(layer, t, channel, keep);
    const int tiles = tile_count(layer.in_channels, p), k = layer.kernel;
    std::vector<int32_t> sums(static_cast<size_t>(tiles), 0);
    for (int c = 0; c < std::min(layer.in_channels, in.channels); ++c)
      for (int ky = 0; ky < k; ++ky)
        for (int kx = 0; kx < k; ++kx) {
          const int sy = y * layer.stride - layer.padding + ky;
          const int sx = x * layer.stride - layer.padding + kx;
          if (sy < 0 || sx < 0 || sy >= in.height || sx >= in.width) continue;
          const int32_t spike = in.at(t, c, sy, sx);
          if (spike == 0) continue;
          note(sums, c / p,
               {t, c, ky, kx, spike, weight(tiles, k * k, channel, c, ky * k + kx)}, keep);
        }
    return sums;
  }

  std::vector<int32_t> linear_sums(const PlanLayer& layer, int t, int channel, bool keep) {
    const int p = plan_.parallelism;
    const TraceMap& in = source(layer);
    const int tiles = v1_input_tiles(plan_, layer);
    const int64_t step = int64_t{plan_.map(layer.inputs[0]).stride_c} * 8;
    std::vector<int32_t> sums(static_cast<size_t>(tiles), 0);
    for (int c = 0; c < in.channels; ++c)
      for (int y = 0; y < in.height; ++y)
        for (int x = 0; x < in.width; ++x) {
          const int32_t spike = in.at(t, c, y, x);
          if (spike == 0) continue;
          const int beat = static_cast<int>((c / p * step + (int64_t{y} * in.width + x) * p) / p);
          const int lane = beat / kLinearTaps * p + c % p;
          note(sums, beat / kLinearTaps,
               {t, c, y, x, spike,
                weight(tiles, kLinearTaps, channel, lane, beat % kLinearTaps)},
               keep);
        }
    return sums;
  }

  int64_t total(const PlanLayer& layer, int t, int channel, int y, int x, bool keep) {
    const std::vector<int32_t> sums = tile_sums(layer, t, channel, y, x, keep);
    int64_t all = 0;
    for (const int32_t sum : sums) all += sum;
    if (keep) out_.tile_sums = sums, out_.sum = all;
    return all;
  }

  int32_t current(const PlanLayer& layer, int t, int channel, bool keep) {
    return current_at(layer, t, channel, at_.y, at_.x, keep);
  }

  // X of ems; a layer that only fires reads it from its source.
  int32_t current_at(const PlanLayer& layer, int t, int channel, int y, int x, bool keep) {
    if (layer.op == "neuron") {
      const int32_t value = source(layer).at(t, channel, y, x);
      if (keep) out_.current = value;
      return value;
    }
    int64_t wide = (total(layer, t, channel, y, x, keep) << layer.shift) + bias(channel);
    if (keep) out_.shift = layer.shift, out_.bias = bias(channel);
    if (!layer.residual.empty()) {
      const int32_t a = residual(layer).at(t, channel, y, x);
      wide += a;
      if (keep) out_.residual = a;
    }
    const int32_t value = static_cast<int32_t>(
        std::clamp<int64_t>(wide, kCurrentMin, kCurrentMax));
    if (keep) out_.current = value;
    return value;
  }

  // V that v1 compares, from V after the step before.
  int32_t released_charge(const PlanLayer& layer, int32_t v, int t, int channel, int y, int x,
                          bool keep) {
    std::vector<int32_t> sums = tile_sums(layer, t, channel, y, x, keep);
    for (size_t i = 0; i < sums.size(); ++i) {
      sums[i] = wrap(sums[i], kTileBits);
      v += sums[i];
      if (i + 1 == sums.size()) v += bias(channel);
      v = wrap(v, kMembraneBits);
      if (layer.leak == Leak::kEveryPass) v = shift_floor(v, 1);
    }
    if (layer.leak == Leak::kHalfAfter) v = shift_floor(v, 1);
    if (keep) {
      out_.bias = bias(channel), out_.tile_sums = sums, out_.sum = 0;
      for (const int32_t sum : sums) out_.sum += sum;
    }
    return v;
  }

  int32_t charge(const PlanLayer& layer, int32_t v, int t, int channel, int y, int x, bool keep) {
    if (plan_.target == "v1") return released_charge(layer, v, t, channel, y, x, keep);
    const int32_t i = current_at(layer, t, channel, y, x, keep);
    if (layer.leak == Leak::kBefore) v = shift_floor(v, layer.k);
    v += i;
    if (layer.leak == Leak::kHalfAfter) v = shift_floor(v, 1);
    return sat18(v);
  }

  // One neuron from step 0 to t; what `keep` records is of step t.
  NeuronOperands neuron(const PlanLayer& layer, int t, int channel, int y, int x, bool keep) {
    NeuronOperands n;
    n.leak = layer.leak, n.k = layer.k, n.winner = layer.winner;
    n.threshold = threshold(layer, channel);
    for (int step = 0; step <= t; ++step) {
      n.previous = n.after;
      n.charged = charge(layer, n.previous, step, channel, y, x, keep && step == t);
      n.fired = n.charged > n.threshold;
      n.after = n.fired && !n.winner ? 0 : n.charged;
    }
    if (n.winner) {
      const int p = plan_.parallelism, first = channel / p * p;
      int32_t best = n.charged;
      for (int lane = first; lane < first + p; ++lane) {
        int32_t v = 0;
        for (int step = 0; step <= t; ++step) v = charge(layer, v, step, lane, y, x, false);
        best = std::max(best, v);
      }
      n.threshold = best - 1;
      n.fired = n.charged > n.threshold;
    }
    return n;
  }

  void pool(const PlanLayer& layer) {
    int32_t any = 0;
    for (int i = 0; i < 4; ++i) {
      const int y = 2 * at_.y + i / 2, x = 2 * at_.x + i % 2;
      const NeuronOperands n = neuron(layer, at_.t, at_.channel, y, x, false);
      out_.sources.push_back({at_.channel, y, x, n.fired});
      any |= n.fired;
    }
    out_.value = any;
  }

  void move(const PlanLayer& layer) {
    const bool up = layer.op == "upsample", many = layer.op == "max_pool";
    const int stride = std::max(layer.stride, 1);
    const int y = up ? at_.y / stride : at_.y * stride, x = up ? at_.x / stride : at_.x * stride;
    int32_t best = INT32_MIN;
    for (int ky = 0; ky < (many ? layer.kernel : 1); ++ky)
      for (int kx = 0; kx < (many ? layer.kernel : 1); ++kx) {
        const int32_t v = source(layer).at(at_.t, at_.channel, y + ky, x + kx);
        out_.sources.push_back({at_.channel, y + ky, x + kx, v});
        best = std::max(best, v);
      }
    out_.value = best;
  }

  void accumulate(const PlanLayer& layer) {
    int64_t acc = 0;
    for (int t = 0; t < plan_.steps; ++t) {
      out_.step_sums.push_back(total(layer, t, at_.channel, at_.y, at_.x, true) +
                               bias(at_.channel));
      acc += out_.step_sums.back();
    }
    out_.bias = bias(at_.channel);
    out_.value = acc;
  }

  const LoadedImage& image_;
  const Plan& plan_;
  const TraceSource& trace_;
  const Place& at_;
  Operands& out_;
  std::optional<TraceMap> source_, residual_;
};

}  // namespace

Operands explain(const LoadedImage& image, const TraceSource& trace, const Place& place) {
  Operands operands;
  try {
    Explanation(image, trace, place, operands).run();
  } catch (const MissingMap& missing) {
    operands.missing = missing.name;
  }
  return operands;
}

}  // namespace lampyris::firefly
