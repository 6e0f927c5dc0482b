#include "cpu/spike_sums.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "cpu/spike_sums_kernels.h"

namespace lampyris {
namespace {

SpikeSums shape(int64_t channels, int64_t height, int64_t width, int64_t outputs, int64_t kernel,
                int64_t stride = 1, int64_t padding = 0, int64_t groups = 1) {
  return {channels,
          height,
          width,
          (channels + 31) / 32,
          outputs,
          (height + 2 * padding - kernel) / stride + 1,
          (width + 2 * padding - kernel) / stride + 1,
          kernel,
          kernel,
          stride,
          padding,
          groups};
}

struct Data {
  std::vector<uint32_t> spikes;
  std::vector<int8_t> weight;
};

Data make(const SpikeSums& s, int64_t images, double density, bool worst) {
  std::mt19937 random(7);
  std::bernoulli_distribution fires(density);
  Data d;
  d.spikes.assign(static_cast<size_t>(images * s.image_words()), 0);
  for (size_t i = 0; i < d.spikes.size(); ++i) {
    const int64_t first = static_cast<int64_t>(i) % s.words * 32;
    for (int64_t b = 0; b < std::min<int64_t>(32, s.channels - first); ++b) {
      d.spikes[i] |= static_cast<uint32_t>(fires(random)) << b;
    }
  }
  d.weight.resize(static_cast<size_t>(s.outputs * s.group_channels() * s.taps()));
  for (int8_t& w : d.weight) w = worst ? -128 : static_cast<int8_t>(random());
  return d;
}

std::vector<int32_t> reference(const SpikeSums& s, const Data& d, int64_t images) {
  std::vector<int32_t> out;
  for (int64_t n = 0; n < images; ++n)
    for (int64_t y = 0; y < s.out_height; ++y)
      for (int64_t x = 0; x < s.out_width; ++x)
        for (int64_t o = 0; o < s.outputs; ++o) {
          int64_t sum = 0;
          const int8_t* w = d.weight.data() + o * s.group_channels() * s.taps();
          for (int64_t c = 0; c < s.group_channels(); ++c)
            for (int64_t i = 0; i < s.kernel_height; ++i)
              for (int64_t j = 0; j < s.kernel_width; ++j, ++w) {
                const int64_t iy = y * s.stride + i - s.padding, ix = x * s.stride + j - s.padding;
                if (iy < 0 || ix < 0 || iy >= s.height || ix >= s.width) continue;
                const int64_t channel = o / s.group_outputs() * s.group_channels() + c;
                const int64_t word = ((n * s.height + iy) * s.width + ix) * s.words + channel / 32;
                sum += d.spikes[static_cast<size_t>(word)] >> (channel % 32) & 1U ? *w : 0;
              }
          out.push_back(static_cast<int32_t>(sum));
        }
  return out;
}

std::vector<SumsKernel> kernels(const SpikeSums& s) {
  std::vector<SumsKernel> out = {SumsKernel::kEvent};
  if (s.groups == 1 && vnni_sums_available()) out.push_back(SumsKernel::kVnni);
  if (s.groups == s.channels && s.outputs == s.channels) out.push_back(SumsKernel::kChannel);
  return out;
}

void expect_exact(const SpikeSums& s, double density, bool worst = false) {
  constexpr int64_t kImages = 2;
  const Data d = make(s, kImages, density, worst);
  const std::vector<int32_t> wanted = reference(s, d, kImages);
  for_every_isa([&] {
    for (const SumsKernel kernel : kernels(s)) {
      SpikeWeights weights(s, kernel);
      weights.pack(d.weight.data());
      std::vector<int32_t> out(wanted.size(), -1);
      const SpikeSumsJob job{&weights, d.spikes.data(), nullptr, 0, out.data()};
      const int64_t rows = kImages * s.out_height, cut = rows / 3;
      spike_sums_rows(job, 0, cut);
      spike_sums_rows(job, cut, rows);
      ASSERT_EQ(out, wanted) << sums_kernel_name(kernel) << " isa " << isa_name(isa());
    }
  });
}

TEST(SpikeSums, EveryShape) {
  for (const double density : {0.0, 0.1, 0.6, 1.0}) {
    expect_exact(shape(1, 1, 1, 1, 1), density);
    expect_exact(shape(64, 5, 6, 64, 3, 1, 1), density);
    expect_exact(shape(33, 7, 5, 14, 3, 2, 1), density);
    expect_exact(shape(96, 4, 9, 200, 1), density);
    expect_exact(shape(3, 12, 11, 48, 7, 2, 3), density);
    expect_exact(shape(70, 3, 13, 300, 3, 1, 4), density);
    expect_exact(shape(48, 6, 5, 48, 3, 1, 1, 48), density);
    expect_exact(shape(40, 6, 5, 40, 5, 2, 2, 40), density);
    expect_exact(shape(96, 6, 7, 36, 3, 2, 1, 3), density);
    expect_exact(shape(34, 5, 5, 6, 5, 1, 0, 2), density);
    expect_exact(shape(48, 3, 3, 96, 3, 1, 1, 48), density);
    expect_exact(shape(130, 1, 1, 65, 1), density);
  }
}

TEST(SpikeSums, LargestSums) {
  expect_exact(shape(512, 4, 4, 66, 3, 1, 1), 1.0, true);
  expect_exact(shape(4000, 1, 1, 3, 1), 1.0, true);
  expect_exact(shape(64, 16, 16, 64, 15, 1, 7, 64), 1.0, true);
}

TEST(SpikeSums, ChoiceFollowsShapeAndDensity) {
  EXPECT_EQ(choose_sums_kernel(shape(64, 8, 8, 64, 3), 0.1), SumsKernel::kEvent);
  EXPECT_EQ(choose_sums_kernel(shape(64, 8, 8, 64, 3, 1, 1, 64), 0.1), SumsKernel::kChannel);
  EXPECT_EQ(choose_sums_kernel(shape(64, 8, 8, 64, 3), 0.6),
            vnni_sums_available() ? SumsKernel::kVnni : SumsKernel::kEvent);
}

TEST(SpikeSums, RefusesOffsetsBeyond31Bits) {
  EXPECT_THROW(SpikeWeights(shape(1 << 20, 1, 40, 1, 1), SumsKernel::kEvent),
               std::invalid_argument);
}

}  // namespace
}  // namespace lampyris
