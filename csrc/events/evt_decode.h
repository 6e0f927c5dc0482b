// Decoders of EVT2 and EVT3 words: a state that can be saved at any word and continued from there.
//
// EVT2, 32 bits, type in bits 31-28: 0 darker and 1 brighter event (time bits 27-22, x 21-11,
// y 10-0), 8 upper 28 bits of the time (us / 64). Others (10 trigger, 14, 15) carry no events.
//
// EVT3, 16 bits, type in bits 15-12: 0 row (y 10-0), 2 event (x 10-0, polarity 11), 3 base of a
// vector (same fields), 4 vector of 12 and 5 of 8 pixels from the base on, which moves behind them,
// 6 lower and 8 upper 12 bits of the time (us). Others (7, 10, 14, 15) carry no events.
//
// The upper time bits wrap (EVT2 after 4.8 h, EVT3 after 16.8 s): a step back by half of their range
// or more is a wrap, a smaller one a jump back; EVT3's lower bits start at 0 with each new upper
// part (both as in the vendor's decoder). Events before the first time word, and EVT3
// events before the first row, have no time or place and are skipped.
#pragma once

#include <cstdint>
#include <cstring>

#include "events/event_block.h"

namespace lampyris {

struct EvtState {
  int64_t word = 0;    // next word to decode
  int64_t events = 0;  // events decoded so far
  int64_t skipped = 0;
  int64_t wraps = 0;  // us
  uint32_t high = 0;
  uint32_t low = 0;
  uint16_t y = 0;
  uint16_t base_x = 0;
  uint8_t polarity = 0;
  bool has_time = false;
  bool has_row = false;

  template <int kHighBits, int kLowBits>
  void set_high(uint32_t value) {
    if (has_time && value < high && high - value >= (uint32_t{1} << (kHighBits - 1))) {
      wraps += int64_t{1} << (kHighBits + kLowBits);
    }
    if (!has_time || value != high) low = 0;  // it belonged to the old upper part
    high = value;
    has_time = true;
  }
};

inline constexpr int64_t kEvtMaxEventsPerWord = 12;

// Decodes words up to `last` as long as a whole vector fits; returns the number of events written.
inline int64_t decode_evt2(EvtState& s, const uint8_t* words, int64_t last, TimedEvent* out,
                           int64_t capacity) {
  int64_t n = 0;
  for (; s.word < last && n + kEvtMaxEventsPerWord <= capacity; ++s.word) {
    uint32_t w = 0;
    std::memcpy(&w, words + 4 * s.word, sizeof w);
    const uint32_t type = w >> 28;
    if (type == 8) {
      s.set_high<28, 6>(w & 0xfffffff);
    } else if (type <= 1) {
      if (!s.has_time) {
        ++s.skipped;
        continue;
      }
      const int64_t t = s.wraps + (int64_t{s.high} << 6) + ((w >> 22) & 0x3f);
      out[n++] = {t, static_cast<uint16_t>((w >> 11) & 0x7ff), static_cast<uint16_t>(w & 0x7ff),
                  static_cast<uint8_t>(type)};
    }
  }
  s.events += n;
  return n;
}

inline int64_t decode_evt3(EvtState& s, const uint8_t* words, int64_t last, TimedEvent* out,
                           int64_t capacity) {
  int64_t n = 0;
  for (; s.word < last && n + kEvtMaxEventsPerWord <= capacity; ++s.word) {
    uint16_t w = 0;
    std::memcpy(&w, words + 2 * s.word, sizeof w);
    const bool placed = s.has_time && s.has_row;
    const int64_t t = s.wraps + (int64_t{s.high} << 12) + s.low;
    switch (w >> 12) {
      case 0:
        s.y = w & 0x7ff;
        s.has_row = true;
        break;
      case 2:
        if (placed) {
          out[n++] = {t, static_cast<uint16_t>(w & 0x7ff), s.y,
                      static_cast<uint8_t>((w >> 11) & 1)};
        } else {
          ++s.skipped;
        }
        break;
      case 3:
        s.base_x = w & 0x7ff;
        s.polarity = (w >> 11) & 1;
        break;
      case 4:
      case 5: {
        const int count = w >> 12 == 4 ? 12 : 8;
        for (uint32_t valid = w & ((1u << count) - 1); valid != 0; valid &= valid - 1) {
          if (placed) {
            // May pass 2047 in broken data: outside any sensor, so refused when used.
            const auto x = static_cast<uint16_t>(s.base_x + __builtin_ctz(valid));
            out[n++] = {t, x, s.y, s.polarity};
          } else {
            ++s.skipped;
          }
        }
        s.base_x = static_cast<uint16_t>(s.base_x < 0x1000 ? s.base_x + count : s.base_x);
        break;
      }
      case 6:
        s.low = w & 0xfff;
        break;
      case 8:
        s.set_high<12, 12>(w & 0xfff);
        break;
      default:
        break;
    }
  }
  s.events += n;
  return n;
}

}  // namespace lampyris
