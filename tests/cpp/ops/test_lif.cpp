#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "core/fixed_point.h"
#include "cpu/every_isa.h"
#include "ops/lif/lif.h"
#include "ops/lif/lif_neuron.h"

namespace lampyris {
namespace {

struct Outputs {
  std::vector<float> spikes, membrane, state;
  std::vector<uint8_t> codes;
  std::vector<uint32_t> plane;

  bool operator==(const Outputs&) const = default;
};

struct Case {
  int64_t steps, neurons;
  Reset reset = Reset::kHard;
  Rounding rounding = Rounding::kNone;
  bool inclusive = false;
};

template <typename Rule>
void set_rule(Rule& a, const Case& c) {
  a.steps = c.steps;
  a.neurons = c.neurons;
  a.decay.value = 0.5F;
  a.threshold.value = 1;
  a.gain.value = 1;
  a.width.value = 1;
  a.reset = c.reset;
  a.rounding = c.rounding;
  a.inclusive = c.inclusive;
}

std::vector<float> random_values(int64_t count, float scale, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& v : out) v = normal(random);
  return out;
}

LifForward<float> forward_arguments(const Case& c, const std::vector<float>& x, Outputs& out) {
  const auto size = static_cast<size_t>(c.steps * c.neurons);
  out.spikes.assign(size, -1);
  out.membrane.assign(static_cast<size_t>(c.neurons), -1);
  out.codes.assign(static_cast<size_t>((c.steps + 3) / 4 * c.neurons), 0xAA);
  out.plane.assign(static_cast<size_t>(c.steps * ((c.neurons + 31) / 32)), 0xAAAAAAAA);
  LifForward<float> a;
  set_rule(a, c);
  a.x = {x.data(), c.neurons, 0, c.neurons};
  a.spikes = out.spikes.data();
  a.plane = out.plane.data();
  a.membrane = out.membrane.data();
  a.membrane_out = MembraneOut::kLast;
  a.codes = out.codes.data();
  return a;
}

int64_t blocks(int64_t neurons) { return (neurons + kLifBlock - 1) / kLifBlock; }

TEST(Lif, ByHand) {
  const std::vector<float> x = {0.6F, 0.6F, 0.6F};
  Outputs out;
  const auto a = forward_arguments({3, 1}, x, out);
  lif_forward_blocks(a, 0, 1);
  EXPECT_EQ(out.spikes, (std::vector<float>{0, 0, 1}));
  EXPECT_EQ(out.membrane[0], 0.0F);
  EXPECT_EQ(out.plane, (std::vector<uint32_t>{0, 0, 1}));
  // u = 0.6, 0.9, 1.05: windows 0, 1, 1; carried 1, 1, 0.
  EXPECT_EQ(out.codes[0], 0b01'11'11);
}

// Blocks of every instruction set against one neuron at a time (the CUDA kernel's body).
TEST(Lif, BlocksEqualSingleNeurons) {
  for (const Case& c : {Case{1, 1}, Case{3, 64}, Case{4, 65}, Case{9, 5000, Reset::kSoft},
                        Case{16, 4097, Reset::kHard, Rounding::kFloor, true},
                        Case{6, 33, Reset::kSoft, Rounding::kFloor},
                        Case{8, 192, Reset::kHard, Rounding::kNone, true},
                        Case{8, 192, Reset::kSoft, Rounding::kFloor, true},
                        Case{10, 300, Reset::kNone}}) {
    const auto x = random_values(c.steps * c.neurons, c.rounding == Rounding::kFloor ? 9e4F : 1, 3);
    Outputs expected;
    auto a = forward_arguments(c, x, expected);
    for (int64_t n = 0; n < c.neurons; ++n) {
      const auto emit = [&](int64_t t, bool spike) {
        a.spikes[t * c.neurons + n] = spike ? 1.0F : 0.0F;
        uint32_t& word = a.plane[t * ((c.neurons + 31) / 32) + n / 32];
        if (n % 32 == 0) word = 0;
        word |= static_cast<uint32_t>(spike) << (n % 32);
      };
      const bool floor = c.rounding == Rounding::kFloor;
      switch (c.reset) {
        case Reset::kHard:
          floor ? lif_forward_neuron<Reset::kHard, Rounding::kFloor>(a, n, emit)
                : lif_forward_neuron<Reset::kHard, Rounding::kNone>(a, n, emit);
          break;
        case Reset::kSoft:
          floor ? lif_forward_neuron<Reset::kSoft, Rounding::kFloor>(a, n, emit)
                : lif_forward_neuron<Reset::kSoft, Rounding::kNone>(a, n, emit);
          break;
        case Reset::kNone:
          lif_forward_neuron<Reset::kNone, Rounding::kNone>(a, n, emit);
      }
    }
    for_every_isa([&] {
      Outputs out;
      lif_forward_blocks(forward_arguments(c, x, out), 0, blocks(c.neurons));
      const std::string name(isa_name(isa()));
      EXPECT_EQ(out.spikes, expected.spikes) << name;
      EXPECT_EQ(out.membrane, expected.membrane) << name;
      EXPECT_EQ(out.codes, expected.codes) << name;
      EXPECT_EQ(out.plane, expected.plane) << name;
    });
  }
}

// Rows shorter and longer than a lane, at a distance or (0) one row repeated.
TEST(Lif, RowsAreReadInPlace) {
  const int64_t rows = 3, steps = 5;
  for (const int64_t row : {50, 200}) {
    const int64_t neurons = rows * row;
    const auto x = random_values(rows * steps * row, 1, 4);  // [rows, steps, row]
    for (const int64_t row_stride : {steps * row, int64_t{0}}) {
      std::vector<float> dense(x.size());
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t t = 0; t < steps; ++t) {
          for (int64_t i = 0; i < row; ++i) {
            dense[static_cast<size_t>(t * neurons + r * row + i)] =
                x[static_cast<size_t>(r * row_stride + t * row + i)];
          }
        }
      }
      Outputs expected;
      lif_forward_blocks(forward_arguments({steps, neurons}, dense, expected), 0, 1);
      for_every_isa([&] {
        Outputs out;
        auto a = forward_arguments({steps, neurons}, x, out);
        a.x = {x.data(), row, row_stride, row};
        lif_forward_blocks(a, 0, 1);
        EXPECT_TRUE(out == expected) << row << " " << row_stride << " " << isa_name(isa());
      });
    }
  }
}

