#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "cpu/bits.h"
#include "cpu/every_isa.h"

namespace lampyris {
namespace {

template <typename T>
struct Pack {
  template <class Target>
  LAMPYRIS_INLINE static void run(const T* values, uint32_t* word) {
    *word = pack_word(Target{}, values);
  }
};

template <typename T>
void expect_round_trip() {
  std::mt19937 random(1);
  for (int k = 0; k < 100; ++k) {
    const uint32_t expected = random();
    T values[32];
    unpack_word(expected, values);
    for_every_isa([&] {
      uint32_t word = 0;
      dispatch<Pack<T>>(static_cast<const T*>(values), &word);
      EXPECT_EQ(word, expected);
    });
  }
}

TEST(Bits, WordsRoundTrip) {
  expect_round_trip<float>();
  expect_round_trip<double>();
  expect_round_trip<uint8_t>();
}

struct Transpose {
  template <class Target>
  LAMPYRIS_INLINE static void run(uint32_t* rows) {
    transpose_bits(Target{}, rows);
  }
};

TEST(Bits, Transpose) {
  std::mt19937 random(2);
  uint32_t before[32];
  for (uint32_t& row : before) row = random();
  for_every_isa([&] {
    uint32_t rows[32];
    std::copy_n(before, 32, rows);
    dispatch<Transpose>(static_cast<uint32_t*>(rows));
    for (int i = 0; i < 32; ++i) {
      for (int j = 0; j < 32; ++j) EXPECT_EQ(rows[i] >> j & 1U, before[j] >> i & 1U);
    }
  });
}

TEST(Bits, ReadAcrossWordsAndPastTheEnd) {
  const uint32_t row[2] = {0x80000001U, 0xF0000003U};
  EXPECT_EQ(read_bits(row, 2, 0), 0x80000001U);
  EXPECT_EQ(read_bits(row, 2, 31), 0xE0000007U);
  EXPECT_EQ(read_bits(row, 2, 60), 0xFU);
  EXPECT_EQ(read_bits(row, 2, 64), 0U);
}

}  // namespace
}  // namespace lampyris
