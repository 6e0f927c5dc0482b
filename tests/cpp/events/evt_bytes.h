// Encoders of EVT2 and EVT3 recordings for tests: plain, and with every kind of word.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "events/event_block.h"

namespace lampyris {

inline const std::string kEvt2Header = "% evt 2.0\n% format EVT2;height=300;width=400\n% end\n";
inline const std::string kEvt3Header = "% evt 3.0\n% geometry 400x300\n";

template <class Word>
void append_word(std::string& bytes, uint32_t value) {
  const auto word = static_cast<Word>(value);
  bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
}

// Times up to 2^34 wrap, as on the sensor.
inline std::string encode_evt2(const std::vector<TimedEvent>& events) {
  std::string bytes = kEvt2Header;
  int64_t high = -1;
  for (const TimedEvent& e : events) {
    if (e.t >> 6 != high) {
      high = e.t >> 6;
      append_word<uint32_t>(bytes, 8u << 28 | static_cast<uint32_t>(high & 0xfffffff));
    }
    append_word<uint32_t>(bytes, uint32_t{e.polarity} << 28 |
                                     static_cast<uint32_t>(e.t & 0x3f) << 22 | uint32_t{e.x} << 11 |
                                     e.y);
  }
  return bytes;
}

// Runs of one time, row and polarity become vectors of 12 or 8 pixels where they hold more than one.
inline std::string encode_evt3(const std::vector<TimedEvent>& events) {
  std::string bytes = kEvt3Header;
  const auto put = [&](uint32_t type, uint32_t value) {
    append_word<uint16_t>(bytes, type << 12 | value);
  };
  int64_t high = -1, low = -1, row = -1;
  for (size_t i = 0; i < events.size();) {
    const TimedEvent& e = events[i];
    if (e.t >> 12 != high) {
      high = e.t >> 12;
      low = 0;
      put(8, static_cast<uint32_t>(high & 0xfff));
    }
    if ((e.t & 0xfff) != low) put(6, static_cast<uint32_t>(low = e.t & 0xfff));
    if (e.y != row) put(0, static_cast<uint32_t>(row = e.y));
    uint32_t valid = 0;
    size_t next = i;
    int last_x = e.x - 1;
    while (next < events.size() && events[next].t == e.t && events[next].y == e.y &&
           events[next].polarity == e.polarity && events[next].x > last_x &&
           events[next].x < e.x + 12) {
      last_x = events[next].x;
      valid |= 1u << (last_x - e.x);
      ++next;
    }
    if (next - i > 1) {
      put(3, uint32_t{e.polarity} << 11 | e.x);
      put(valid < 256 ? 5 : 4, valid);
    } else {
      put(2, uint32_t{e.polarity} << 11 | e.x);
    }
    i = next;
  }
  return bytes;
}

}  // namespace lampyris
