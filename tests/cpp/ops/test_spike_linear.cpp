#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "cpu/transpose.h"
#include "ops/spike_linear/spike_linear.h"

namespace lampyris {
namespace {

// Small integers: float32 sums are exact in any order.
std::vector<float> integers(int64_t count) {
  std::mt19937 random(5);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = static_cast<float>(static_cast<int>(random() % 17) - 8);
  return values;
}

std::vector<uint32_t> random_words(int64_t rows, int64_t depth) {
  std::mt19937 random(6);
  const int64_t width = (depth + 31) / 32;
  std::vector<uint32_t> words(static_cast<size_t>(rows * width));
  for (size_t i = 0; i < words.size(); ++i) {
    words[i] = random() & random() & random();
    const bool last = static_cast<int64_t>(i) % width == width - 1;
    if (last && depth % 32 != 0) words[i] &= (1U << (depth % 32)) - 1;
  }
  return words;
}

struct Size {
  int64_t rows, depth, columns;
};

TEST(EventGemm, EqualsTheTripleLoop) {
  for (const Size& s : {Size{1, 1, 1}, Size{9, 70, 128}, Size{5, 2100, 131}, Size{40, 33, 300}}) {
    const std::vector<float> weight = integers(s.columns * s.depth), bias = integers(s.columns);
    const std::vector<uint32_t> words = random_words(s.rows, s.depth);
    const int64_t width = (s.depth + 31) / 32, blocks = event_blocks(s.columns);
    for_every_isa([&] {
      std::vector<float> packed(static_cast<size_t>(blocks * s.depth * kEventBlock), 99.0F);
      std::vector<float> out(static_cast<size_t>(s.rows * s.columns), 99.0F);
      pack_event_blocks({weight.data(), 1, s.depth}, s.depth, s.columns, false, packed.data(), 0,
                        blocks);
      const EventGemm g{s.rows,        s.depth,     s.columns, words.data(),
                        packed.data(), bias.data(), out.data()};
      event_gemm_rows(g, 0, s.rows);
      for (int64_t r = 0; r < s.rows; ++r) {
        for (int64_t c = 0; c < s.columns; ++c) {
          float sum = bias[static_cast<size_t>(c)];
          for (int64_t d = 0; d < s.depth; ++d) {
            if ((words[static_cast<size_t>(r * width + d / 32)] >> (d % 32) & 1U) != 0) {
              sum += weight[static_cast<size_t>(c * s.depth + d)];
            }
          }
          ASSERT_EQ(out[static_cast<size_t>(r * s.columns + c)], sum);
        }
      }
    });
  }
}

TEST(EventGemm, MatricesPackTheSameFromBothOrders) {
  const int64_t depth = 37, columns = 150, blocks = event_blocks(columns);
  const std::vector<float> rows = integers(depth * columns);
  std::vector<float> turned(rows.size());
  for_every_isa([&] {
    transpose_matrix(rows.data(), depth, columns, turned.data(), 0, (columns + 15) / 16);
    std::vector<float> a(static_cast<size_t>(blocks * depth * kEventBlock), 1.0F), b(a.size(), 2.0F);
    pack_event_blocks({rows.data(), columns, 1}, depth, columns, false, a.data(), 0, blocks);
    pack_event_blocks({turned.data(), 1, depth}, depth, columns, false, b.data(), 0, blocks);
    EXPECT_EQ(a, b);
  });
}

TEST(EventGemm, RoundsToBfloat16TiesToEven) {
  const float values[3] = {1.0F + 1.0F / 256, 1.0F + 3.0F / 256, 1.0F + 1.0F / 1024};
  std::vector<float> packed(kEventBlock);
  pack_event_blocks({values, 3, 1}, 1, 3, true, packed.data(), 0, 1);
  EXPECT_EQ(packed[0], 1.0F);
  EXPECT_EQ(packed[1], 1.0F + 4.0F / 256);
  EXPECT_EQ(packed[2], 1.0F);
}

TEST(TransposeWords, MovesEveryBit) {
  const int64_t rows = 45, depth = 70, width = 3, height = 2;
  const std::vector<uint32_t> words = random_words(rows, depth);
  for_every_isa([&] {
    std::vector<uint32_t> out(static_cast<size_t>(depth * height));
    transpose_words(words.data(), rows, depth, out.data(), 0, width);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t d = 0; d < depth; ++d) {
        const uint32_t in = words[static_cast<size_t>(r * width + d / 32)] >> (d % 32) & 1U;
        EXPECT_EQ(out[static_cast<size_t>(d * height + r / 32)] >> (r % 32) & 1U, in);
      }
    }
  });
}

}  // namespace
}  // namespace lampyris
