#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "ops/ilif/ilif_neuron.h"

namespace lampyris {
namespace {

TEST(Ilif, CountsRoundHalfToEvenAndClip) {
  const std::vector<std::pair<float, float>> cases = {
      {-1.0F, 0}, {0.49F, 0}, {0.5F, 0}, {1.5F, 2}, {2.5F, 2}, {3.51F, 4}, {9.0F, 4}};
  for (const auto& [u, count] : cases) EXPECT_EQ(count_of(u, 1.0F, 4.0F), count) << u;
  EXPECT_EQ(count_of(std::nanf(""), 1.0F, 4.0F), 0.0F);
  EXPECT_TRUE(counts_follow(4.0F, 1.0F, 4.0F) && counts_follow(0.0F, 1.0F, 4.0F));
  EXPECT_FALSE(counts_follow(4.01F, 1.0F, 4.0F) || counts_follow(-0.01F, 1.0F, 4.0F));
}

// Blocks of every instruction set against one neuron at a time (the CUDA kernel's body).
TEST(Ilif, BlocksEqualSingleNeurons) {
  const int64_t steps = 7, neurons = 4200;
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> x(static_cast<size_t>(steps * neurons)), g(x.size());
  for (float& value : x) value = normal(random);
  for (float& value : g) value = normal(random);
  const auto size = static_cast<size_t>(neurons);
  std::vector<float> counts(x.size()), state(x.size()), membrane(size);
  std::vector<uint8_t> codes(2 * size);
  LifForward<float> a;
  a.steps = steps;
  a.neurons = neurons;
  a.decay.value = 0.25F;
  a.threshold.value = 0.7F;
  a.gain.value = 1;
  a.width.value = 8;
  a.x = {x.data(), neurons, 0, neurons};
  a.membrane_out = MembraneOut::kLast;
  const auto outputs = [&] {
    a.spikes = counts.data();
    a.state = state.data();
    a.membrane = membrane.data();
    a.codes = codes.data();
  };
  outputs();
  for (int64_t n = 0; n < neurons; ++n) ilif_forward_neuron(a, n);
  LifBackward<float> b;
  static_cast<LifRule<float>&>(b) = a;
  b.grad_spikes = {g.data(), neurons, 0, neurons};
  b.x = a.x;
  const std::vector<float> u = state;
  b.state = u.data();
  std::vector<float> grad_x(x.size()), parameters(3 * size);
  const auto gradients = [&] {
    b.grad_x = grad_x.data();
    b.grad_decay = parameters.data();
    b.grad_threshold = parameters.data() + size;
    b.grad_gain = parameters.data() + 2 * size;
  };
  gradients();
  for (int64_t n = 0; n < neurons; ++n) ilif_backward_neuron(b, n);
  const auto expected = std::tuple(counts, state, membrane, codes, grad_x, parameters);
  for_every_isa([&] {
    for (auto* values : {&counts, &state, &membrane, &grad_x, &parameters}) {
      std::fill(values->begin(), values->end(), -1.0F);
    }
    ilif_forward_blocks(a, 0, 2);
    ilif_backward_blocks(b, 0, 2);
    EXPECT_EQ(std::tuple(counts, state, membrane, codes, grad_x, parameters), expected);
  });
}

}  // namespace
}  // namespace lampyris
