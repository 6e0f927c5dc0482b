// Header of a Prophesee .dat event file: ASCII lines that start with "% " (keyword and value), then
// two bytes, event type and event size. Files without any header exist: their events are 2-D, 8
// bytes. Source: Prophesee automotive dataset toolbox (dat_events_tools.py), docs.prophesee.ai.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace lampyris {

inline constexpr int kDatEvent2d = 0;
inline constexpr int kDatEventCd = 12;
inline constexpr int64_t kDatEventBytes = 8;
inline constexpr int64_t kDatMaxHeaderBytes = 1 << 16;
inline constexpr int64_t kDatMaxSide = 1 << 14;  // x and y are 14-bit fields

struct DatHeader {
  int64_t data_offset = 0;  // first byte of the events
  int event_type = kDatEvent2d;
  int64_t width = 0;  // 0: not stated
  int64_t height = 0;
};

// Parses the start of a file; `name` begins the error messages. Takes any bytes.
// Throws std::invalid_argument: a header line without end, a width or height outside 1..16384, an
// event type other than 0 and 12, an event size other than 8, a part of an event at the end.
DatHeader parse_dat_header(std::span<const uint8_t> bytes, std::string_view name);

}  // namespace lampyris
