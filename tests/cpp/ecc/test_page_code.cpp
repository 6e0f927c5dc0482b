// Pages of memory under each preset: masks, correction up to t, refusal beyond, short last pages.
#include "ecc/page_code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>

#include "ecc/page_secded.h"

namespace lampyris::ecc {
namespace {

class Pages : public testing::TestWithParam<size_t> {
 protected:
  const Preset& preset() const { return presets()[GetParam()]; }
  const PageCode& code() const { return PageCode::of(preset()); }
  int check_bits() const { return preset().m == 0 ? 8 : std::bit_width(preset().masks[0] | all_masks()); }
  uint64_t all_masks() const {
    uint64_t all = 0;
    for (const uint64_t mask : preset().masks) all |= mask;
    return all;
  }
};

std::vector<uint8_t> random_bytes(std::mt19937_64& random, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

TEST_P(Pages, EveryMaskIsFarFromEveryCodeWord) {
  // All non-zero sums of the seven masks as a difference on an otherwise clean page: beyond t.
  const std::vector<uint8_t> data(static_cast<size_t>(preset().page_bytes));
  std::vector<uint8_t> clean(static_cast<size_t>(preset().word_bytes));
  code().encode(data, clean);
  for (unsigned chosen = 1; chosen < 128; ++chosen) {
    uint64_t sum = 0;
    for (size_t i = 0; i < 7; ++i)
      if (chosen >> i & 1) sum ^= preset().masks[i];
    auto words = clean;
    for (size_t i = 0; i < words.size(); ++i) words[i] ^= static_cast<uint8_t>(sum >> 8 * i);
    EXPECT_FALSE(code().locate(data, words, 0).correctable) << preset().name << " " << chosen;
  }
}

TEST_P(Pages, EmptyMemoryFails) {
  for (const uint8_t value : {0x00, 0xFF}) {
    const std::vector<uint8_t> data(static_cast<size_t>(preset().page_bytes) * 130, value);
    const std::vector<uint8_t> words(static_cast<size_t>(code().word_bytes(data.size())), value);
    EXPECT_EQ(code().check(data, words).size(), 130u);
    for (int64_t page = 0; page < 130; ++page)
      EXPECT_FALSE(code().locate(data, words, page).correctable) << preset().name << " " << page;
  }
}

TEST_P(Pages, SwappedPagesFail) {
  const auto bytes = static_cast<size_t>(preset().page_bytes);
  const auto word = static_cast<size_t>(preset().word_bytes);
  std::mt19937_64 random(3);
  auto data = random_bytes(random, bytes * 64);
  std::vector<uint8_t> words(word * 64);
  code().encode(data, words);
  for (size_t a = 0; a < 64; ++a) {
    const size_t b = (a + 1 + random() % 63) % 64;
    auto moved = data, moved_words = words;
    std::swap_ranges(moved.begin() + a * bytes, moved.begin() + (a + 1) * bytes, moved.begin() + b * bytes);
    std::swap_ranges(moved_words.begin() + a * word, moved_words.begin() + (a + 1) * word,
                     moved_words.begin() + b * word);
    EXPECT_FALSE(code().locate(moved, moved_words, static_cast<int64_t>(a)).correctable);
    EXPECT_FALSE(code().locate(moved, moved_words, static_cast<int64_t>(b)).correctable);
  }
}

TEST_P(Pages, UpToTWrongBitsAreCorrectedAndOneMoreIsDetected) {
  std::mt19937_64 random(GetParam());
  const int t = preset().t;
  for (int round = 0; round < 200; ++round) {
    // Often a short last page.
    const size_t size = 1 + random() % (3 * static_cast<size_t>(preset().page_bytes));
    const auto data = random_bytes(random, size);
    std::vector<uint8_t> words(static_cast<size_t>(code().word_bytes(size)));
    code().encode(data, words);
    EXPECT_TRUE(code().check(data, words).empty());
    const auto page = static_cast<int64_t>(random() % static_cast<uint64_t>(code().pages(size)));
    const auto begin = static_cast<size_t>(page * preset().page_bytes);
    const size_t bits = 8 * std::min(size - begin, static_cast<size_t>(preset().page_bytes));
    for (int errors = 1; errors <= t + 1; ++errors) {
      auto bad = data, bad_words = words;
      std::vector<size_t> places;
      while (places.size() < static_cast<size_t>(errors)) {
        const size_t place = random() % (bits + static_cast<size_t>(check_bits()));
        if (std::find(places.begin(), places.end(), place) != places.end()) continue;
        places.push_back(place);
        if (place < bits) {
          bad[begin + place / 8] ^= static_cast<uint8_t>(1 << place % 8);
        } else {
          bad_words[static_cast<size_t>(page * preset().word_bytes) + (place - bits) / 8] ^=
              static_cast<uint8_t>(1 << (place - bits) % 8);
        }
      }
      EXPECT_EQ(code().check(bad, bad_words), std::vector<int64_t>{page});
      const auto before = bad;
      const PageErrors found = code().repair(bad, bad_words, page);
      EXPECT_EQ(found.correctable, errors <= t);
      EXPECT_EQ(bad, errors <= t ? data : before);
      if (errors > t) continue;
      EXPECT_EQ(bad_words, words);
      EXPECT_EQ(found.count(), errors);
    }
  }
}

TEST_P(Pages, UnusedBitsOfACheckWordCountAsErrors) {
  const int unused = 8 * preset().word_bytes - check_bits();
  const std::vector<uint8_t> data(static_cast<size_t>(preset().page_bytes), 0x5A);
  std::vector<uint8_t> words(static_cast<size_t>(preset().word_bytes));
  code().encode(data, words);
  for (int errors = 1; errors <= unused; ++errors) {
    auto bad = words;
    for (int i = 0; i < errors; ++i) {
      const int bit = 8 * preset().word_bytes - 1 - i;
      bad[static_cast<size_t>(bit / 8)] ^= static_cast<uint8_t>(1 << bit % 8);
    }
    const PageErrors found = code().locate(data, bad, 0);
    EXPECT_EQ(found.correctable, errors <= preset().t) << preset().name;
    if (found.correctable) {
      EXPECT_EQ(found.count(), errors);
    }
  }
}

TEST_P(Pages, WrongLengthsAreRefused) {
  std::vector<uint8_t> data(100), words(static_cast<size_t>(code().word_bytes(100)) + 1);
  EXPECT_THROW(code().encode(data, words), std::invalid_argument);
  EXPECT_THROW(code().check(data, words), std::invalid_argument);
  words.pop_back();
  EXPECT_THROW(code().locate(data, words, code().pages(100)), std::out_of_range);
  EXPECT_THROW(code().locate(data, words, -1), std::out_of_range);
}

INSTANTIATE_TEST_SUITE_P(Presets, Pages, testing::Range<size_t>(0, 5),
                         [](const auto& info) { return std::string(presets()[info.param].name); });

TEST(Secded, OneWrongBitIsFoundTwoAreSeen) {
  uint64_t word;
  const std::vector<uint8_t> zero(8);
  std::vector<uint64_t> columns;
  for (int bit = 0; bit < 64; ++bit) {
    auto data = zero;
    data[static_cast<size_t>(bit / 8)] = static_cast<uint8_t>(1 << bit % 8);
    encode_secded(data, {&word, 1});
    columns.push_back(word);
    EXPECT_EQ(locate_secded(word).places, std::vector<int32_t>{bit});
  }
  for (int bit = 0; bit < 8; ++bit) columns.push_back(uint64_t{1} << bit);
  for (size_t a = 0; a < 72; ++a) {
    if (a >= 64) {
      EXPECT_EQ(locate_secded(columns[a]).flips, columns[a]);
    }
    for (size_t b = 0; b < a; ++b) EXPECT_FALSE(locate_secded(columns[a] ^ columns[b]).correctable);
  }
}

TEST(Secded, CheckBitsAreThoseOfBlockRam) {
  // Check bit 0 of the vendor's model covers data bits 0, 1, 3, 4, 6, 8, 10, 11, 13, 15 .. 61, 63.
  std::vector<int> covered;
  for (int bit = 0; bit < 64; ++bit) {
    std::vector<uint8_t> data(8);
    data[static_cast<size_t>(bit / 8)] = static_cast<uint8_t>(1 << bit % 8);
    uint64_t word;
    encode_secded(data, {&word, 1});
    if (word & 1) covered.push_back(bit);
  }
  const std::vector<int> published = {0,  1,  3,  4,  6,  8,  10, 11, 13, 15, 17, 19,
                                      21, 23, 25, 26, 28, 30, 32, 34, 36, 38, 40, 42,
                                      44, 46, 48, 50, 52, 54, 56, 57, 59, 61, 63};
  EXPECT_EQ(covered, published);
}

}  // namespace
}  // namespace lampyris::ecc
