#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "cpu/tiles.h"
#include "cpu/trapped_tiles.h"

namespace lampyris {
namespace {

template <typename T>
using Tile = std::vector<T>;

template <typename T>
constexpr int kWidth = kTileBytes / static_cast<int>(sizeof(T));

template <class Tiles>
struct Tiled : testing::Test {};
using Policies = testing::Types<EmulatedTiles, TrappedTiles>;
TYPED_TEST_SUITE(Tiled, Policies);

template <class Tiles, typename A, typename B, typename C, typename Dot>
Tile<C> product(const Tile<A>& a, const Tile<B>& b, Tile<C> c, Dot dot) {
  Tiles tiles;
  tiles.template load<0>(c.data(), kTileBytes);
  tiles.template load<1>(a.data(), kTileBytes);
  tiles.template load<2>(b.data(), kTileBytes);
  dot(tiles);
  tiles.template store<0>(c.data(), kTileBytes);
  return c;
}

constexpr auto kBf16 = [](auto& tiles) { tiles.template dot_bf16<0, 1, 2>(); };

TYPED_TEST(Tiled, RowOfBHoldsPairsOfOneColumn) {
  Tile<uint16_t> a(16 * 32), b(16 * 32);
  a[3 * 32 + 6] = to_bf16(2);    // A[3][k = 6]
  a[3 * 32 + 7] = to_bf16(5);    // A[3][k = 7]
  b[3 * 32 + 18] = to_bf16(10);  // B[k = 6][column 9]
  b[3 * 32 + 19] = to_bf16(1);   // B[k = 7][column 9]
  const Tile<float> c = product<TypeParam>(a, b, Tile<float>(16 * 16, 0.5F), kBf16);
  for (int i = 0; i < 16 * 16; ++i) {
    EXPECT_EQ(c[static_cast<size_t>(i)], i == 3 * 16 + 9 ? 25.5F : 0.5F);
  }
}

TYPED_TEST(Tiled, EvenAndOddSumsStartAtZero) {
  // 2^24 + 1 + 1 is 2^24 when C comes first, 2^24 + 2 when the products meet before it.
  Tile<uint16_t> a(16 * 32), b(16 * 32);
  a[0] = a[1] = b[0] = b[1] = to_bf16(1);
  const Tile<float> c = product<TypeParam>(a, b, Tile<float>(16 * 16, 16777216.0F), kBf16);
  EXPECT_EQ(c[0], 16777218.0F);
}

TYPED_TEST(Tiled, DenormalsAreZero) {
  Tile<uint16_t> a(16 * 32), b(16 * 32);
  a[0] = to_bf16(1);
  b[0] = 0x0001;          // a denormal operand
  b[2] = 0x0080;          // the least normal number, 2^-126 ...
  a[32] = to_bf16(0.5F);  // ... halved in row 1: a denormal result
  b[4] = to_bf16(std::numeric_limits<float>::infinity());
  Tile<float> start(16 * 16);
  start[3] = std::numeric_limits<float>::denorm_min();  // a denormal accumulator
  const Tile<float> c = product<TypeParam>(a, b, start, kBf16);
  EXPECT_EQ(c[0], 0.0F);
  EXPECT_EQ(c[1], std::numeric_limits<float>::min());
  EXPECT_EQ(c[16 + 1], 0.0F);
  EXPECT_EQ(c[2], std::numeric_limits<float>::infinity());
  EXPECT_EQ(c[3], 0.0F);
}

TYPED_TEST(Tiled, BytesAreExact) {
  std::mt19937 random(1);
  Tile<uint8_t> a(16 * 64);
  Tile<int8_t> b(16 * 64);
  for (auto& v : a) v = static_cast<uint8_t>(random());
  for (auto& v : b) v = static_cast<int8_t>(random());
  a[0] = 255;
  b[0] = -128;
  const auto u8 = product<TypeParam>(a, b, Tile<int32_t>(16 * 16, 7),
                                     [](auto& tiles) { tiles.template dot_u8s8<0, 1, 2>(); });
  const auto s8 = product<TypeParam>(a, b, Tile<int32_t>(16 * 16, 7),
                                     [](auto& tiles) { tiles.template dot_s8s8<0, 1, 2>(); });
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 16; ++n) {
      int32_t unsigned_sum = 7, signed_sum = 7;
      for (int k = 0; k < 64; ++k) {
        const int left = a[static_cast<size_t>(m * 64 + k)];
        const int right = b[static_cast<size_t>(k / 4 * 64 + n * 4 + k % 4)];
        unsigned_sum += left * right;
        signed_sum += static_cast<int8_t>(left) * right;
      }
      ASSERT_EQ(u8[static_cast<size_t>(m * 16 + n)], unsigned_sum);
      ASSERT_EQ(s8[static_cast<size_t>(m * 16 + n)], signed_sum);
    }
  }
}

