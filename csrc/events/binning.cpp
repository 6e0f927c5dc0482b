#include "events/binning.h"

#include <algorithm>
#include <limits>

#include "core/error.h"

namespace lampyris {

void check_bin_window(const BinWindow& window) {
  if (window.time_steps < 1) {
    fail("bin_events: time_steps must be at least 1, got {}", window.time_steps);
  }
  if (window.bin_us < 1) fail("bin_events: bin must be at least 1 us, got {}", window.bin_us);
  if (window.height < 1 || window.height > kDatMaxSide || window.width < 1 ||
      window.width > kDatMaxSide) {
    fail("bin_events: height and width must be 1..{}, got {}, {}", kDatMaxSide, window.height,
         window.width);
  }
  if (window.end_us < 0 || window.end_us > kMaxWindowUs) {
    fail("bin_events: end must be 0..{} us, got {}", kMaxWindowUs, window.end_us);
  }
  if (window.time_steps > kMaxBinElements / (2 * window.height * window.width)) {
    fail("bin_events: frames must have at most {} elements, got [{}, 2, {}, {}]", kMaxBinElements,
         window.time_steps, window.height, window.width);
  }
  if (window.bin_us > kMaxWindowUs / window.time_steps) {
    fail("bin_events: window must be at most {} us, got {} bins of {} us", kMaxWindowUs,
         window.time_steps, window.bin_us);
  }
}

void bin_events(const DatView& file, const BinWindow& window, uint8_t* frames) {
  check_bin_window(window);
  std::fill_n(frames, window.elements(), uint8_t{0});
  const int64_t start = window.start_us();
  const int64_t pixels = window.height * window.width;
  const int64_t last = file.lower_bound(window.end_us);
  int64_t earliest = std::max<int64_t>(start, 0);
  for (int64_t i = file.lower_bound(start); i < last; ++i) {
    const Event e = file.event(i);
    if (e.t < earliest || e.t >= window.end_us) {
      fail("event file: {}: event times must not decrease, got {} us at event {} after {} us",
           file.name(), e.t, i, earliest);
    }
    if (e.x >= window.width || e.y >= window.height) {
      fail("event file: {}: event {} must lie within {} x {} pixels, got y {}, x {}", file.name(),
           i, window.height, window.width, e.y, e.x);
    }
    earliest = e.t;
    const int64_t bin = (static_cast<int64_t>(e.t) - start) / window.bin_us;
    uint8_t& count = frames[(bin * 2 + e.polarity) * pixels + e.y * window.width + e.x];
    if (count != std::numeric_limits<uint8_t>::max()) ++count;
  }
}

}  // namespace lampyris
