#include "ops/spike_conv_lif/spike_conv_lif.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "core/fixed_point.h"
#include "cpu/every_isa.h"
#include "cpu/spike_sums.h"

namespace lampyris {
namespace {

struct Block {
  SpikeConvLif a;
  std::vector<uint32_t> words, out;
  std::vector<int8_t> weight;
  std::vector<int32_t> bias;
  std::vector<int16_t> residual, stream;
  std::vector<float> membrane, decay, threshold, gain;
};

Block make(int64_t channels, int64_t outputs, int64_t size) {
  Block b;
  std::mt19937 random(3);
  b.a.steps = 3;
  b.a.batch = 2;
  b.a.form = CurrentForm::kExact;
  b.a.shift = 1;
  b.a.conv = {6, channels, size, size, outputs, 3, 3, 1, 1, 1};
  b.words.assign(static_cast<size_t>(6 * b.a.conv.image_words()), 0);
  for (uint32_t& w : b.words) w = random() & random() & ((uint64_t{1} << channels) - 1);
  b.weight.resize(static_cast<size_t>(b.a.conv.weights()));
  for (int8_t& w : b.weight) w = static_cast<int8_t>(random());
  b.bias.assign(static_cast<size_t>(outputs), -7);
  const auto values = static_cast<size_t>(b.a.conv.outputs());
  b.residual.resize(values);
  for (int16_t& r : b.residual) r = static_cast<int16_t>(random());
  b.stream.resize(values);
  b.membrane.resize(values / 3);
  b.decay.assign(static_cast<size_t>(outputs), 0.25F);
  b.threshold.assign(static_cast<size_t>(outputs), 200.0F);
  b.gain.assign(static_cast<size_t>(outputs), 1.0F);
  b.out.resize(static_cast<size_t>(6 * size * size * b.a.out_words()));
  b.a.words = b.words.data();
  b.a.weight = b.weight.data();
  b.a.bias = b.bias.data();
  b.a.residual = b.residual.data();
  b.a.stream = b.stream.data();
  b.a.membrane = b.membrane.data();
  b.a.decay.values = b.decay.data();
  b.a.threshold.values = b.threshold.data();
  b.a.gain.values = b.gain.data();
  b.a.out = b.out.data();
  return b;
}

SpikeSums sums_of(const SpikeConv2dShape& s) {
  return {s.in_channels,  s.in_height,     s.in_width,     s.words_per_pixel(),
          s.out_channels, s.out_height(),  s.out_width(),  s.kernel_height,
          s.kernel_width, s.stride,        s.padding,      s.groups};
}

// Contract sections 2 and 3 in integers: leak before(2).
TEST(SpikeConvLif, IsTheContract) {
  for_every_isa([&] {
    for (const auto& [channels, outputs] : {std::pair<int64_t, int64_t>{20, 40}, {32, 32}}) {
      Block b = make(channels, outputs, 9);
      SpikeWeights weights(sums_of(b.a.conv), SumsKernel::kEvent);
      weights.pack(b.weight.data());
      const int64_t tiles = spike_conv_lif_tiles(b.a);
      spike_conv_lif(b.a, &weights, nullptr, 0, tiles / 2);
      spike_conv_lif(b.a, &weights, nullptr, tiles / 2, tiles);
      std::vector<int32_t> sums(b.stream.size());
      spike_sums_rows({&weights, b.words.data(), nullptr, 0, sums.data()}, 0, 6 * 9);
      const size_t neurons = b.membrane.size();
      for (size_t n = 0; n < neurons; ++n) {
        int32_t v = 0;
        for (size_t t = 0; t < 3; ++t) {
          const size_t i = t * neurons + n, o = i % static_cast<size_t>(outputs);
          const int32_t x = sat16((sums[i] << 1) + b.bias[o] + b.residual[i]);
          ASSERT_EQ(b.stream[i], x);
          v = sat18(shift_floor(v, 2) + x);
          const bool spike = v > 200;
          const size_t word = i / static_cast<size_t>(outputs) *
                                  static_cast<size_t>(b.a.out_words()) + o / 32;
          ASSERT_EQ((b.out[word] >> (o % 32) & 1U) != 0, spike);
          if (spike) v = 0;
        }
        ASSERT_EQ(b.membrane[n], static_cast<float>(v));
      }
    }
  });
}

}  // namespace
}  // namespace lampyris
