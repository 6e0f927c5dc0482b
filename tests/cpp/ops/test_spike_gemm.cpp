// The tiles of the tensor cores on threads: fragments emulated, a missing barrier shows under
// ThreadSanitizer.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "ops/spike_conv2d/spike_conv2d_gemm.h"
#include "ops/thread_team.h"

namespace lampyris {
namespace {

// One lane a warp; products exact, sums in float32.
struct EmulatedFragments {
  static constexpr int kWarp = 1;
  struct Matrix {
    float values[kFragment][kFragment];
  };
  using A = Matrix;
  using B = Matrix;
  using Sum = Matrix;

  static void fill(Sum& sum) { sum = {}; }
  static void load_a(A& a, const uint16_t* from, int stride) {
    for (int i = 0; i < kFragment * kFragment; ++i) {
      const int r = i / kFragment, c = i % kFragment;
      a.values[r][c] = from_bfloat16(from[r * stride + c]);
    }
  }
  static void load_b(B& b, const uint16_t* from, int stride) { load_a(b, from, stride); }
  static void multiply(Sum& sum, const A& a, const B& b) {
    for (int r = 0; r < kFragment; ++r) {
      for (int k = 0; k < kFragment; ++k) {
        for (int c = 0; c < kFragment; ++c) sum.values[r][c] += a.values[r][k] * b.values[k][c];
      }
    }
  }
  static void store(float* to, const Sum& sum, int stride) {
    for (int i = 0; i < kFragment * kFragment; ++i) {
      to[i / kFragment * stride + i % kFragment] = sum.values[i / kFragment][i % kFragment];
    }
  }
  static void copy_16_bytes(const uint16_t* from, uint16_t* to) { std::memcpy(to, from, 16); }
};

template <int kParts, class Places>
std::vector<uint16_t> pack(const SpikeGemm& g, const float* weight, int64_t column_stride,
                           const Places& places) {
  const int64_t padded = g.padded_columns();
  std::vector<uint16_t> packed(static_cast<size_t>(g.depth_words * kParts * kGemmDepth * padded));
  for (int64_t e = 0; e < static_cast<int64_t>(packed.size()); ++e) {
    const int64_t n = e % padded, j = e / padded % kGemmDepth;
    const int64_t part = e / padded / kGemmDepth % kParts, k = e / padded / kGemmDepth / kParts;
    const int64_t place = n < g.columns ? places.at(k, static_cast<int>(j)) : -1;
    const float value = place < 0 ? 0.0F : weight[n * column_stride + place];
    packed[static_cast<size_t>(e)] = bfloat16_term(value, static_cast<int>(part));
  }
  return packed;
}

template <int kParts, class Words>
void run_tiles(const SpikeGemm& g, const Words& words) {
  const auto shared = std::make_unique<GemmShared<kParts>>();
  for (int64_t row = 0; row < g.rows; row += kGemmRows) {
    for (int64_t column = 0; column < g.columns; column += kGemmColumns) {
      run_team(kGemmWarps, [&](const ThreadTeam& team) {
        spike_gemm_tile<EmulatedFragments, kParts>(team, g, words, row, column, *shared);
      });
    }
  }
}

std::vector<float> normals(int64_t count) {
  std::mt19937 random(8);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = normal(random);
  return values;
}

template <int kParts>
void expect_conv(const SpikeConv2dShape& s, double tolerance) {
  const std::vector<float> weight = normals(s.weights()), bias = normals(s.out_channels);
  std::vector<uint32_t> words(static_cast<size_t>(s.images * s.image_words()));
  std::mt19937 random(9);
  const int64_t tail = s.in_channels % 32;
  for (size_t i = 0; i < words.size(); ++i) {
    words[i] = random() & random();
    const bool last = static_cast<int64_t>(i + 1) % s.words_per_pixel() == 0;
    if (last && tail != 0) words[i] &= (1U << tail) - 1;
  }
  std::vector<float> out(static_cast<size_t>(s.outputs()), 99.0F);
  const SpikeConv2d<float> a{s, words.data(), weight.data(), bias.data(), out.data()};
  const int64_t depth = s.group_in() * s.taps();
  for (int64_t group = 0; group < s.groups; ++group) {
    SpikeGemm g = group_gemm(a, group, nullptr);
    const std::vector<uint16_t> packed =
        pack<kParts>(g, weight.data() + group * s.group_out() * depth, depth, tap_places(s));
    EXPECT_EQ(static_cast<int64_t>(packed.size()), packed_gemm_weights(s, kParts == 1));
    g.weight = packed.data();
    run_tiles<kParts>(g, pixel_words(s, words.data(), group));
  }
  for (int64_t e = 0; e < s.outputs(); ++e) {
    const int64_t o = e % s.out_channels, x = e / s.out_channels % s.out_width();
    const int64_t y = e / s.out_channels / s.out_width() % s.out_height();
    const int64_t n = e / s.out_channels / s.out_width() / s.out_height();
    double sum = bias[static_cast<size_t>(o)];
    for (int64_t k = 0; k < s.taps(); ++k) {
      const int64_t iy = y * s.stride - s.padding + k / s.kernel_width;
      const int64_t ix = x * s.stride - s.padding + k % s.kernel_width;
      if (iy < 0 || iy >= s.in_height || ix < 0 || ix >= s.in_width) continue;
      for (int64_t c = 0; c < s.group_in(); ++c) {
        const int64_t channel = o / s.group_out() * s.group_in() + c;
        const int64_t pixel = (n * s.in_height + iy) * s.in_width + ix;
        const uint32_t word = words[static_cast<size_t>(pixel * s.words_per_pixel() + channel / 32)];
        if ((word >> (channel % 32) & 1U) != 0) {
          sum += weight[static_cast<size_t>((o * s.group_in() + c) * s.taps() + k)];
        }
      }
    }
    ASSERT_NEAR(out[static_cast<size_t>(e)], sum, tolerance) << e;
  }
}

TEST(SpikeGemm, ConvolutionsOnThreads) {
  for (const SpikeConv2dShape& s : {SpikeConv2dShape{2, 40, 7, 6, 20, 3, 3, 1, 1, 1},
                                    SpikeConv2dShape{1, 64, 12, 13, 70, 3, 3, 2, 1, 2},
                                    SpikeConv2dShape{1, 3, 9, 9, 5, 1, 1, 1, 0, 1}}) {
    ASSERT_TRUE(gemm_fits(s));
    expect_conv<3>(s, 1e-4);  // some hundred sums in float32
    expect_conv<1>(s, 0.5);   // of weights of 8 bits
  }
}

TEST(SpikeGemm, ThreeTermsAreTheValue) {
  for (const float value : normals(2000)) {
    float rest = value;
    for (int part = 0; part < 3; ++part) rest -= from_bfloat16(bfloat16_term(value, part));
    EXPECT_EQ(rest, 0.0F) << value;
  }
}

TEST(SpikeGemm, GroupsThatShareWordsDoNotFit) {
  EXPECT_FALSE(gemm_fits({1, 48, 8, 8, 48, 3, 3, 1, 1, 3}));
  EXPECT_FALSE(gemm_fits({1, 64, 8, 8, 64, 3, 3, 1, 1, 64}));
}

}  // namespace
}  // namespace lampyris
