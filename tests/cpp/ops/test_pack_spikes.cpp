#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "ops/pack_spikes/pack_spikes.h"

namespace lampyris {
namespace {

template <typename T>
void expect_round_trip(const SpikeShape& s) {
  std::mt19937 random(1);
  std::vector<T> dense(static_cast<size_t>(s.rows * s.elements()));
  for (T& v : dense) v = static_cast<T>(random() % 3 == 0);
  for_every_isa([&] {
    std::vector<uint32_t> plane(static_cast<size_t>(s.rows * s.plane_words()));
    std::vector<uint32_t> words(static_cast<size_t>(s.rows * s.packed_words()), 0xAAAAAAAA);
    pack_plane(dense.data(), s, plane.data(), 0, s.rows * s.plane_words());
    repack_plane(plane.data(), s, words.data(), 0, s.rows * s.outer);
    for (int64_t r = 0; r < s.rows * s.outer; ++r) {
      for (int64_t i = 0; i < s.inner; ++i) {
        for (int64_t l = 0; l < s.words_per_line() * 32; ++l) {
          const auto word = static_cast<size_t>((r * s.inner + i) * s.words_per_line() + l / 32);
          const bool bit = (words[word] >> (l % 32) & 1U) != 0;
          const auto element = static_cast<size_t>((r * s.length + l) * s.inner + i);
          ASSERT_EQ(bit, l < s.length && dense[element] != T(0));
        }
      }
    }
    std::vector<T> back(dense.size(), T(9));
    unpack_words(words.data(), s, back.data(), 0, s.rows * s.outer);
    ASSERT_EQ(back, dense);
  });
}

TEST(PackSpikes, RoundTrip) {
  for (const SpikeShape& s :
       {SpikeShape{1, 1, 1, 1}, SpikeShape{2, 3, 33, 1}, SpikeShape{3, 2, 64, 1},
        SpikeShape{2, 2, 40, 37}, SpikeShape{1, 3, 5, 64}, SpikeShape{4, 1, 96, 31}}) {
    expect_round_trip<float>(s);
    expect_round_trip<double>(s);
    expect_round_trip<uint8_t>(s);
  }
}

TEST(PackSpikes, WholeLinesNeedNoRepacking) {
  const SpikeShape s{2, 5, 64, 1};
  EXPECT_TRUE(s.plane_is_packed());
  EXPECT_EQ(s.plane_words(), s.packed_words());
}

}  // namespace
}  // namespace lampyris
