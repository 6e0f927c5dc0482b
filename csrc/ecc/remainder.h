// Remainders of pages of bits modulo a generator: what encoding and checking a BCH code consist of.
// Data bit i is bit i % 8 of byte i / 8 and the coefficient of x^(offset + i).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ecc/gf2_polynomial.h"

namespace lampyris::ecc {

// Constants for generators of degree 1..64 and pages of up to `bits` bits; results are one word.
struct WordGenerator {
  WordGenerator(const Gf2Polynomial& generator, int offset, int64_t bits);

  int degree;
  int offset;
  uint64_t low;                // the generator without its highest term
  uint64_t inverse;            // x^(degree + 63) / generator: one Barrett step reduces 64 bits
  std::vector<uint64_t> fold;  // x^(offset + 64 w) mod generator, zeros up to a multiple of 8 words
  // What byte b of a word with value v leaves after x^64, aligned to the top of the word.
  std::array<std::array<uint64_t, 256>, 8> tables;
};

// The page times x^offset modulo the generator. The three ways agree; remainder_of() chooses by the
// processor and isa().
uint64_t remainder_of(const WordGenerator& g, std::span<const uint8_t> page);
uint64_t remainder_by_tables(const WordGenerator& g, std::span<const uint8_t> page);
uint64_t remainder_by_carryless(const WordGenerator& g, std::span<const uint8_t> page);

// One remainder for each of out.size() pages of page_bytes bytes; several pages are in flight.
void remainders_of(const WordGenerator& g, const uint8_t* pages, int64_t page_bytes,
                   std::span<uint64_t> out);

// Generators of any degree >= 8, a byte a step.
struct LimbGenerator {
  LimbGenerator(const Gf2Polynomial& generator, int offset);

  int degree;
  int offset;
  size_t limbs;
  std::vector<uint64_t> low;     // the generator without its highest term
  std::vector<uint64_t> tables;  // [256][limbs]: v x^degree mod generator
};

void remainder_of(const LimbGenerator& g, std::span<const uint8_t> page, std::span<uint64_t> out);

}  // namespace lampyris::ecc
