// Line buffer and unified buffer, clock by clock.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "firefly/config.h"

namespace lampyris::firefly {

// P spikes of nine taps, row-major.
using SpikeWindow = std::array<uint32_t, kTaps>;

// Where a 3 x 3 window stands: borders that are padded, and the stride.
struct WindowShape {
  int height = 1, width = 1;
  bool top = true, bottom = true, left = true, right = true;
  int stride = 1;

  int out_height() const { return (height + top + bottom - 3) / stride + 1; }
  int out_width() const { return (width + left + right - 3) / stride + 1; }
};

// Two lines of memory and a 3 x 3 register window. One pixel of P spikes a clock; the window of a
// pixel is complete W + 1 clocks after it. Maps follow each other without a gap: what lies outside
// a border is muxed to zero.
class LineBuffer {
 public:
  // Throws std::invalid_argument for a row longer than the lines.
  LineBuffer(const Config& config, const WindowShape& shape);

  // True when window() holds a window of the map, in row-major order.
  bool push(uint32_t pixel);
  const SpikeWindow& window() const { return window_; }
  int latency() const { return shape_.width + 1; }
  // The next pixel is the first of a map.
  void restart() { pushed_ = 0; }

 private:
  bool emits(int y, int x) const;

  WindowShape shape_;
  std::vector<uint32_t> near_, far_;  // the line before, and the one before that
  SpikeWindow raw_{}, window_{};
  int64_t pushed_ = 0;
};

// Fully connected layers: nine beats of P inputs make a window.
class WindowPacker {
 public:
  bool push(uint32_t beat);
  const SpikeWindow& window() const { return window_; }

 private:
  SpikeWindow window_{};
  size_t filled_ = 0;
};

// Partial sums and membranes share one word of P lanes a pixel.
class UnifiedBuffer {
 public:
  enum class Phase : uint8_t { kClear, kAccumulate, kThreshold };

  explicit UnifiedBuffer(const Config& config)
      : parallelism_(config.parallelism),
        words_(static_cast<size_t>(config.psum_depth) * static_cast<size_t>(config.parallelism)) {}

  // The state of a pass: the stored value counts as 0 in the first tile of the first step, the
  // neuron works in the last tile of every step.
  static Phase phase(int64_t t, int64_t ci, int64_t ci_tiles) {
    if (ci + 1 == ci_tiles) return Phase::kThreshold;
    return t == 0 && ci == 0 ? Phase::kClear : Phase::kAccumulate;
  }
  // P membranes of a pixel.
  int32_t* word(int64_t pixel) { return words_.data() + pixel * parallelism_; }

 private:
  int64_t parallelism_;
  std::vector<int32_t> words_;
};

}  // namespace lampyris::firefly
