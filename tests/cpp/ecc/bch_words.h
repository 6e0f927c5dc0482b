// Words of a code for tests: random data, encoded, with bits flipped by position.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "ecc/bch_code.h"

namespace lampyris::ecc {

struct Word {
  std::vector<uint8_t> data, parity;
  bool operator==(const Word&) const = default;
};

// Bytes whose first `bits` bits are random and whose others are 0.
inline std::vector<uint8_t> random_bits(int64_t bits, std::mt19937& generator) {
  std::vector<uint8_t> bytes(static_cast<size_t>((bits + 7) / 8));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(generator());
  if (bits % 8 != 0) bytes.back() &= static_cast<uint8_t>((1 << bits % 8) - 1);
  return bytes;
}

inline Word random_word(const BchCode& code, std::mt19937& generator) {
  Word word{random_bits(code.data_bits(), generator), std::vector<uint8_t>(code.parity_bytes())};
  code.encode(word.data, word.parity);
  return word;
}

// As DecodeResult counts positions.
inline void flip(const BchCode& code, Word& word, int64_t position) {
  const int64_t r = code.generator_degree(), overall = r + code.data_bits();
  const bool in_data = position >= r && position < overall;
  const int64_t i = in_data ? position - r : position == overall ? r : position;
  (in_data ? word.data : word.parity)[static_cast<size_t>(i / 8)] ^=
      static_cast<uint8_t>(1 << i % 8);
}

// `count` different positions, ascending.
inline std::vector<int32_t> random_positions(const BchCode& code, int count,
                                             std::mt19937& generator) {
  std::vector<int32_t> positions;
  while (static_cast<int>(positions.size()) < count) {
    const auto p = static_cast<int32_t>(generator() % static_cast<uint64_t>(code.code_bits()));
    if (std::find(positions.begin(), positions.end(), p) == positions.end()) positions.push_back(p);
  }
  std::sort(positions.begin(), positions.end());
  return positions;
}

inline bool is_code_word(const BchCode& code, const Word& word) {
  std::vector<uint8_t> parity(code.parity_bytes());
  code.encode(word.data, parity);
  return parity == word.parity;
}

}  // namespace lampyris::ecc
