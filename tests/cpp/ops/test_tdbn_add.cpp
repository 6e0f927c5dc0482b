#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "ops/tdbn_add/tdbn_add.h"
#include "ops/tdbn_add/tdbn_add_channel.h"
#include "ops/tdbn_add/tdbn_add_team.h"
#include "ops/thread_team.h"

namespace lampyris {
namespace {

std::vector<float> random_values(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(1, 2);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& v : out) v = normal(random);
  return out;
}

struct Case {
  int64_t steps, channels, inner, images;

  int64_t neurons() const { return channels * inner * images; }
};

const Case kCases[] = {{1, 1, 1, 1},  {3, 5, 1, 7},    {2, 64, 1, 300},
                       {4, 300, 1, 60}, {2, 3, 37, 40}, {5, 2, 5000, 1}};

TdbnGradSums<float> arguments(const Case& c, const std::vector<float>& x,
                              const std::vector<float>& mean) {
  TdbnGradSums<float> a;
  a.steps = c.steps;
  a.neurons = c.neurons();
  a.order = {c.channels, c.inner};
  a.x = {x.data(), a.neurons};
  a.mean = mean.data();
  return a;
}

// The definition, in double.
template <typename Pair>
std::vector<double> expected_sums(const TdbnGradSums<float>& a, const Pair& pair) {
  std::vector<double> out(static_cast<size_t>(2 * a.order.channels));
  for (int64_t t = 0; t < a.steps; ++t) {
    for (int64_t n = 0; n < a.neurons; ++n) {
      const int64_t c = a.order.at(n);
      pair(t, n, c, out[static_cast<size_t>(c)], out[static_cast<size_t>(a.order.channels + c)]);
    }
  }
  return out;
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b, double relative) {
  ASSERT_EQ(a.size(), b.size());
  double largest = 0;
  for (const double v : b) largest = std::max(largest, std::fabs(v));
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], relative * (largest + 1));
}

TEST(TdbnAdd, MomentsByHand) {
  // Values 1 and 3, as sums about the pivot 1: 2 and 4.
  double sums[3] = {2, 4, 2};
  tdbn_uncentre(1, 2, sums[0], sums[1]);
  EXPECT_EQ(sums[0], 4);
  EXPECT_EQ(sums[1], 10);
  double moments[3] = {0, 0, 2};
  float mean = 0, var = 1;
  tdbn_moments_channel(sums, 1, 0, 0.5, 0.0, &mean, &var, moments);
  EXPECT_EQ(moments[0], 2);
  EXPECT_EQ(moments[1], 1);
  EXPECT_EQ(mean, 1.0F);
  EXPECT_EQ(var, 1.5F);  // unbiased: 2
  const float weight = 3, bias = 1;
  float scale, shift;
  tdbn_forward_channel(moments, &weight, &bias, 1, 0, &scale, &shift);
  EXPECT_EQ(tdbn_value(1.0F, scale, shift), -2.0F);
  EXPECT_EQ(tdbn_value(3.0F, scale, shift), 4.0F);
}

// dz orthogonal to the normalised values and of mean 0 passes unchanged but for the scale; a
// constant dz, or one along the values, does not pass.
TEST(TdbnAdd, GradientIsProjected) {
  const double moments[3] = {2, 1, 2};  // values 1 and 3
  const auto gradient = [&](float first, float second) {
    const double sums[2] = {double(first) + second, -double(first) + second};
    float a, b, d;
    tdbn_backward_channel<float>(moments, nullptr, sums, 1, 0, &a, &b, &d);
    return std::pair{tdbn_gradient(first, 1.0F, a, b, d, 2.0F),
                     tdbn_gradient(second, 3.0F, a, b, d, 2.0F)};
  };
  EXPECT_EQ(gradient(5, 5), (std::pair{0.0F, 0.0F}));
  EXPECT_EQ(gradient(-1, 1), (std::pair{0.0F, 0.0F}));
}

