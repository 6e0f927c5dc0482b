#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "ops/spike_max_pool2d/spike_max_pool2d.h"

namespace lampyris {
namespace {

TEST(SpikeMaxPool2d, WindowsThatCoverAnElement) {
  const SpikePool overlapping{1, 1, 7, 7, 3, 2};
  EXPECT_EQ(overlapping.out_height(), 3);
  EXPECT_EQ(overlapping.first_window(1), 0);
  EXPECT_EQ(overlapping.first_window(3), 1);
  EXPECT_EQ(overlapping.first_window(4), 1);
  EXPECT_EQ(overlapping.last_window(4, 3), 3);
  const SpikePool sparse{1, 1, 7, 7, 2, 3};
  EXPECT_EQ(sparse.first_window(2), sparse.last_window(2, 2));  // between windows
}

// Every window gives its gradient to exactly one element per channel.
TEST(SpikeMaxPool2d, OneOwnerAChannel) {
  std::mt19937 random(3);
  const SpikePool p{1, 64, 5, 6, 3, 2};
  std::vector<uint32_t> in(5 * 6 * 2);
  for (uint32_t& word : in) word = random() & random() & random();
  for (int64_t w = 0; w < 2; ++w) {
    uint32_t seen = 0;
    for (int64_t k = 0; k < 9; ++k) {
      const uint32_t owners = pool_owners(in.data() + w, p, k / 3, k % 3);
      EXPECT_EQ(seen & owners, 0U);
      seen |= owners;
    }
    EXPECT_EQ(seen, ~0U);
  }
}

template <typename T>
void expect_sums_kept(const SpikePool& p) {
  std::mt19937 random(4);
  std::vector<uint32_t> in(static_cast<size_t>(p.images * p.height * p.width * p.words()));
  const uint32_t valid = p.channels % 32 == 0 ? ~0U : (1U << (p.channels % 32)) - 1;
  for (size_t i = 0; i < in.size(); ++i) {
    in[i] = random() & random();
    if (static_cast<int64_t>(i) % p.words() == p.words() - 1) in[i] &= valid;
  }
  const int64_t windows = p.images * p.out_height() * p.out_width();
  std::vector<T> grad_out(static_cast<size_t>(windows * p.channels), T(1));
  for_every_isa([&] {
    std::vector<T> grad_in(static_cast<size_t>(p.images * p.height * p.width * p.channels), T(9));
    spike_max_pool2d_grad_rows(p, in.data(), grad_out.data(), grad_in.data(), 0,
                               p.images * p.height);
    std::vector<uint32_t> out(static_cast<size_t>(windows * p.words()));
    spike_max_pool2d_rows(p, in.data(), out.data(), 0, p.images * p.out_height());
    T total = T(0);
    for (const T value : grad_in) total += value;
    EXPECT_EQ(total, static_cast<T>(windows * p.channels));
    for (size_t i = 0; i < out.size(); ++i) {
      if (static_cast<int64_t>(i) % p.words() == p.words() - 1) EXPECT_EQ(out[i] & ~valid, 0U);
    }
  });
}

TEST(SpikeMaxPool2d, GradientsAreNeitherLostNorDoubled) {
  for (const SpikePool& p : {SpikePool{2, 32, 4, 4, 2, 2}, SpikePool{1, 37, 7, 5, 3, 2},
                             SpikePool{3, 5, 9, 8, 2, 1}, SpikePool{1, 64, 7, 7, 2, 3}}) {
    expect_sums_kept<float>(p);
    expect_sums_kept<double>(p);
  }
}

}  // namespace
}  // namespace lampyris
