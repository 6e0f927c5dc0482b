#include <gtest/gtest.h>

#include <vector>

#include "firefly/neuron_unit.h"

namespace lampyris::firefly {
namespace {

constexpr int kP = 16;

// One pixel, lane 0: V after reset at each step, and the spikes as text.
struct Walk {
  std::vector<int32_t> v;
  std::string spikes;
  int64_t saturated = 0;
};

Walk walk(std::vector<int32_t> currents, int32_t threshold, Leak leak, int k = 0,
          Overflow overflow = Overflow::kSaturate) {
  Walk result;
  std::vector<int32_t> x(kP), v(kP), theta(kP, threshold);
  std::vector<uint8_t> fired(kP);
  for (const int32_t current : currents) {
    x[0] = current;
    neuron_row({x.data(), v.data(), theta.data(), fired.data(), 1, 1, kP, leak, k, overflow,
                &result.saturated});
    result.v.push_back(v[0]);
    result.spikes += fired[0] ? '1' : '0';
  }
  return result;
}

TEST(NeuronUnit, HandComputed) {
  // none: 3, 6, 9 > 8 fires, 3
  Walk w = walk({3, 3, 3, 3}, 8, Leak::kNone);
  EXPECT_EQ(w.v, (std::vector<int32_t>{3, 6, 0, 3}));
  EXPECT_EQ(w.spikes, "0010");
  // half_after: (0+9)>>1 = 4, (4+9)>>1 = 6 fires, 4; (4-9)>>1 = -3
  w = walk({9, 9, 9, -9}, 5, Leak::kHalfAfter);
  EXPECT_EQ(w.v, (std::vector<int32_t>{4, 0, 4, -3}));
  EXPECT_EQ(w.spikes, "0100");
  // before(2): 7, (7>>2)+7 = 8, (8>>2)-11 = -9, (-9>>2)+0 = -3
  w = walk({7, 7, -11, 0}, 8, Leak::kBefore, 2);
  EXPECT_EQ(w.v, (std::vector<int32_t>{7, 8, -9, -3}));
  EXPECT_EQ(w.spikes, "0000");
}

TEST(NeuronUnit, StrictThreshold) {
  EXPECT_EQ(walk({8}, 8, Leak::kNone).spikes, "0");
  EXPECT_EQ(walk({9}, 8, Leak::kNone).spikes, "1");
  EXPECT_EQ(walk({-7}, -8, Leak::kNone).spikes, "1");
}

TEST(NeuronUnit, SaturatesOrWrapsAt18Bits) {
  const std::vector<int32_t> down(5, -32768);
  Walk w = walk(down, 131071, Leak::kNone);
  EXPECT_EQ(w.v, (std::vector<int32_t>{-32768, -65536, -98304, -131072, -131072}));
  EXPECT_EQ(w.saturated, 1);
  w = walk(down, 131071, Leak::kNone, 0, Overflow::kWrap);
  EXPECT_EQ(w.v.back(), 131072 - 32768);
  EXPECT_EQ(w.saturated, 0);
}

TEST(NeuronUnit, WrapComesBeforeTheHalving) {
  // 100000 + 40000 wraps to -122144, halved to -61072.
  std::vector<int32_t> x(kP, 40000), v(kP, 100000), theta(kP, 0);
  std::vector<uint8_t> fired(kP);
  int64_t saturated = 0;
  neuron_row({x.data(), v.data(), theta.data(), fired.data(), 1, 1, kP, Leak::kHalfAfter, 0,
              Overflow::kWrap, &saturated});
  EXPECT_EQ(v[3], -61072);
}

TEST(NeuronUnit, WinnerTakesAllTies) {
  std::vector<int32_t> x(kP, -4), v(kP, 0), theta(kP, 0);
  x[2] = x[9] = 5;
  std::vector<uint8_t> fired(kP);
  int64_t saturated = 0;
  winner_row({x.data(), v.data(), theta.data(), fired.data(), 1, 1, kP, Leak::kNone, 0,
              Overflow::kWrap, &saturated});
  for (int lane = 0; lane < kP; ++lane) EXPECT_EQ(fired[lane], lane == 2 || lane == 9);
  EXPECT_EQ(v[2], 5);
  EXPECT_EQ(v[0], -4);
}

TEST(NeuronUnit, CurrentClampsAndCounts) {
  std::vector<int32_t> sums(32, 0), out(kP);
  sums[0] = 2047, sums[1] = 2048, sums[2] = -2049, sums[3] = 100;
  std::vector<int16_t> bias(kP, 0), residual(kP, 0), stream(kP);
  bias[0] = 15, residual[3] = -7;
  int64_t clamped = 0;
  current_row({sums.data(), 32, bias.data(), residual.data(), 0, stream.data(), 0, out.data(), 1, 1,
               kP, 4, &clamped});
  EXPECT_EQ(out[0], 32767);
  EXPECT_EQ(out[1], 32767);
  EXPECT_EQ(out[2], -32768);
  EXPECT_EQ(out[3], 1593);
  EXPECT_EQ(stream[3], 1593);
  EXPECT_EQ(clamped, 2);
}

TEST(NeuronUnit, PacksLeastSignificantFirst) {
  std::vector<uint8_t> fired(32, 0), out(4);
  fired[0] = fired[9] = fired[31] = 1;
  pack_row(fired.data(), 2, kP, out.data());
  EXPECT_EQ(out, (std::vector<uint8_t>{1, 2, 0, 128}));
}

}  // namespace
}  // namespace lampyris::firefly
