#include "ops/spike_conv2d/spike_conv2d.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "ops/spike_conv2d/spike_conv2d_depthwise.h"
#include "ops/spike_conv2d/spike_conv2d_event.h"
#include "ops/spike_conv2d/spike_conv2d_event_grad.h"

namespace lampyris {
namespace {

struct Problem {
  SpikeConv2dShape shape;
  std::vector<uint32_t> words;
  std::vector<float> weight, bias, grad;

  Problem(const SpikeConv2dShape& s, double density) : shape(s) {
    std::mt19937 random(7);
    std::bernoulli_distribution spike(density);
    std::uniform_real_distribution<float> value(-1, 1);
    words.resize(static_cast<size_t>(s.images * s.image_words()));
    for (int64_t p = 0; p < s.images * s.in_height * s.in_width; ++p) {
      for (int64_t c = 0; c < s.in_channels; ++c) {
        const auto w = static_cast<size_t>(p * s.words_per_pixel() + c / 32);
        words[w] |= static_cast<uint32_t>(spike(random)) << (c % 32);
      }
    }
    weight.resize(static_cast<size_t>(s.weights()));
    bias.resize(static_cast<size_t>(s.out_channels));
    grad.resize(static_cast<size_t>(s.outputs()));
    for (auto* values : {&weight, &bias, &grad}) {
      for (float& v : *values) v = value(random);
    }
  }

