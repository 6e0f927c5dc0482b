#include "io/canonical_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace lampyris {
namespace {

using nlohmann::json;

constexpr size_t kShown = 60;  // characters of a value in an error message

// Before parsing, so that nothing recursive ever sees deep nesting.
void check_depth(std::string_view text, std::string_view what) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxJsonDepth) {
        fail("weight image: {}, expected at most {} levels of nesting, got more", what,
             kMaxJsonDepth);
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

bool allowed_integer(const json& value) {
  if (value.is_number_unsigned()) {
    return value.get<uint64_t>() <= static_cast<uint64_t>(kMaxJsonInteger);
  }
  if (!value.is_number_integer()) return false;
  const auto number = value.get<int64_t>();
  return -kMaxJsonInteger <= number && number <= kMaxJsonInteger;
}

// What is wrong with a value, or nullptr; `path` grows from the inside out on the way back, so that
// a sound value costs no text.
const char* find_fault(const json& value, int depth, std::string& path) {
  if (value.is_structured()) {
    if (depth == kMaxJsonDepth) return "fewer levels of nesting";
    for (auto item = value.begin(); item != value.end(); ++item) {
      if (const char* fault = find_fault(*item, depth + 1, path)) {
        path.insert(0, "/" + (value.is_object() ? item.key()
                                                : std::to_string(item - value.begin())));
        return fault;
      }
    }
    return nullptr;
  }
  if (value.is_number() && !allowed_integer(value)) return "integers within +-2^53";
  if (value.is_binary() || value.is_discarded()) return "JSON";
  return nullptr;
}

void check_value(const json& value, std::string_view what) {
  std::string path;
  if (const char* fault = find_fault(value, 0, path)) {
    fail("weight image: {}, expected {}, got another value at {}", what, fault, show_json(path));
  }
}

std::string dump(const json& value) { return value.dump(-1, ' ', true); }

}  // namespace

json parse_json(std::string_view text, std::string_view what) {
  check_depth(text, what);
  json value = json::parse(text.begin(), text.end(), nullptr, false);
  if (value.is_discarded()) fail("weight image: {}, expected JSON, got other text", what);
  check_value(value, what);
  return value;
}

json parse_canonical_json(std::string_view text, std::string_view what) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] < ' ' || text[i] > '~') {
      fail("weight image: {}, expected printable ASCII, got 0x{:02x} at byte {}", what,
           static_cast<uint8_t>(text[i]), i);
    }
  }
  json value = parse_json(text, what);
  const std::string canonical = dump(value);
  if (canonical != text) {
    const auto [ours, theirs] =
        std::mismatch(canonical.begin(), canonical.end(), text.begin(), text.end());
    fail("weight image: {}, expected canonical JSON, got another form at byte {}", what,
         theirs - text.begin());
  }
  return value;
}

std::string dump_canonical_json(const json& value, std::string_view what) {
  check_value(value, what);
  try {
    return dump(value);
  } catch (const json::type_error&) {
    fail("weight image: {}, expected UTF-8 text, got other bytes", what);
  }
}

std::string show_json(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kShown) text = text.substr(0, kShown) + "...";
  return text;
}

std::string show_text(std::string_view text) { return show_json(text); }

}  // namespace lampyris
