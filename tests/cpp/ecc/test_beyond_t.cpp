// What the decoder does with more errors than it can correct.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "ecc/bch_code.h"
#include "ecc/bch_words.h"

namespace lampyris::ecc {
namespace {

struct Outcomes {
  int words = 0;
  int corrected = 0;
};

// Flips `errors` bits of random words, or replaces the parity by random bits (errors = 0). A
// correction must end in a code word within t of what came; anything else must be left as it came.
Outcomes decode_beyond(const BchCode& code, int errors, int words, std::mt19937& generator,
                       RootFinder finder = RootFinder::kAuto) {
  Outcomes outcomes{words, 0};
  for (int i = 0; i < words; ++i) {
    Word word = random_word(code, generator);
    if (errors == 0) {
      word.parity = random_bits(code.parity_bits(), generator);
    } else {
      for (const int32_t p : random_positions(code, errors, generator)) flip(code, word, p);
    }
    Word received = word;
    const DecodeResult result = code.decode(word.data, word.parity, finder);
    if (result.status == Status::kUncorrectable) {
      EXPECT_EQ(word, received);
      EXPECT_EQ(result.count, 0);
      continue;
    }
    EXPECT_TRUE(is_code_word(code, word));
    EXPECT_LE(result.count, code.parameters().t);
    EXPECT_EQ(result.count, static_cast<int>(result.positions.size()));
    for (const int32_t p : result.positions) flip(code, received, p);
    EXPECT_EQ(word, received);
    ++outcomes.corrected;
  }
  return outcomes;
}

// Share of all words that lie within t errors of a code word.
double share_of_spheres(const BchCode& code) {
  double sum = 0, binomial = 1;
  const auto n = static_cast<double>(code.code_bits());
  for (int i = 0; i <= code.parameters().t; ++i) {
    sum += binomial;
    binomial *= (n - i) / (i + 1);
  }
  return sum * std::pow(2.0, -code.parity_bits());
}

TEST(BeyondT, RandomWordsAreTakenAsOftenAsSpheresFillTheSpace) {
  std::mt19937 generator(1);
  for (const auto& [bits, t, words] : std::vector<std::tuple<int, int, int>>{{256, 1, 20000},
                                                                             {256, 2, 40000},
                                                                             {256, 3, 60000},
                                                                             {256, 4, 100000},
                                                                             {256, 5, 200000},
                                                                             {512, 3, 60000},
                                                                             {57, 4, 100000},
                                                                             {99, 4, 60000}}) {
    const BchCode code({0, 0, t, bits, false});
    const double rho = share_of_spheres(code);
    const Outcomes o = decode_beyond(code, 0, words, generator);
    const double sigma = std::sqrt(words * rho * (1 - rho));
    EXPECT_NEAR(o.corrected, words * rho, 3 * sigma) << bits << " bits, t = " << t;
  }
}

TEST(BeyondT, OneAndTwoErrorsMoreThanTAreTakenAboutAsOften) {
  // Facts 5.3: 0.141-0.144 (t = 2), 0.027-0.028 (t = 3), 5.5e-4 (t = 5) for 256 data bits. The
  // weight t + 1 is not a uniformly random word: 5 sigma plus a tenth.
  std::mt19937 generator(2);
  for (const auto& [t, more, words] : std::vector<std::tuple<int, int, int>>{{2, 1, 30000},
                                                                             {2, 2, 30000},
                                                                             {3, 1, 50000},
                                                                             {3, 2, 50000},
                                                                             {5, 1, 100000},
                                                                             {5, 2, 100000}}) {
    const BchCode code({0, 0, t, 256, false});
    const double expected = words * share_of_spheres(code);
    const Outcomes o = decode_beyond(code, t + more, words, generator);
    EXPECT_NEAR(o.corrected, expected, 0.1 * expected + 5 * std::sqrt(expected))
        << t << ' ' << more;
  }
}

TEST(BeyondT, TheOverallParityBitDetectsEveryWordOfTPlusOneErrors) {
  std::mt19937 generator(3);
  for (const auto& [bits, t, words] : std::vector<std::tuple<int, int, int>>{{64, 1, 20000},
                                                                             {256, 2, 20000},
                                                                             {512, 3, 30000},
                                                                             {4096, 4, 5000},
                                                                             {2048, 5, 10000},
                                                                             {256, 5, 60000},
                                                                             {45, 3, 20000},
                                                                             {100, 8, 10000}}) {
    const BchCode code({0, 0, t, bits, true});
    EXPECT_EQ(decode_beyond(code, t + 1, words, generator).corrected, 0);
  }
}

TEST(BeyondT, EveryThreeErrorsOfAnExtendedCode) {
  const BchCode code({0, 0, 2, 51, true});
  std::mt19937 generator(4);
  const Word sent = random_word(code, generator);
  for (int a = 0; a < code.code_bits(); ++a) {
    for (int b = a + 1; b < code.code_bits(); ++b) {
      for (int c = b + 1; c < code.code_bits(); ++c) {
        Word word = sent;
        for (const int p : {a, b, c}) flip(code, word, p);
        ASSERT_EQ(code.decode(word.data, word.parity).status, Status::kUncorrectable);
      }
    }
  }
}

TEST(BeyondT, RootFindersReachTheSameVerdict) {
  // The defect of Linux' lib/bch.c: factors that do not split were taken as roots from t = 5 on.
  for (const auto& [m, t, bits] : std::vector<std::tuple<int, int, int>>{
           {9, 5, 466}, {9, 7, 448}, {10, 5, 973}, {6, 4, 39}, {8, 8, 190}}) {
    const BchCode code({m, 0, t, bits, false});
    for (int errors = t + 1; errors <= t + 2; ++errors) {
      std::vector<int> corrected;
      for (const RootFinder finder : {RootFinder::kChien, RootFinder::kAuto, RootFinder::kGray,
                                      RootFinder::kLeastAffine, RootFinder::kClosedForm}) {
        std::mt19937 generator(6);  // the same words
        corrected.push_back(decode_beyond(code, errors, 1500, generator, finder).corrected);
      }
      EXPECT_EQ(corrected, std::vector<int>(5, corrected[0])) << m << ' ' << t;
    }
  }
}

}  // namespace
}  // namespace lampyris::ecc
