#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "core/team.h"
#include "cpu/every_isa.h"
#include "ops/fake_quantize/fake_quantize.h"
#include "ops/fake_quantize/fake_quantize_team.h"
#include "ops/thread_team.h"

namespace lampyris {
namespace {

struct Data {
  std::vector<double> x, grad, scale, offset;
  std::vector<uint8_t> mask;
  FakeQuantize<double> a;

  Data(int64_t outer, int64_t channels, int64_t inner) {
    std::mt19937 random(1);
    std::normal_distribution<double> normal;
    const auto size = static_cast<size_t>(outer * channels * inner);
    for (size_t i = 0; i < size; ++i) {
      x.push_back(normal(random));
      grad.push_back(normal(random));
      mask.push_back(random() % 2);
    }
    for (int64_t c = 0; c < channels; ++c) {
      scale.push_back(0.1 + 0.01 * static_cast<double>(c));
      offset.push_back(normal(random) * 0.1);
    }
    a = {outer, channels, inner, x.data(), scale.data(), offset.data(), mask.data(), -7, 7};
  }

  int64_t pieces() const { return a.rows() * pieces_per_row(a); }
};

TEST(FakeQuantize, ByHand) {
  const QuantizeConstants<float> c{0.5F, 0, -3, 3};
  EXPECT_EQ(fake_quantize_value(0.25F, c), 0.0F);  // 0.5 steps go to even
  EXPECT_EQ(fake_quantize_value(0.75F, c), 1.0F);
  EXPECT_EQ(fake_quantize_value(9.0F, c), 1.5F);
  float to_x, to_scale, to_offset;
  fake_quantize_gradient(1.5F, c, to_x, to_scale, to_offset);
  EXPECT_EQ(to_x, 1.0F);
  fake_quantize_gradient(1.75F, c, to_x, to_scale, to_offset);
  EXPECT_EQ(to_x, 0.0F);
  EXPECT_EQ(to_scale, 3.0F);
  EXPECT_EQ(to_offset, 1.0F);
}

// The team code is what CUDA runs; here on one lane, on threads, and against the vectorized loops.
TEST(FakeQuantize, TeamsAndLoopsAgree) {
  for (const auto& [outer, channels, inner] :
       {std::tuple{1, 1, 10000}, std::tuple{3, 4, 5}, std::tuple{2, 3, 4097}}) {
    Data d(outer, channels, inner);
    const auto size = d.x.size();
    std::vector<double> grad_x(size), sums(static_cast<size_t>(2 * d.pieces()));
    std::vector<double> grad_scale(d.scale.size()), grad_offset(d.scale.size());
    for (int64_t k = 0; k < d.pieces(); ++k) {
      fake_quantize_piece(SerialTeam{}, d.a, d.grad.data(), grad_x.data(), sums.data(), k);
    }
    for (int64_t c = 0; c < d.a.channels; ++c) {
      fake_quantize_channel(SerialTeam{}, d.a, sums.data(), 0.5, grad_scale.data(),
                            grad_offset.data(), c);
    }
    const auto expect_like_serial = [&](const std::vector<double>& gx,
                                        const std::vector<double>& gs,
                                        const std::vector<double>& go) {
      EXPECT_EQ(gx, grad_x);
      for (size_t c = 0; c < gs.size(); ++c) {
        EXPECT_NEAR(gs[c], grad_scale[c], 1e-9);  // another order of summation
        EXPECT_NEAR(go[c], grad_offset[c], 1e-9);
      }
    };
    std::vector<double> gx(size), gs(grad_scale.size()), go(grad_scale.size());
    run_team(4, [&](const ThreadTeam& team) {
      for (int64_t k = 0; k < d.pieces(); ++k) {
        fake_quantize_piece(team, d.a, d.grad.data(), gx.data(), sums.data(), k);
      }
      team.sync();
      for (int64_t c = 0; c < d.a.channels; ++c) {
        fake_quantize_channel(team, d.a, sums.data(), 0.5, gs.data(), go.data(), c);
      }
    });
    expect_like_serial(gx, gs, go);
    for_every_isa([&] {
      std::fill(gx.begin(), gx.end(), 9.0);
      fake_quantize_backward_pieces(d.a, d.grad.data(), gx.data(), sums.data(), 0, d.pieces());
      fake_quantize_reduce(d.a, sums.data(), 0.5, gs.data(), go.data());
      expect_like_serial(gx, gs, go);
      std::vector<double> out(size);
      fake_quantize_pieces(d.a, out.data(), 0, d.pieces());
      for (size_t i = 0; i < size; ++i) {
        const auto channel = static_cast<int64_t>(i) / d.a.inner % d.a.channels;
        const double expected = d.mask[i] ? fake_quantize_value(d.x[i], d.a.at(channel)) : 0.0;
        ASSERT_EQ(out[i], expected);
      }
    });
  }
}

}  // namespace
}  // namespace lampyris
