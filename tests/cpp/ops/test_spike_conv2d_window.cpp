#include <gtest/gtest.h>

#include <new>
#include <random>
#include <vector>

#include "core/neuron.h"
#include "cpu/every_isa.h"
#include "ops/spike_conv2d/spike_conv2d_window.h"

namespace lampyris {
namespace {

// Small integers: sums are exact in float32 in any order, and in bfloat16 products.
std::vector<float> integers(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = static_cast<float>(static_cast<int>(random() % 9) - 4);
  return values;
}

float expected(const SpikeConv2dShape& s, const std::vector<float>& grad,
               const std::vector<float>& weight, int64_t n, int64_t y, int64_t x, int64_t c) {
  float sum = 0;
  for (int64_t k = 0; k < s.taps(); ++k) {
    const int64_t oy = y + s.padding - k / s.kernel_width, ox = x + s.padding - k % s.kernel_width;
    if (oy < 0 || oy >= s.out_height() || ox < 0 || ox >= s.out_width()) continue;
    for (int64_t o = 0; o < s.out_channels; ++o) {
      const int64_t pixel = (n * s.out_height() + oy) * s.out_width() + ox;
      sum += grad[static_cast<size_t>(pixel * s.out_channels + o)] *
             weight[static_cast<size_t>((o * s.in_channels + c) * s.taps() + k)];
    }
  }
  return sum;
}

void expect_windows(const SpikeConv2dShape& s, int64_t batch, bool narrow) {
  const int64_t steps = s.images / batch, map = s.in_height * s.in_width * s.in_channels;
  std::mt19937 random(7);
  std::vector<uint8_t> codes(static_cast<size_t>((steps + 3) / 4 * batch * map));
  for (uint8_t& code : codes) code = static_cast<uint8_t>(random() & random());
  const std::vector<float> grad = integers(s.outputs(), 1), weight = integers(s.weights(), 2);
  std::vector<float> packed(
      static_cast<size_t>(s.in_channels * s.taps() * window_channels(s)), 99.0F);
  std::vector<float> out(static_cast<size_t>(s.images * map), 99.0F);
  pack_window_weights(s, weight.data(), narrow, packed.data(), 0, s.in_channels);
  const WindowGrad a{s, batch, codes.data(), grad.data(), packed.data(), out.data()};
  window_grad(a, narrow, 0, window_tiles(s, narrow));
  for (int64_t e = 0; e < s.images * map; ++e) {
    const int64_t c = e % s.in_channels, x = e / s.in_channels % s.in_width;
    const int64_t y = e / s.in_channels / s.in_width % s.in_height, n = e / map;
    const auto at = static_cast<size_t>((n / batch / 4 * batch + n % batch) * map + e % map);
    const bool open = (codes[at] >> (kCodeBits * (n / batch % 4)) & kCodeWindow) != 0;
    ASSERT_EQ(out[static_cast<size_t>(e)], open ? expected(s, grad, weight, n, y, x, c) : 0.0F)
        << e;
  }
}

TEST(WindowGrad, OneDotProductAnOpenWindow) {
  for (const auto& [shape, batch] :
       {std::pair{SpikeConv2dShape{6, 33, 7, 9, 20, 3, 3, 1, 1, 1}, int64_t{1}},
        std::pair{SpikeConv2dShape{4, 64, 5, 6, 40, 3, 3, 1, 0, 1}, int64_t{2}},
        std::pair{SpikeConv2dShape{2, 5, 40, 3, 130, 1, 1, 1, 0, 1}, int64_t{1}},
        std::pair{SpikeConv2dShape{5, 32, 6, 8, 32, 3, 1, 1, 0, 1}, int64_t{5}}}) {
    for_every_isa([&] {
      expect_windows(shape, batch, false);
      if (has_avx512_bf16()) expect_windows(shape, batch, true);
    });
  }
}

TEST(WindowGrad, CountsOpenWindows) {
  const std::vector<uint8_t> codes = {0xFF, 0x55, 0xAA, 0x01, 0x02, 0x40, 0, 0, 0, 0x11};
  EXPECT_EQ(count_windows(codes.data(), static_cast<int64_t>(codes.size())), 4 + 4 + 1 + 1 + 2);
}

TEST(WindowGrad, FitsStrideOneAndOneGroup) {
  SpikeConv2dShape s{1, 64, 8, 8, 64, 3, 3, 1, 1, 1};
  EXPECT_TRUE(windows_fit(s));
  s.stride = 2;
  EXPECT_FALSE(windows_fit(s));
  s.stride = 1;
  s.padding = 3;  // wider than the kernel: rows of the gradient beyond the border
  EXPECT_FALSE(windows_fit(s));
}

}  // namespace
}  // namespace lampyris
