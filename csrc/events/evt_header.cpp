#include "events/evt_header.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "core/error.h"

namespace lampyris {

namespace {

std::string printable(std::string_view word) {
  std::string shown(word.substr(0, 20));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return shown;
}

// The text up to one of `ends`, which is removed from `rest` together with the one that ended it.
std::string_view take(std::string_view& rest, std::string_view ends) {
  const size_t end = std::min(rest.find_first_of(ends), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

int64_t parse_side(std::string_view word, std::string_view keyword, std::string_view name) {
  int64_t side = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), side);
  if (error != std::errc() || end != word.data() + word.size() || side < 1 || side > kEvtMaxSide) {
    fail("event file: {}: {} must be 1..{}, got \"{}\"", name, keyword, kEvtMaxSide,
         printable(word));
  }
  return side;
}

void set_version(EvtHeader& header, std::string_view word, std::string_view name) {
  const std::string_view number = word.starts_with("EVT") ? word.substr(3) : word;
  if (number == "2" || number == "2.0") {
    header.version = 2;
  } else if (number == "3" || number == "3.0") {
    header.version = 3;
  } else {
    fail("event file: {}: format must be EVT2 or EVT3, got \"{}\"", name, printable(word));
  }
}

void read_line(EvtHeader& header, std::string_view line, std::string_view name) {
  const std::string_view keyword = take(line, " ");
  if (keyword == "evt") set_version(header, line, name);
  if (keyword == "endianness" && line != "little") {
    fail("event file: {}: endianness must be little, got \"{}\"", name, printable(line));
  }
  if (keyword == "geometry") {
    header.width = parse_side(take(line, "x"), "width", name);
    header.height = parse_side(line, "height", name);
  }
  if (keyword == "format") {
    set_version(header, take(line, ";"), name);
    while (!line.empty()) {
      std::string_view value = take(line, ";");
      const std::string_view key = take(value, "=");
      if (key == "width") header.width = parse_side(value, key, name);
      if (key == "height") header.height = parse_side(value, key, name);
    }
  }
}

}  // namespace

EvtHeader parse_evt_header(std::span<const uint8_t> bytes, std::string_view name) {
  const size_t limit = std::min<size_t>(bytes.size(), kEvtMaxHeaderBytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), limit);
  EvtHeader header;
  size_t position = 0;
  bool ended = false;
  while (!ended && text.substr(position).starts_with("% ")) {
    const size_t end = text.find('\n', position);
    if (end == std::string_view::npos) {
      fail(
          "event file: {}: header line at byte {} must end with a line feed within {} bytes, got "
          "none",
          name, position, kEvtMaxHeaderBytes);
    }
    std::string_view line = text.substr(position + 2, end - position - 2);
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    ended = line == "end";
    read_line(header, line, name);
    position = end + 1;
  }
  if (header.version == 0) {
    fail("event file: {}: a raw recording must state its format (% evt 2.0 or 3.0), got none",
         name);
  }
  header.data_offset = static_cast<int64_t>(position);
  const int64_t rest = static_cast<int64_t>(bytes.size() - position) % header.word_bytes();
  if (rest != 0) {
    fail("event file: {}: words must be whole ({} bytes each), got {} bytes too many: cut short?",
         name, header.word_bytes(), rest);
  }
  return header;
}

}  // namespace lampyris
