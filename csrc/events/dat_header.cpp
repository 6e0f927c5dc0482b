#include "events/dat_header.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "core/error.h"

namespace lampyris {

namespace {

bool starts_header_line(std::span<const uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == '%' &&
         (bytes[1] == ' ' || bytes[1] == '\n' || bytes[1] == '\r');
}

std::string_view next_word(std::string_view& line) {
  const size_t first = std::min(line.find_first_not_of(" \t\r"), line.size());
  const size_t last = std::min(line.find_first_of(" \t\r", first), line.size());
  const std::string_view word = line.substr(first, last - first);
  line.remove_prefix(last);
  return word;
}

std::string printable(std::string_view word) {
  std::string shown(word.substr(0, 20));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return shown;
}

int64_t parse_side(std::string_view word, std::string_view keyword, std::string_view name) {
  int64_t side = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), side);
  if (error != std::errc() || end != word.data() + word.size() || side < 1 || side > kDatMaxSide) {
    fail("event file: {}: {} must be 1..{}, got \"{}\"", name, keyword, kDatMaxSide,
         printable(word));
  }
  return side;
}

}  // namespace

DatHeader parse_dat_header(std::span<const uint8_t> bytes, std::string_view name) {
  DatHeader header;
  size_t position = 0;
  while (starts_header_line(bytes.subspan(position))) {
    const size_t limit = std::min<size_t>(bytes.size(), kDatMaxHeaderBytes);
    const auto begin = bytes.begin() + static_cast<int64_t>(position);
    const auto end = std::find(begin, bytes.begin() + static_cast<int64_t>(limit), '\n');
    if (end == bytes.begin() + static_cast<int64_t>(limit)) {
      fail(
          "event file: {}: header line at byte {} must end with a line feed within {} bytes, got "
          "none",
          name, position, kDatMaxHeaderBytes);
    }
    std::string_view line(reinterpret_cast<const char*>(&*begin), static_cast<size_t>(end - begin));
    line.remove_prefix(1);
    const std::string_view keyword = next_word(line);
    if (keyword == "Width") header.width = parse_side(next_word(line), keyword, name);
    if (keyword == "Height") header.height = parse_side(next_word(line), keyword, name);
    position += static_cast<size_t>(end - begin) + 1;
  }
  if (position > 0) {
    if (bytes.size() - position < 2) {
      fail(
          "event file: {}: header must be followed by event type and size, got the end of the file",
          name);
    }
    header.event_type = bytes[position];
    const int size = bytes[position + 1];
    if (header.event_type != kDatEvent2d && header.event_type != kDatEventCd) {
      fail("event file: {}: event type must be 0 (2D) or 12 (CD), got {}", name, header.event_type);
    }
    if (size != kDatEventBytes) {
      fail("event file: {}: event size must be {} bytes, got {}", name, kDatEventBytes, size);
    }
    position += 2;
  }
  header.data_offset = static_cast<int64_t>(position);
  const int64_t rest = (static_cast<int64_t>(bytes.size()) - header.data_offset) % kDatEventBytes;
  if (rest != 0) {
    fail("event file: {}: events must be whole ({} bytes each), got {} bytes too many: cut short?",
         name, kDatEventBytes, rest);
  }
  return header;
}

}  // namespace lampyris