TYPED_TEST(Tiled, BytesWrap) {
  const Tile<int32_t> start(16 * 16, std::numeric_limits<int32_t>::max());
  const auto c = product<TypeParam>(Tile<uint8_t>(16 * 64, 1), Tile<int8_t>(16 * 64, 1), start,
                                    [](auto& tiles) { tiles.template dot_u8s8<0, 1, 2>(); });
  EXPECT_EQ(c[0], std::numeric_limits<int32_t>::min() + 63);
}

TYPED_TEST(Tiled, StridesAndShapes) {
  TileConfig config = kFullTiles;
  config.rows[5] = 3;
  config.colsb[5] = 8;
  std::vector<uint8_t> from(16 * 100);
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<uint8_t>(i * 7);
  std::vector<uint8_t> to(16 * 70, 0xEE);
  {
    TypeParam tiles(config);
    tiles.template load<5>(from.data(), 100);
    tiles.template store<5>(to.data(), 70);
    tiles.template load<6>(from.data() + 1, 90);  // unaligned, rows overlap
    tiles.template zero<6>();
    tiles.template store<6>(to.data() + 3 * 70, 0);
  }
  for (size_t i = 0; i < 3 * 70; ++i) {
    EXPECT_EQ(to[i], i % 70 < 8 ? from[i / 70 * 100 + i % 70] : 0xEE) << i;
  }
  for (size_t i = 3 * 70; i < to.size(); ++i) EXPECT_EQ(to[i], i < 3 * 70 + 64 ? 0 : 0xEE) << i;
}

TEST(Tiles, ShapesThatDoNotFitAreRefused) {
  TileConfig config = kFullTiles;
  config.rows[2] = 8;
  EmulatedTiles tiles(config);
  EXPECT_THROW((tiles.dot_bf16<0, 1, 2>()), std::invalid_argument);
}

TEST(Tiles, RoundToBfloat16) {
  EXPECT_EQ(to_bf16(1.0F), 0x3F80);
  EXPECT_EQ(to_bf16(from_bf16(0x3F81)), 0x3F81);
  EXPECT_EQ(to_bf16(1.00390625F), 0x3F80);  // halfway between 3F80 and 3F81: to even
  EXPECT_EQ(to_bf16(1.01171875F), 0x3F82);  // halfway between 3F81 and 3F82: to even
  EXPECT_EQ(to_bf16(-std::numeric_limits<float>::infinity()), 0xFF80);
  EXPECT_TRUE(std::isnan(from_bf16(to_bf16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(from_bf16(to_bf16(-std::numeric_limits<float>::signaling_NaN()))));
}

#if defined(LAMPYRIS_TRAPPED_TILES)
TEST(Tiles, ReleasedWhenARangeThrows) {
  try {
    TrappedTiles tiles;
    tiles.zero<0>();
    EXPECT_TRUE(TileTraps::configured() || isa_available() == Isa::kAmx);
    fail("a range that throws");
  } catch (const std::invalid_argument&) {
  }
  EXPECT_FALSE(TileTraps::configured());
}

TEST(Tiles, TheInstructionsStartOnlyWhereIsaIsAmx) {
  const Isa before = set_isa(Isa::kAvx512);
  EXPECT_THROW(AmxTiles tiles, std::invalid_argument);
  set_isa(before);
}
#endif

}  // namespace
}  // namespace lampyris
