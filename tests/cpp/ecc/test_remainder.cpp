#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "ecc/bch_generator.h"
#include "ecc/carryless.h"
#include "ecc/remainder.h"

namespace lampyris::ecc {
namespace {

std::vector<uint8_t> random_bytes(std::mt19937& generator, size_t count) {
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(generator());
  return bytes;
}

// Bit by bit from the definition.
Gf2Polynomial slow_remainder(const Gf2Polynomial& g, int offset, std::span<const uint8_t> page) {
  Gf2Polynomial data;
  for (size_t i = 0; i < page.size() * 8; ++i)
    if ((page[i / 8] >> i % 8 & 1) != 0) data.flip(static_cast<int>(i) + offset);
  return mod(data, g);
}

struct Divisor {
  Gf2Polynomial polynomial;
  int offset;
};

// Generators of every width up to 64 bits, with and without the factor x + 1.
std::vector<Divisor> word_divisors() {
  std::vector<Divisor> out = {{Gf2Polynomial(0b11), 0}, {Gf2Polynomial(0b11), 1}};
  for (const auto& [m, t] : std::vector<std::pair<int, int>>{
           {3, 1}, {5, 3}, {7, 1}, {9, 5}, {10, 3}, {11, 5}, {12, 5}, {13, 4}, {9, 7}, {8, 8}}) {
    const Gf2Polynomial g = bch_generator(Field(m), t);
    out.push_back({g, g.degree()});
    if (g.degree() < 64) out.push_back({g * Gf2Polynomial(0b11), g.degree()});
  }
  return out;
}

TEST(Remainder, EveryWayEqualsTheDefinition) {
  std::mt19937 generator(1);
  for (const Divisor& d : word_divisors()) {
    for (const size_t bytes : {1, 7, 8, 9, 15, 16, 17, 31, 40, 64, 65, 100, 129}) {
      const WordGenerator g(d.polynomial, d.offset, static_cast<int64_t>(bytes) * 8);
      const std::vector<uint8_t> page = random_bytes(generator, bytes);
      const Gf2Polynomial expected = slow_remainder(d.polynomial, d.offset, page);
      EXPECT_EQ(Gf2Polynomial(remainder_by_tables(g, page)), expected);
      if (!has_carryless()) continue;
      EXPECT_EQ(Gf2Polynomial(remainder_by_carryless(g, page)), expected);
    }
  }
}

TEST(Remainder, PagesInFlightEqualSinglePages) {
  std::mt19937 generator(2);
  for (const Divisor& d : word_divisors()) {
    for (const size_t bytes : {1, 8, 13, 32, 64, 72, 127, 256}) {
      const WordGenerator g(d.polynomial, d.offset, static_cast<int64_t>(bytes) * 8);
      for (const size_t pages : {0, 1, 3, 4, 5, 8, 11}) {
        const size_t misaligned = pages % 3;
        const std::vector<uint8_t> data = random_bytes(generator, bytes * pages + misaligned);
        for_every_isa([&] {
          std::vector<uint64_t> out(pages, ~uint64_t{0});
          remainders_of(g, data.data() + misaligned, static_cast<int64_t>(bytes), out);
          for (size_t p = 0; p < pages; ++p) {
            const std::span page(data.data() + misaligned + p * bytes, bytes);
            EXPECT_EQ(out[p], remainder_by_tables(g, page));
            EXPECT_EQ(out[p], remainder_of(g, page));
          }
        });
      }
    }
  }
}

TEST(Remainder, SeveralLimbsEqualTheDefinition) {
  std::mt19937 generator(3);
  for (const auto& [m, t] : std::vector<std::pair<int, int>>{
           {4, 2}, {8, 8}, {9, 8}, {13, 5}, {13, 16}, {16, 12}, {10, 51}}) {
    const Gf2Polynomial plain = bch_generator(Field(m), t);
    for (const Gf2Polynomial& g : {plain, plain * Gf2Polynomial(0b11)}) {
      const LimbGenerator limbs(g, plain.degree());
      const std::vector<uint8_t> page = random_bytes(generator, 77);
      std::vector<uint64_t> out(limbs.limbs);
      remainder_of(limbs, page, out);
      EXPECT_EQ(Gf2Polynomial(out), slow_remainder(g, plain.degree(), page)) << g.degree();
    }
  }
}

}  // namespace
}  // namespace lampyris::ecc
