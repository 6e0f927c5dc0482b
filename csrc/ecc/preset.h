// The presets that protect weight memories: page size, code, check word and masks of each.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lampyris::ecc {

// Low bits of a page's number that choose its mask.
inline constexpr int kMaskedBits = 6;

struct Preset {
  std::string_view name;
  int page_bytes;
  int word_bytes;  // of a check word, little-endian; bits that the code does not use are zero
  int t;           // wrong bits corrected, in data, parity and overall parity bit together
  int m;           // extended BCH code over GF(2^m); 0: the extended Hamming code SECDED(72,64)
  uint32_t primitive;
  // The check word of a page is its parity ^ masks[0] ^ masks[1 + i] for each set bit i < 6 of the
  // page's number. Every non-zero sum of the seven is more than t bits from all code words: memory
  // that is zero or all ones fails, and so do pages in each other's place.
  std::array<uint64_t, kMaskedBits + 1> masks;
};

// bram, line, page, row, strong.
std::span<const Preset> presets();
std::string preset_names();  // "bram, line, page, row or strong"

// nullptr where there is none of that name.
const Preset* find_preset(std::string_view name);

}  // namespace lampyris::ecc