  // Calls visit(output index, weight index) for every spike that meets a weight.
  template <class Visit>
  void for_products(const Visit& visit) const {
    const SpikeConv2dShape& s = shape;
    for (int64_t e = 0; e < s.outputs(); ++e) {
      const int64_t o = e % s.out_channels, x = e / s.out_channels % s.out_width();
      const int64_t r = e / s.out_channels / s.out_width();
      const int64_t y = r % s.out_height(), n = r / s.out_height();
      for (int64_t k = 0; k < s.group_in() * s.taps(); ++k) {
        const int64_t c = o / s.group_out() * s.group_in() + k / s.taps();
        const int64_t iy = y * s.stride + k % s.taps() / s.kernel_width - s.padding;
        const int64_t ix = x * s.stride + k % s.kernel_width - s.padding;
        if (iy < 0 || iy >= s.in_height || ix < 0 || ix >= s.in_width) continue;
        const int64_t pixel = (n * s.in_height + iy) * s.in_width + ix;
        const uint32_t word = words[static_cast<size_t>(pixel * s.words_per_pixel() + c / 32)];
        if ((word >> (c % 32) & 1U) != 0) visit(e, o * s.group_in() * s.taps() + k);
      }
    }
  }
};

std::vector<SpikeConv2dShape> shapes() {
  return {
      {1, 1, 1, 1, 1, 1, 1, 1, 0, 1},    {2, 33, 5, 7, 14, 3, 3, 1, 1, 1},
      {1, 64, 8, 6, 64, 3, 3, 1, 1, 1},  {2, 32, 9, 8, 70, 3, 3, 2, 1, 1},
      {1, 40, 6, 6, 130, 1, 1, 1, 0, 1}, {1, 3, 17, 15, 48, 7, 7, 2, 3, 1},
      {1, 48, 6, 5, 48, 3, 3, 1, 1, 48}, {1, 96, 6, 7, 36, 3, 3, 2, 1, 3},
  };
}

TEST(SpikeConv2d, PlainKernelsEqualSums) {
  for (const SpikeConv2dShape& s : shapes()) {
    const Problem p(s, 0.3);
    std::vector<double> out(p.grad.size()), grad_weight(p.weight.size());
    for (size_t e = 0; e < out.size(); ++e) out[e] = p.bias[e % p.bias.size()];
    p.for_products([&](int64_t e, int64_t k) {
      out[static_cast<size_t>(e)] += p.weight[static_cast<size_t>(k)];
      grad_weight[static_cast<size_t>(k)] += p.grad[static_cast<size_t>(e)];
    });
    for_every_isa([&] {
      std::vector<float> ours(out.size(), 9.0F), ours_weight(grad_weight.size(), 9.0F);
      spike_conv2d_rows({s, p.words.data(), p.weight.data(), p.bias.data(), ours.data()}, 0,
                        s.images * s.out_height());
      spike_conv2d_grad_weight_words({s, p.words.data(), p.grad.data(), ours_weight.data()}, 0,
                                     s.words_per_pixel());
      for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(ours[i], out[i], 1e-4);
      for (size_t i = 0; i < grad_weight.size(); ++i) {
        ASSERT_NEAR(ours_weight[i], grad_weight[i], 1e-4);
      }
    });
  }
}

TEST(SpikeConv2d, EventKernelsEqualPlainOnes) {
  for (const SpikeConv2dShape& s : shapes()) {
    const Problem p(s, 0.2);
    std::vector<float> out(p.grad.size()), grad_weight(p.weight.size());
    spike_conv2d_rows({s, p.words.data(), p.weight.data(), p.bias.data(), out.data()}, 0,
                      s.images * s.out_height());
    const SpikeConv2dGradWeight<float> to{s, p.words.data(), p.grad.data(), grad_weight.data()};
    spike_conv2d_grad_weight_words(to, 0, s.words_per_pixel());
    for_every_isa([&] {
      std::vector<float> ours(out.size(), 9.0F), packed(static_cast<size_t>(event_weights(s)));
      pack_event_weights(s, p.weight.data(), packed.data(), 0,
                         s.groups * EventBlocks(s.group_out()).count);
      const SpikeConv2d<float> a{s, p.words.data(), p.weight.data(), p.bias.data(), ours.data()};
      const int64_t rows = s.images * s.out_height();
      spike_conv2d_event(a, packed.data(), 0, rows / 3);
      spike_conv2d_event(a, packed.data(), rows / 3, rows);
      for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(ours[i], out[i], 1e-4);
      for (const int64_t parts : {1, 3}) {
        std::vector<float> ours_weight(grad_weight.size(), 9.0F);
        EventGradWeight events({s, to.words, to.grad, ours_weight.data()}, parts);
        events.list(0, events.tiles());
        events.accumulate(0, events.items());
        for (size_t i = 0; i < grad_weight.size(); ++i) {
          ASSERT_NEAR(ours_weight[i], grad_weight[i], 1e-4);
        }
      }
    });
  }
}

TEST(SpikeConv2d, DepthwiseKernelsEqualPlainOnes) {
  for (const SpikeConv2dShape& s : {SpikeConv2dShape{2, 40, 6, 5, 40, 3, 3, 1, 1, 40},
                                    SpikeConv2dShape{1, 33, 9, 8, 33, 5, 2, 2, 3, 33},
                                    SpikeConv2dShape{1, 32, 7, 2, 32, 3, 3, 1, 1, 32},
                                    SpikeConv2dShape{1, 16, 8, 9, 16, 3, 3, 2, 0, 16}}) {
    const Problem p(s, 0.4);
    std::vector<float> out(p.grad.size()), grad_weight(p.weight.size());
    const int64_t rows = s.images * s.out_height();
    spike_conv2d_rows({s, p.words.data(), p.weight.data(), p.bias.data(), out.data()}, 0, rows);
    spike_conv2d_grad_weight_words({s, p.words.data(), p.grad.data(), grad_weight.data()}, 0,
                                   s.words_per_pixel());
    for_every_isa([&] {
      std::vector<float> ours(out.size(), 9.0F), ours_weight(grad_weight.size(), 9.0F);
      spike_conv2d_depthwise({s, p.words.data(), p.weight.data(), p.bias.data(), ours.data()}, 0,
                             rows);
      spike_conv2d_grad_weight_depthwise({s, p.words.data(), p.grad.data(), ours_weight.data()}, 0,
                                         (s.in_channels + 15) / 16);
      for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(ours[i], out[i], 1e-4);
      for (size_t i = 0; i < grad_weight.size(); ++i) {
        ASSERT_NEAR(ours_weight[i], grad_weight[i], 1e-4);
      }
    });
  }
}

TEST(SpikeConv2d, CountsSpikes) {
  const std::vector<uint32_t> words = {0, 1, 0xFFFFFFFF, 0x80000001};
  for_every_isa([&] { EXPECT_EQ(count_spikes(words.data(), 4), 35); });
}

}  // namespace
}  // namespace lampyris
