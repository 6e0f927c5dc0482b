#include <gtest/gtest.h>

#include <random>

#include "core/fixed_point.h"
#include "firefly/dsp_chain.h"

namespace lampyris::firefly {
namespace {

uint64_t lanes(int a, int b, int c, int d) {
  const auto word = [](int v) { return static_cast<uint64_t>(v) & 0xFFF; };
  return word(a) | word(b) << 12 | word(c) << 24 | word(d) << 36;
}

SlicePorts ports(uint64_t ab, uint64_t c, int mode, uint64_t pcin = 0) {
  SlicePorts in;
  in.a = static_cast<uint32_t>(ab >> 18), in.b = static_cast<uint32_t>(ab & 0x3FFFF);
  in.c = c, in.opmode = mode, in.pcin = pcin;
  return in;
}

TEST(DspSlice, TwoClocksAndLanesThatWrap) {
  DspSlice slice;
  const uint64_t ab = lanes(2047, -2048, 5, -1), c = lanes(1, -1, -6, 1);
  const SlicePorts in = ports(ab, c, opmode(SliceForm::kReleasedY, true, true, false));
  slice.clock(in);
  EXPECT_EQ(slice.p(), 0u);
  slice.clock(in);
  EXPECT_EQ(slice.p(), lanes(-2048, 2047, -1, 0));  // 2047 + 1 wraps, no carry leaves a lane
}

TEST(DspSlice, CarriesEndAtTheLanesOfTheMode) {
  const uint64_t x = 0x800800800800, ones = 0xFFFFFFFFFFFF;
  EXPECT_EQ(simd_add(Simd::kFour12, x, x), 0u);
  EXPECT_EQ(simd_add(Simd::kTwo24, x, x), 0x001000001000u);
  EXPECT_EQ(simd_add(Simd::kOne48, x, x), 0x001001001000u);
  EXPECT_EQ(simd_add(Simd::kOne48, ones, 1), 0u);
  EXPECT_EQ(simd_add(Simd::kTwo24, ones, 1), 0xFFFFFF000000u);
  EXPECT_EQ(simd_add(Simd::kFour12, ones, 1), 0xFFFFFFFFF000u);
}

TEST(DspSlice, MultiplexersSelectWhatTheTableSays) {
  const uint64_t ab = 0x123456789ABC, c = 0x0F0F0F0F0F0F, pcin = 0x800000020000, rnd = 0x111;
  const auto add = [](uint64_t x, uint64_t y) { return simd_add(Simd::kOne48, x, y); };
  const uint64_t ones = kMask48, high = 0xFFFFC0000001;  // pcin >> 17, arithmetic
  const uint64_t p = add(ab, c);
  const std::pair<int, uint64_t> table[] = {
      {0b00'000'00'00, 0},      {0b00'000'00'11, ab},   {0b00'000'00'10, p},
      {0b00'000'11'00, c},      {0b00'000'10'00, ones}, {0b00'001'00'00, pcin},
      {0b00'010'00'00, p},      {0b00'011'00'00, c},    {0b00'101'00'00, high},
      {0b00'110'00'00, p >> 17}, {0b01'000'00'00, p},   {0b10'000'00'00, rnd},
      {0b11'000'00'00, c},      {0b11'001'00'11, add(add(c, pcin), ab)},
  };
  for (const auto& [mode, expected] : table) {
    DspSlice slice(Simd::kOne48, rnd);
    slice.clock(ports(ab, c, 0b1111));
    slice.clock(ports(ab, c, mode));  // P = A:B + C
    ASSERT_EQ(slice.p(), p);
    slice.clock(ports(0, 0, 0, pcin));
    EXPECT_EQ(slice.p(), expected) << mode;
  }
}

TEST(DspSlice, EnablesHoldAndResetsClear) {
  DspSlice slice;
  SlicePorts in = ports(lanes(1, 2, 3, 4), lanes(10, 20, 30, 40), 0b1111);
  slice.clock(in);
  in.enable_ab = in.enable_c = in.enable_control = false;
  in.a = in.b = 0, in.c = 0, in.opmode = 0;
  slice.clock(in);
  EXPECT_EQ(slice.p(), lanes(11, 22, 33, 44));
  in.enable_p = false, in.reset_c = true;
  slice.clock(in);
  EXPECT_EQ(slice.p(), lanes(11, 22, 33, 44));
  in.enable_p = true;
  slice.clock(in);
  EXPECT_EQ(slice.p(), lanes(1, 2, 3, 4));
  in.reset_ab = in.reset_p = true;
  slice.clock(in);
  EXPECT_EQ(slice.p(), 0u);
  in.reset_p = false, in.reset_control = true, in.enable_c = true, in.reset_c = false, in.c = 7;
  slice.clock(in);
  slice.clock(in);
  EXPECT_EQ(slice.p(), 0u);  // OPMODE was reset
}

TEST(DspSlice, RefusesTheMultiplier) {
  for (const int mode : {0b01, 0b0100, 0b1000000}) {
    DspSlice slice;
    slice.clock(ports(0, 0, mode));
    EXPECT_THROW(slice.clock({}), std::invalid_argument) << mode;
  }
  DspSlice slice;
  SlicePorts subtract;
  subtract.alumode = 3;
  EXPECT_THROW(slice.clock(subtract), std::invalid_argument);
}

DspChain::Pair random_pair(std::mt19937& generator) {
  DspChain::Pair pair;
  for (auto* weights : {&pair.ab, &pair.c})
    for (int8_t& w : *weights) w = static_cast<int8_t>(generator());
  return pair;
}

TEST(DspChain, PaperAndReleasedFormsAreOne) {
  std::mt19937 generator(1);
  for (const int length : {1, 8, 16}) {  // 16: lanes wrap
    DspChain w(SliceForm::kPaperW, length), y(SliceForm::kReleasedY, length);
    std::vector<DspChain::Pair> pairs(static_cast<size_t>(length));
    for (int n = 0; n < 2000; ++n) {
      const bool load = n % 7 == 0;
      for (auto& pair : pairs) pair = random_pair(generator);
      const uint32_t spikes = generator();
      w.clock(spikes, load ? pairs.data() : nullptr);
      y.clock(spikes, load ? pairs.data() : nullptr);
      for (int k = 0; k < length; ++k) ASSERT_EQ(w.p(k), y.p(k));
    }
  }
}

TEST(DspChain, CrossbarOfSixteenInputs) {
  std::mt19937 generator(2);
  DspChain chain(SliceForm::kPaperW);
  EXPECT_EQ(chain.latency(), 9);
  std::vector<DspChain::Pair> pairs(8);
  std::vector<std::array<int32_t, 4>> expected;
  for (int n = 0; n < 500; ++n) {
    if (n % 5 == 0)
      for (auto& pair : pairs) pair = random_pair(generator);
    if (n == 250)
      for (auto& pair : pairs) pair = {{-128, -128, -128, 127}, {-128, -128, -128, 127}};
    const uint32_t spikes = n >= 250 && n < 260 ? 0xFFFF : generator() & 0xFFFF;
    std::array<int32_t, 4> sums{};
    for (size_t k = 0; k < 8; ++k)
      for (size_t lane = 0; lane < 4; ++lane)
        sums[lane] += (spikes >> 2 * k & 1 ? pairs[k].ab[lane] : 0) +
                      (spikes >> (2 * k + 1) & 1 ? pairs[k].c[lane] : 0);
    expected.push_back(sums);
    chain.clock(spikes, pairs.data());
    const int first = n - (chain.latency() - 1);
    if (first < 0) continue;
    const auto& sums_then = expected[static_cast<size_t>(first)];
    for (int lane = 0; lane < 4; ++lane)
      ASSERT_EQ(lane_of(chain.p(), lane), sums_then[static_cast<size_t>(lane)]);
  }
  EXPECT_EQ(expected[250][0], -2048);  // the least sum fits 12 bits
  EXPECT_EQ(expected[250][3], 2032);
}

}  // namespace
}  // namespace lampyris::firefly
