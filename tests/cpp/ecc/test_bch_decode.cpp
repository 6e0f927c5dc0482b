#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "ecc/bch_code.h"
#include "ecc/bch_words.h"

namespace lampyris::ecc {
namespace {

void expect_recovered(const BchCode& code, const Word& sent, const std::vector<int32_t>& positions,
                      RootFinder finder = RootFinder::kAuto) {
  Word word = sent;
  for (const int32_t p : positions) flip(code, word, p);
  const DecodeResult result = code.decode(word.data, word.parity, finder);
  ASSERT_EQ(result.status, positions.empty() ? Status::kClean : Status::kCorrected);
  ASSERT_EQ(result.positions, positions);
  ASSERT_EQ(result.count, static_cast<int>(positions.size()));
  ASSERT_EQ(word, sent);
}

// Every pattern of at most `left` further errors above position `from`.
void all_patterns(const BchCode& code, const Word& sent, std::vector<int32_t>& positions, int from,
                  int left) {
  expect_recovered(code, sent, positions);
  if (left == 0) return;
  for (int p = from; p < code.code_bits(); ++p) {
    positions.push_back(p);
    all_patterns(code, sent, positions, p + 1, left - 1);
    positions.pop_back();
  }
}

TEST(BchDecode, EveryPatternOfSmallCodes) {
  std::mt19937 generator(1);
  for (const bool extended : {false, true}) {
    for (const auto& [bits, t] : std::vector<std::pair<int, int>>{
             {4, 1}, {11, 1}, {7, 2}, {5, 3}, {21, 2}, {16, 3}, {11, 5}}) {
      const BchCode code({0, 0, t, bits, extended});
      for (int i = 0; i < (t == 5 ? 1 : 3); ++i) {
        std::vector<int32_t> positions;
        all_patterns(code, random_word(code, generator), positions, 0, t);
      }
    }
  }
}

TEST(BchDecode, EveryPatternOfTheMultipliersCode) {
  const BchCode code({0, 0, 3, 45, false});
  ASSERT_EQ(code.code_bits(), 63);
  std::mt19937 generator(2);
  std::vector<int32_t> positions;
  all_patterns(code, random_word(code, generator), positions, 0, 3);  // 41728 patterns
}

TEST(BchDecode, EveryReceivedWordOfTheQrCodeAgainstTheNearestCodeWord) {
  const BchCode code({0, 0, 3, 5, false});
  std::vector<uint32_t> code_words;
  for (uint8_t value = 0; value < 32; ++value) {
    std::vector<uint8_t> data = {value}, parity(2);
    code.encode(data, parity);
    code_words.push_back(uint32_t{value} << 10 | uint32_t{parity[1]} << 8 | parity[0]);
  }
  int uncorrectable = 0;
  for (uint32_t received = 0; received < 1 << 15; ++received) {
    uint32_t nearest = 0;
    int distance = 15;
    for (const uint32_t c : code_words) {
      if (std::popcount(c ^ received) < distance) {
        nearest = c;
        distance = std::popcount(c ^ received);
      }
    }
    Word word{{static_cast<uint8_t>(received >> 10)},
              {static_cast<uint8_t>(received), static_cast<uint8_t>(received >> 8 & 3)}};
    const Word before = word;
    const DecodeResult result = code.decode(word.data, word.parity);
    if (distance > 3) {
      ++uncorrectable;
      ASSERT_EQ(result.status, Status::kUncorrectable);
      ASSERT_EQ(word, before);
    } else {
      ASSERT_EQ(result.status, distance == 0 ? Status::kClean : Status::kCorrected);
      ASSERT_EQ(result.count, distance);
      ASSERT_EQ(word.data[0], nearest >> 10);
    }
  }
  EXPECT_EQ(uncorrectable, (1 << 15) - 32 * (1 + 15 + 105 + 455));
}

TEST(BchDecode, RandomCodesRecoverEveryErrorPlaceAndAmount) {
  std::mt19937 generator(3);
  for (int round = 0; round < 150; ++round) {
    const int m = 5 + static_cast<int>(generator() % 8);
    const int t = 1 + static_cast<int>(generator() % (m < 7 ? 3 : 12));
    const int64_t room = (int64_t{1} << m) - 1 - int64_t{m} * t;
    if (room < 1) continue;
    const int64_t bits = 1 + static_cast<int64_t>(generator()) % room;
    const BchCode code({m, 0, t, bits, generator() % 2 == 0});
    for (int errors = 0; errors <= t; ++errors) {
      for (const RootFinder finder : {RootFinder::kAuto, RootFinder::kChien, RootFinder::kGray,
                                      RootFinder::kClosedForm, RootFinder::kLeastAffine})
        expect_recovered(code, random_word(code, generator),
                         random_positions(code, errors, generator), finder);
    }
  }
}

TEST(BchDecode, EveryInstructionSetDecodesPagesAlike) {
  for_every_isa([] {
    std::mt19937 generator(4);
    for (const BchParameters& p : std::vector<BchParameters>{{0, 0, 3, 512, true},
                                                             {0, 0, 5, 2048, true},
                                                             {0, 0, 4, 4096, true},
                                                             {0, 0, 1, 64, true},
                                                             {0, 0, 5, 256, true},
                                                             {8, 0, 8, 96, false}}) {
      const BchCode code(p);
      const size_t bytes = code.data_bytes();
      std::vector<uint8_t> pages(bytes * 70);
      for (uint8_t& byte : pages) byte = static_cast<uint8_t>(generator());
      std::vector<uint64_t> words(70);
      code.encode_pages(pages, words);
      EXPECT_TRUE(code.check_pages(pages, words).empty());
      const std::vector<uint8_t> good = pages;
      pages[3 * bytes] ^= 1;
      words[69] ^= uint64_t{1} << (code.parity_bits() - 1);
      EXPECT_EQ(code.check_pages(pages, words), (std::vector<int64_t>{3, 69}));
      for (const size_t page : {3, 69}) {
        const DecodeResult result =
            code.decode_page(std::span(pages).subspan(page * bytes, bytes), words[page]);
        EXPECT_EQ(result.status, Status::kCorrected);
        EXPECT_EQ(result.count, 1);
      }
      EXPECT_EQ(pages, good);
      EXPECT_TRUE(code.check_pages(pages, words).empty());
    }
  });
}

TEST(BchDecode, BadInputIsRefused) {
  const auto refused = [](BchParameters p) {
    EXPECT_THROW(BchCode{p}, std::invalid_argument) << p.m << ' ' << p.t << ' ' << p.data_bits;
  };
  refused({0, 0, 1, 0, false});
  refused({0, 0, 0, 8, false});
  refused({0, 0, -1, 8, false});
  refused({0, 0, 1, 65520, false});
  refused({17, 0, 1, 8, false});
  refused({2, 0, 1, 1, false});
  refused({4, 0x1f, 1, 4, false});
  refused({4, 0x25, 1, 4, false});
  refused({6, 0, 3, 46, false});
  refused({4, 0, 7, 2, false});
  refused({4, 0, 8, 1, false});

  const BchCode code({6, 0, 3, 45, true});
  std::vector<uint8_t> data(6), parity(3), short_data(5), long_parity(4);
  EXPECT_THROW(code.encode(short_data, parity), std::invalid_argument);
  EXPECT_THROW(code.encode(data, long_parity), std::invalid_argument);
  EXPECT_THROW(code.decode(short_data, parity), std::invalid_argument);
  EXPECT_THROW(code.decode(data, long_parity), std::invalid_argument);
  data[5] = 0x20;  // bit 45
  EXPECT_THROW(code.encode(data, parity), std::invalid_argument);
  EXPECT_THROW(code.decode(data, parity), std::invalid_argument);
  data[5] = 0;
  parity[2] = 0x08;  // bit 19
  EXPECT_THROW(code.decode(data, parity), std::invalid_argument);
  std::vector<uint64_t> words(1);
  EXPECT_THROW(code.encode_pages(data, words), std::invalid_argument);  // no whole bytes

  const BchCode paged({0, 0, 3, 512, true});
  std::vector<uint8_t> page(64);
  uint64_t word = uint64_t{1} << 31;
  EXPECT_THROW(paged.decode_page(page, word), std::invalid_argument);
  EXPECT_THROW(paged.check_pages(page, std::vector<uint64_t>(2)), std::invalid_argument);
  EXPECT_THROW(paged.check_pages(page, {}), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::ecc
