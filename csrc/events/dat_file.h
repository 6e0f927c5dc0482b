// A Prophesee .dat recording, memory-mapped: nothing is read before it is asked for, and any bytes
// are safe. Events are 8 bytes, little-endian: uint32 time (us), then x bits 0-13, y bits 14-27,
// polarity bit 28. Times must not decrease (a recording of over 71 minutes would wrap and is
// refused).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "events/dat_header.h"
#include "io/mapped_file.h"

namespace lampyris {

struct Event {
  uint32_t t = 0;  // us
  uint16_t x = 0;
  uint16_t y = 0;
  uint8_t polarity = 0;  // 1: brighter
};

inline Event decode_event(const uint8_t* bytes) {
  static_assert(std::endian::native == std::endian::little, "event files are little-endian");
  uint32_t words[2];
  std::memcpy(words, bytes, sizeof words);
  const uint32_t word = words[1];
  return {words[0], static_cast<uint16_t>(word & 0x3fff),
          static_cast<uint16_t>((word >> 14) & 0x3fff), static_cast<uint8_t>((word >> 28) & 1)};
}

// Result of reading every event once. An index of -1: no such event.
struct EventCheck {
  int64_t first_unsorted = -1;
  int64_t first_outside = -1;
  int64_t unsorted = 0;
  int64_t outside = 0;
};

// The events of a .dat file held in memory by somebody else.
class DatView {
 public:
  // `name` begins error messages. Throws std::invalid_argument (parse_dat_header).
  DatView(std::span<const uint8_t> bytes, std::string name);

  const std::string& name() const { return name_; }
  const DatHeader& header() const { return header_; }
  int64_t size() const { return size_; }

  // 0 <= index < size().
  Event event(int64_t index) const { return decode_event(record(index)); }

  // The 8 bytes of an event, 0 <= index < size(); the following ones lie behind it.
  const uint8_t* record(int64_t index) const { return data_ + index * kDatEventBytes; }

  // Number of events before time t (us), by bisection; meaningful for sorted times, safe for any.
  int64_t lower_bound(int64_t t) const;

  // Reads all events: times that decrease, positions outside height x width.
  EventCheck check(int64_t height, int64_t width) const;

 private:
  std::string name_;
  DatHeader header_;
  const uint8_t* data_ = nullptr;
  int64_t size_ = 0;
};

// A .dat file on disk, mapped. Throws FileError (missing, unreadable) and what DatView throws.
class DatFile {
 public:
  explicit DatFile(const std::string& path) : file_(path), view_(file_.bytes(), path) {}

  const DatView& view() const { return view_; }

 private:
  MappedFile file_;
  DatView view_;
};

}  // namespace lampyris
