// Events to frames of counts: causal windows that end where a label is.
#pragma once

#include <cstdint>

#include "events/dat_file.h"

namespace lampyris {

// T bins of equal length that end at `end_us`, exclusive: bin k holds the events with
// end - (T - k) bin <= t < end - (T - 1 - k) bin. Bins before time 0 stay empty.
struct BinWindow {
  int64_t end_us = 0;
  int64_t bin_us = 0;
  int64_t time_steps = 0;
  int64_t height = 0;
  int64_t width = 0;

  int64_t start_us() const { return end_us - bin_us * time_steps; }
  int64_t elements() const { return time_steps * 2 * height * width; }
};

inline constexpr int64_t kMaxBinElements = int64_t{1} << 31;
inline constexpr int64_t kMaxWindowUs = int64_t{1} << 40;

// Throws std::invalid_argument: a size below 1 or too large, a negative end.
void check_bin_window(const BinWindow& window);

// frames: uint8 [T, 2, H, W], overwritten; channel 0 counts darker, channel 1 brighter events, each
// saturating at 255. Throws std::invalid_argument with the index of the first event of the window
// that lies outside H x W or is out of order.
void bin_events(const DatView& file, const BinWindow& window, uint8_t* frames);

}  // namespace lampyris