// docs/contract.md section 3 in integers, membrane limits reached.
TEST(Lif, FloorIsTheIntegerNeuron) {
  const Case c{32, 1000, Reset::kHard, Rounding::kFloor};
  std::mt19937 random(5);
  std::vector<float> x(static_cast<size_t>(c.steps * c.neurons));
  for (float& v : x) v = static_cast<float>(std::uniform_int_distribution(-32768, 32767)(random));
  for (const int k : {0, 1, 2, 3, 4}) {
    Outputs out;
    auto a = forward_arguments(c, x, out);
    a.decay.value = std::ldexp(1.0F, -k);
    a.threshold.value = k == 0 ? 131070 : 30000;
    lif_forward_blocks(a, 0, 1);
    for (int64_t n = 0; n < c.neurons; ++n) {
      int32_t v = 0;
      for (int64_t t = 0; t < c.steps; ++t) {
        const auto i = static_cast<size_t>(t * c.neurons + n);
        v = sat18(shift_floor(v, k) + static_cast<int32_t>(x[i]));
        const bool spike = v > static_cast<int32_t>(a.threshold.value);
        ASSERT_EQ(out.spikes[i], spike ? 1.0F : 0.0F) << "k " << k << " t " << t << " n " << n;
        if (spike) v = 0;
      }
      ASSERT_EQ(out.membrane[static_cast<size_t>(n)], static_cast<float>(v));
    }
  }
}

