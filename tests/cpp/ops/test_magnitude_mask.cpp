#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "core/magnitude.h"
#include "ops/magnitude_mask/magnitude_mask.h"
#include "ops/magnitude_mask/select_digit.h"
#include "ops/thread_team.h"

namespace lampyris {
namespace {

TEST(MagnitudeKey, OrdersByMagnitudeThenFallingIndex) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> rising = {0.0F, 1e-45F, -1.0F, 2.0F, -infinity, std::nanf("")};
  for (size_t i = 1; i < rising.size(); ++i) {
    EXPECT_LT(magnitude_key(rising[i - 1], 0), magnitude_key(rising[i], 9));
  }
  EXPECT_GT(magnitude_key(1.0F, 3), magnitude_key(-1.0F, 4));
}

TEST(MagnitudeMask, EqualsSorting) {
  std::mt19937 random(1);
  std::vector<float> w(5000);
  for (float& v : w) v = static_cast<float>(static_cast<int>(random() % 41) - 20);
  std::vector<size_t> falling(w.size());
  std::iota(falling.begin(), falling.end(), 0);
  std::stable_sort(falling.begin(), falling.end(),
                   [&](size_t a, size_t b) { return std::abs(w[a]) > std::abs(w[b]); });
  for (const int64_t prune : {0, 1, 2500, 4999, 5000}) {
    std::vector<uint8_t> expected(w.size(), 0), mask(w.size(), 9);
    for (size_t i = 0; i + static_cast<size_t>(prune) < w.size(); ++i) expected[falling[i]] = 1;
    const MaskSegment segments[2] = {{w.data(), mask.data(), 1234, 0},
                                     {w.data() + 1234, mask.data() + 1234, 3766, 1234}};
    magnitude_mask_scope(segments, 2, prune);
    EXPECT_EQ(mask, expected) << prune;
  }
}

// The selection that CUDA runs, on threads: the digit and the ranks left below it.
TEST(MagnitudeMask, SelectDigitByTeam) {
  std::mt19937 random(2);
  std::vector<uint32_t> histogram(kDigitValues);
  for (uint32_t& count : histogram) count = random() % 5 == 0 ? random() % 4 : 0;
  const uint64_t total = std::accumulate(histogram.begin(), histogram.end(), uint64_t{0});
  for (const uint64_t rank : {uint64_t{0}, total / 3, total - 1}) {
    uint64_t left = rank, value = 0;
    for (; left >= histogram[value]; ++value) left -= histogram[value];
    for (const int64_t size : {1, 3, 8}) {
      uint64_t state[2] = {0, rank};
      std::vector<uint64_t> partial(static_cast<size_t>(size));
      run_team(size, [&](const ThreadTeam& team) {
        select_digit(team, histogram.data(), partial.data(), state, 1);
      });
      EXPECT_EQ(state[0], value << 32);
      EXPECT_EQ(state[1], left);
    }
  }
}

TEST(NmMask, KeepsTheFirstOfEqualMagnitudes) {
  const std::vector<float> w = {1, -1, 1, 0, 0, 3, -2, 3};
  std::vector<uint8_t> mask(8);
  nm_mask_rows(w.data(), mask.data(), {1, 8, 1}, 2, 4, 0, 1);
  EXPECT_EQ(mask, (std::vector<uint8_t>{1, 1, 0, 0, 0, 1, 0, 1}));
}

}  // namespace
}  // namespace lampyris
