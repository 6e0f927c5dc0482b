#include "ecc/remainder.h"

#include <bit>
#include <cstring>

#include "core/error.h"
#include "ecc/carryless.h"

namespace lampyris::ecc {
namespace {

constexpr int kWord = 64;
constexpr int kVectorWords = 8;

// value x mod (x^degree + low).
uint64_t times_x(uint64_t value, int degree, uint64_t low) {
  const bool over = (value >> (degree - 1) & 1) != 0;
  const uint64_t mask = ~uint64_t{0} >> (kWord - degree);
  return (value << 1 & mask) ^ (over ? low : 0);
}

uint64_t load_word(const uint8_t* p, size_t bytes) {
  uint64_t word = 0;
  for (size_t i = 0; i < bytes; ++i) word |= uint64_t{p[i]} << 8 * i;
  return word;
}

uint64_t load_word(const uint8_t* p) {
  if constexpr (std::endian::native == std::endian::little) {
    uint64_t word;
    std::memcpy(&word, p, sizeof word);
    return word;
  }
  return load_word(p, 8);
}

}  // namespace

WordGenerator::WordGenerator(const Gf2Polynomial& generator, int offset_, int64_t bits)
    : degree(generator.degree()), offset(offset_) {
  if (degree < 1 || degree > kWord) fail("remainder: degree must be 1..64, got {}", degree);
  low = degree == kWord ? generator.limb(0) : generator.limb(0) ^ (uint64_t{1} << degree);
  Gf2Polynomial quotient;
  mod(Gf2Polynomial(1) << (degree + kWord - 1), generator, &quotient);
  inverse = quotient.limb(0);

  const int64_t words = (bits + kWord - 1) / kWord;
  fold.resize(static_cast<size_t>((words + kVectorWords - 1) / kVectorWords * kVectorWords));
  uint64_t power = mod(Gf2Polynomial(1) << offset, generator).limb(0);
  for (int64_t w = 0; w < words; ++w) {
    fold[w] = power;
    for (int i = 0; i < kWord; ++i) power = times_x(power, degree, low);
  }

  // Bit i of a word stands for x^(i + degree) while tables run; single bits first, then sums.
  std::array<uint64_t, kWord> single;
  power = low;
  for (int i = 0; i < kWord; ++i) {
    single[i] = power << (kWord - degree);
    power = times_x(power, degree, low);
  }
  for (int b = 0; b < 8; ++b) {
    tables[b][0] = 0;
    for (int v = 1; v < 256; ++v)
      tables[b][v] = tables[b][v & (v - 1)] ^ single[8 * b + std::countr_zero(unsigned(v))];
  }
}

uint64_t remainder_by_tables(const WordGenerator& g, std::span<const uint8_t> page) {
  const auto& t = g.tables;
  const size_t whole = page.size() / 8;
  uint64_t rest = load_word(page.data() + 8 * whole, page.size() % 8);
  uint64_t aligned = 0;
  for (size_t w = whole + 1; w-- > 0;) {
    const uint64_t x = aligned ^ rest;
    aligned = t[0][x & 255] ^ t[1][x >> 8 & 255] ^ t[2][x >> 16 & 255] ^ t[3][x >> 24 & 255] ^
              t[4][x >> 32 & 255] ^ t[5][x >> 40 & 255] ^ t[6][x >> 48 & 255] ^ t[7][x >> 56];
    if (w > 0) rest = load_word(page.data() + 8 * (w - 1));
  }
  uint64_t out = aligned >> (kWord - g.degree);
  // The tables multiply by x^degree; the generator has the term 1, so that x can be divided out.
  for (int i = g.offset; i < g.degree; ++i) {
    const bool odd = (out & 1) != 0;
    out = (odd ? (out ^ g.low) >> 1 ^ uint64_t{1} << (g.degree - 1) : out >> 1);
  }
  return out;
}

LimbGenerator::LimbGenerator(const Gf2Polynomial& generator, int offset_)
    : degree(generator.degree()), offset(offset_), limbs(static_cast<size_t>((degree + 63) / 64)) {
  if (degree < 8) fail("remainder: degree must be >= 8, got {}", degree);
  Gf2Polynomial rest = generator;
  rest.flip(degree);
  for (size_t i = 0; i < limbs; ++i) low.push_back(rest.limb(i));
  for (uint64_t v = 0; v < 256; ++v) {
    const Gf2Polynomial entry = mod(Gf2Polynomial(v) << degree, generator);
    for (size_t i = 0; i < limbs; ++i) tables.push_back(entry.limb(i));
  }
}

void remainder_of(const LimbGenerator& g, std::span<const uint8_t> page, std::span<uint64_t> out) {
  std::vector<uint64_t> state(g.limbs);
  const int shift = g.degree - 8;
  const uint64_t top_mask = ~uint64_t{0} >> (kWord - 1 - (g.degree - 1) % kWord);
  for (size_t i = page.size(); i-- > 0;) {
    uint64_t top = state[shift / kWord] >> shift % kWord;
    if (shift % kWord > kWord - 8) top |= state[shift / kWord + 1] << (kWord - shift % kWord);
    const uint64_t* entry = &g.tables[((top ^ page[i]) & 255) * g.limbs];
    for (size_t k = g.limbs; k-- > 0;) {
      const uint64_t carry = k > 0 ? state[k - 1] >> (kWord - 8) : 0;
      state[k] = (state[k] << 8 | carry) ^ entry[k];
    }
    state[g.limbs - 1] &= top_mask;
  }
  for (int i = g.offset; i < g.degree; ++i) {
    const bool odd = (state[0] & 1) != 0;
    for (size_t k = 0; k < g.limbs; ++k) {
      const uint64_t next = k + 1 < g.limbs ? state[k + 1] ^ (odd ? g.low[k + 1] : 0) : 0;
      state[k] = (state[k] ^ (odd ? g.low[k] : 0)) >> 1 | next << (kWord - 1);
    }
    if (odd) state[(g.degree - 1) / kWord] ^= uint64_t{1} << (g.degree - 1) % kWord;
  }
  std::copy(state.begin(), state.end(), out.begin());
}

}  // namespace lampyris::ecc