// Blocks of every instruction set against one neuron at a time, from codes and from the state; both
// agree where codes are enough.
TEST(Lif, BackwardBlocksEqualSingleNeurons) {
  for (const Case& c : {Case{7, 70}, Case{8, 4200}, Case{8, 4100, Reset::kSoft},
                        Case{5, 64, Reset::kSoft}, Case{6, 130, Reset::kNone},
                        Case{9, 100, Reset::kHard, Rounding::kFloor}}) {
    const auto x = random_values(c.steps * c.neurons, 1, 6);
    const auto g = random_values(c.steps * c.neurons, 1, 7);
    const auto gm = random_values(c.neurons, 1, 8);
    Outputs out;
    auto a = forward_arguments(c, x, out);
    out.state.resize(x.size());
    a.state = out.state.data();
    lif_forward_blocks(a, 0, blocks(c.neurons));
    for (const bool detach : {true, false}) {
      LifBackward<float> b;
      set_rule(b, c);
      b.detach_reset = detach;
      b.grad_spikes = {g.data(), c.neurons, 0, c.neurons};
      b.x = a.x;
      b.grad_membrane = gm.data();
      b.membrane_out = MembraneOut::kLast;
      b.codes = out.codes.data();
      std::vector<float> expected(x.size()), ours(x.size());
      if (detach || c.reset != Reset::kHard) {
        b.grad_x = expected.data();
        for (int64_t n = 0; n < c.neurons; ++n) {
          const bool through = c.reset == Reset::kSoft && !detach;
          through ? lif_backward_from_codes<true>(b, n) : lif_backward_from_codes<false>(b, n);
        }
        b.grad_x = ours.data();
        for_every_isa([&] {
          std::fill(ours.begin(), ours.end(), -1.0F);
          lif_backward_blocks(b, 0, blocks(c.neurons));
          EXPECT_EQ(ours, expected);
        });
      }
      const std::vector<float> from_codes = expected;
      b.state = out.state.data();
      for (int surrogate = 0; surrogate < kSurrogates; ++surrogate) {
        b.surrogate = static_cast<Surrogate>(surrogate);
        b.grad_x = expected.data();
        const auto size = static_cast<size_t>(c.neurons);
        std::vector<float> parameters(3 * size), wide(3 * size);
        const auto learn = [&](std::vector<float>& to) {
          b.grad_decay = to.data();
          b.grad_threshold = to.data() + size;
          b.grad_gain = to.data() + 2 * size;
        };
        learn(parameters);
        for (int64_t n = 0; n < c.neurons; ++n) lif_backward_from_state<true>(b, n);
        if (surrogate == 0 && (detach || c.reset != Reset::kHard)) {
          EXPECT_EQ(expected, from_codes);
        }
        b.grad_x = ours.data();
        for_every_isa([&] {
          learn(wide);
          lif_backward_blocks(b, 0, blocks(c.neurons));
          EXPECT_EQ(ours, expected) << surrogate << " " << isa_name(isa());
          EXPECT_EQ(wide, parameters) << surrogate << " " << isa_name(isa());
          b.grad_decay = b.grad_threshold = b.grad_gain = nullptr;
          lif_backward_blocks(b, 0, blocks(c.neurons));
          EXPECT_EQ(ours, expected) << surrogate << " " << isa_name(isa());
        });
      }
    }
  }
}

TEST(Surrogate, ExponentialIsAccurate) {
  for (float z = 0; z < 87; z += 0.0137F) {
    const double want = std::exp(-static_cast<double>(z));
    EXPECT_NEAR(exp_negative(z), want, 2.5e-7 * want) << z;
  }
  EXPECT_EQ(exp_negative(1e30F), exp_negative(87.0F));
  EXPECT_EQ(exp_negative(0.0F), 1.0F);
  EXPECT_TRUE(std::isnan(exp_negative(std::nanf(""))));
}

TEST(Half, EveryValueReturns) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Float16 half{static_cast<uint16_t>(bits)};
    const BFloat16 brain{static_cast<uint16_t>(bits)};
    if (std::isnan(widen(half))) {
      EXPECT_TRUE(std::isnan(widen(narrow<Float16>(widen(half)))));
    } else {
      EXPECT_EQ(narrow<Float16>(widen(half)).bits, bits);
    }
    if (std::isnan(widen(brain))) {
      EXPECT_TRUE(std::isnan(widen(narrow<BFloat16>(widen(brain)))));
    } else {
      EXPECT_EQ(narrow<BFloat16>(widen(brain)).bits, bits);
    }
  }
  EXPECT_EQ(narrow<Float16>(65520.0F).bits, 0x7C00);                     // rounds to infinity
  EXPECT_EQ(widen(narrow<Float16>(1.0F + 0x1p-11F)), 1.0F);              // ties to even
  EXPECT_EQ(widen(narrow<BFloat16>(1.0F + 3 * 0x1p-8F)), 1.0F + 0x1p-6F);
}

}  // namespace
}  // namespace lampyris
