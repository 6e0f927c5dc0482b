#include "io/crc32c.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <string_view>
#include <vector>

namespace lampyris {
namespace {

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// RFC 3720, appendix B.4.
TEST(Crc32c, PublishedValues) {
  EXPECT_EQ(crc32c({}), 0u);
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c(std::vector<uint8_t>(32, 0)), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::vector<uint8_t>(32, 255)), 0x62a8ab43u);
  std::vector<uint8_t> rising(32);
  std::iota(rising.begin(), rising.end(), uint8_t{0});
  EXPECT_EQ(crc32c(rising), 0x46dd794eu);
}

TEST(Crc32c, TableAndInstructionAgreeAtEveryLengthAndAlignment) {
  if (!crc32c_has_sse42()) GTEST_SKIP() << "this processor has no SSE4.2";
  std::mt19937 random(5);
  std::vector<uint8_t> data(200);
  for (auto& byte : data) byte = static_cast<uint8_t>(random());
  const std::span<const uint8_t> all(data);
  for (size_t start = 0; start < 9; ++start) {
    for (size_t length = 0; start + length <= data.size(); ++length) {
      const auto part = all.subspan(start, length);
      ASSERT_EQ(crc32c_table(part, 7), crc32c_sse42(part, 7)) << start << " " << length;
    }
  }
}

TEST(Crc32c, ContinuesInParts) {
  const auto whole = bytes_of("The quick brown fox jumps over the lazy dog");
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    EXPECT_EQ(crc32c(whole.subspan(cut), crc32c(whole.first(cut))), crc32c(whole));
    EXPECT_EQ(crc32c_table(whole.subspan(cut), crc32c_table(whole.first(cut))), crc32c(whole));
  }
}

TEST(Crc32c, NoticesEveryFlippedBit) {
  std::vector<uint8_t> data(96, 0x5a);
  const uint32_t before = crc32c(data);
  for (size_t bit = 0; bit < 8 * data.size(); ++bit) {
    data[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    EXPECT_NE(crc32c(data), before);
    data[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
  }
}

}  // namespace
}  // namespace lampyris
