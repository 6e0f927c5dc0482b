// Events on their way from a file to frames: decoded and checked in blocks that stay in the first
// cache.
#pragma once

#include <cstdint>

namespace lampyris {

// An event whose time may exceed 32 bits (raw recordings, arrays).
struct TimedEvent {
  int64_t t = 0;  // us
  uint16_t x = 0;
  uint16_t y = 0;
  uint8_t polarity = 0;  // 1: brighter
};

// Where in time and space a reader looks: events with start <= t < end, all inside height x width.
struct EventWindow {
  int64_t start_us = 0;
  int64_t end_us = 0;
  int64_t height = 0;
  int64_t width = 0;
};

// Events of one window in order of time.
struct EventBlock {
  static constexpr int64_t kCapacity = 1024;

  int64_t size = 0;
  int64_t t[kCapacity];      // us since the start of the window, not decreasing, also across blocks
  uint32_t cell[kCapacity];  // polarity * polarity_stride + y * width + x
};

// Gives the events of one window block by block. Throws std::invalid_argument that names the first
// event out of order or outside the sensor.
class BlockReader {
 public:
  virtual ~BlockReader() = default;

  // Fills the block; false when no event is left. polarity_stride: cells between the polarities.
  virtual bool next(EventBlock& block, uint32_t polarity_stride) = 0;
};

// The error of event `index` of `name`: outside the frame, or at `e.t` after `earliest` us.
[[noreturn]] void fail_event(const char* name, int64_t index, const TimedEvent& e, int64_t earliest,
                             const EventWindow& window);

// Puts one event into the block, checked; `earliest` is the time of the one before.
inline void push_event(EventBlock& block, const char* name, int64_t index, const TimedEvent& e,
                       int64_t& earliest, const EventWindow& window, uint32_t polarity_stride) {
  if (e.t < earliest || e.t >= window.end_us || e.x >= window.width || e.y >= window.height) {
    fail_event(name, index, e, earliest, window);
  }
  earliest = e.t;
  block.t[block.size] = e.t - window.start_us;
  block.cell[block.size++] = static_cast<uint32_t>(e.polarity * int64_t{polarity_stride} +
                                                   e.y * window.width + e.x);
}

}  // namespace lampyris
