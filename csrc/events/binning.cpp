#include "events/binning.h"

#include "core/error.h"
#include "events/block_readers.h"
#include "events/frames.h"

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
  DatReader reader(file, event_window(window));
  render_frames(reader, window, {}, frames);
}

}  // namespace lampyris
