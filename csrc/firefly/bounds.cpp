#include "firefly/bounds.h"

#include <algorithm>

#include "core/fixed_point.h"

namespace lampyris::firefly {

Bounds weight_bounds(std::span<const int8_t> weight, int out, int in, int taps, int parallelism) {
  Bounds bounds;
  const int8_t* w = weight.data();
  for (int o = 0; o < out; ++o) {
    int64_t low = 0, high = 0;
    for (int first = 0; first < in; first += parallelism) {
      int64_t tile_low = 0, tile_high = 0;
      const int64_t count = int64_t{std::min(parallelism, in - first)} * taps;
      for (int64_t i = 0; i < count; ++i, ++w) (*w > 0 ? tile_high : tile_low) += *w;
      bounds.tile_low = std::min(bounds.tile_low, tile_low);
      bounds.tile_high = std::max(bounds.tile_high, tile_high);
      low += tile_low, high += tile_high;
    }
    bounds.sum_low = std::min(bounds.sum_low, low);
    bounds.sum_high = std::max(bounds.sum_high, high);
  }
  return bounds;
}

void membrane_bounds(Bounds& bounds, std::span<const int8_t> weight, std::span<const int16_t> bias,
                     int out, const MembraneRule& rule) {
  const int64_t inputs = static_cast<int64_t>(weight.size()) / out;
  for (int o = 0; o < out; ++o) {
    int64_t low = 0, high = 0;
    for (int64_t i = 0; i < inputs; ++i) {
      const int64_t w = weight[static_cast<size_t>(o * inputs + i)];
      (w > 0 ? high : low) += w;
    }
    const int64_t b = bias[static_cast<size_t>(o)];
    // Partial sums in any order lie between these, the bias among the terms.
    low += std::min<int64_t>(b, 0), high += std::max<int64_t>(b, 0);
    int64_t v_low = 0, v_high = 0;
    for (int t = 0; t < rule.steps; ++t) {
      v_low += low, v_high += high;
      bounds.membrane_low = std::min(bounds.membrane_low, v_low);
      bounds.membrane_high = std::max(bounds.membrane_high, v_high);
      if (rule.leak == Leak::kHalfAfter) v_low >>= 1, v_high >>= 1;
      if (!rule.winner) v_high = std::min(v_high, std::max<int64_t>(rule.theta, 0));
    }
  }
}

}  // namespace lampyris::firefly
