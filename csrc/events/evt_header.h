// Header of a Prophesee raw recording (.raw): ASCII lines that start with "% ", then EVT2 (32-bit)
// or EVT3 (16-bit) little-endian words. Source: docs.prophesee.ai, "RAW file format", "EVT 2.0",
// "EVT 3.0".
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace lampyris {

inline constexpr int64_t kEvtMaxHeaderBytes = 1 << 16;
inline constexpr int64_t kEvtMaxSide = 1 << 11;  // x and y are 11-bit fields

struct EvtHeader {
  int64_t data_offset = 0;  // first byte of the words
  int version = 0;          // 2 or 3
  int64_t width = 0;        // 0: not stated
  int64_t height = 0;

  int64_t word_bytes() const { return version == 2 ? 4 : 2; }
};

// Parses the start of a file; `name` begins the error messages. Takes any bytes.
// Throws std::invalid_argument: no header, a line without end, no or another format than EVT2 and
// EVT3 ("% evt 3.0" or "% format EVT3;height=720;width=1280"), big-endian words, a width or height
// outside 1..2048, a part of a word at the end.
EvtHeader parse_evt_header(std::span<const uint8_t> bytes, std::string_view name);

}  // namespace lampyris