// The team code is what CUDA runs; here on one lane, on threads, and against the vectorized loops.
TEST(TdbnAdd, TeamsAndLoopsAgree) {
  for (const Case& c : kCases) {
    const auto x = random_values(c.steps * c.neurons(), 1);
    const auto dz = random_values(c.steps * c.neurons(), 2);
    const auto mean = random_values(c.channels, 3);
    const auto a = arguments(c, x, mean);
    const Steps<float> grad{dz.data(), a.neurons};
    const int64_t width = 2 * c.channels;
    const StatsPair<float> stats{a};
    const GradPair<float> grads{a, grad};
    const auto expected_stats = expected_sums(a, stats), expected_grads = expected_sums(a, grads);

    const TdbnTile tile = tdbn_tile(a);
    const auto by_team = [&](const auto& pair) {
      constexpr int64_t kLanes = 2 * kTdbnTileChannels;
      std::vector<double> partial(static_cast<size_t>(tile.stretches * width), 1e9);
      std::vector<double> shared(2 * kLanes), sums(static_cast<size_t>(width));
      run_team(kLanes, [&](const ThreadTeam& team) {
        for (int64_t k = 0; k < tile.count(); ++k) {
          tdbn_sum_tile(team, a, tile, k, shared.data(), partial.data(), pair);
        }
        for (int64_t i = 0; i < width; ++i) {
          tdbn_sum_stretches(team, partial.data(), tile.stretches, width, i, sums.data());
        }
      });
      return sums;
    };
    if (c.steps * c.neurons() < 20000) {  // barriers of many threads are slow
      expect_near(by_team(stats), expected_stats, 1e-12);
      expect_near(by_team(grads), expected_grads, 1e-12);
    }

    const int64_t tasks = tdbn_tasks(a.neurons);
    for_every_isa([&] {
      std::vector<double> partial(static_cast<size_t>(tasks * width), 1e9);
      std::vector<double> sums(static_cast<size_t>(width));
      tdbn_stats_tasks(a, partial.data(), 0, tasks);
      tdbn_reduce(partial.data(), tasks, width, sums.data());
      expect_near(sums, expected_stats, 2e-6);  // float32 sums of up to 128 values
      tdbn_grad_sums_tasks(a, grad, partial.data(), 0, tasks);
      tdbn_reduce(partial.data(), tasks, width, sums.data());
      expect_near(sums, expected_grads, 2e-6);
    });
  }
}

TEST(TdbnAdd, BlocksFollowTheFormula) {
  for (const Case& c : kCases) {
    const auto x = random_values(c.steps * c.neurons(), 1);
    const auto skip = random_values(c.neurons(), 2);  // expanded over T
    const auto scale = random_values(c.channels, 3), shift = random_values(c.channels, 4);
    TdbnForward<float> a;
    static_cast<TdbnInput<float>&>(a) = arguments(c, x, shift);
    a.residual = {skip.data(), 0};
    a.scale = scale.data();
    a.shift = shift.data();
    const int64_t blocks = (a.neurons + kLifBlock - 1) / kLifBlock;
    for_every_isa([&] {
      std::vector<float> out(x.size(), -9);
      a.stream = out.data();
      tdbn_add_blocks(a, 0, blocks);
      for (int64_t t = 0; t < a.steps; ++t) {
        for (int64_t n = 0; n < a.neurons; ++n) {
          const auto channel = static_cast<size_t>(a.order.at(n));
          const float y = tdbn_value(a.x.at(t)[n], scale[channel], shift[channel]);
          ASSERT_EQ(out[static_cast<size_t>(t * a.neurons + n)],
                    y + skip[static_cast<size_t>(n)]);
        }
      }
    });
  }
}

// Longer than a piece of steps: the membrane is carried over, with and without a stream.
TEST(TdbnAdd, NeuronsDoNotSeeThePieces) {
  const Case c{37, 7, 1, 700};
  const auto x = random_values(c.steps * c.neurons(), 1);
  const auto scale = random_values(c.channels, 3), shift = random_values(c.channels, 4);
  TdbnForward<float> a;
  static_cast<TdbnInput<float>&>(a) = arguments(c, x, shift);
  a.scale = scale.data();
  a.shift = shift.data();
  std::vector<float> stream(x.size()), spikes(x.size()), expected(x.size());
  std::vector<float> membrane(static_cast<size_t>(a.neurons)), last(membrane);
  LifForward<float> lif;
  lif.steps = a.steps;
  lif.neurons = a.neurons;
  lif.decay.value = 0.5F;
  lif.threshold.value = lif.gain.value = lif.width.value = 1;
  lif.membrane_out = MembraneOut::kLast;
  const int64_t blocks = (a.neurons + kLifBlock - 1) / kLifBlock;
  a.stream = stream.data();
  tdbn_add_blocks(a, 0, blocks);
  lif.x = {stream.data(), a.neurons, 0, a.neurons};
  lif.spikes = expected.data();
  lif.membrane = last.data();
  lif_forward_blocks(lif, 0, blocks);
  lif.spikes = spikes.data();
  lif.membrane = membrane.data();
  for (float* to : {stream.data(), static_cast<float*>(nullptr)}) {
    a.stream = to;
    std::fill(spikes.begin(), spikes.end(), -1.0F);
    tdbn_add_lif_blocks(a, lif, 0, blocks);
    EXPECT_EQ(spikes, expected);
    EXPECT_EQ(membrane, last);
  }
}

}  // namespace
}  // namespace lampyris
