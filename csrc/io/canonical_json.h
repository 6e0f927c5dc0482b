// Canonical JSON: one text per value. Keys sorted by code point, no spaces, ASCII with \u escapes
// (lower-case hexadecimal), integers within +-2^53, no other numbers, at most kMaxJsonDepth levels.
// A text is canonical when parsing and serialising it again gives the same bytes.
// Errors: `<what>, expected ..., got ...` after the prefix "weight image: ".
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace lampyris {

inline constexpr int64_t kMaxJsonInteger = int64_t{1} << 53;
inline constexpr int kMaxJsonDepth = 32;

// The value of a text that must be canonical. `what` names it in errors.
nlohmann::json parse_canonical_json(std::string_view text, std::string_view what);

// The value of any JSON text whose numbers and depth are allowed; layout and key order are free.
nlohmann::json parse_json(std::string_view text, std::string_view what);

// The canonical text. Refuses numbers that are not integers within +-2^53, text that is not UTF-8,
// and deeper nesting.
std::string dump_canonical_json(const nlohmann::json& value, std::string_view what);

// The canonical text of a checked value for an error message, cut after 60 characters.
std::string show_json(const nlohmann::json& value);
std::string show_text(std::string_view text);

}  // namespace lampyris
