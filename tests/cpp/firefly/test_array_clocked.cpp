// The vectorised array against slices, register for register.
#include <gtest/gtest.h>

#include "slice_array.h"
#include "small_programs.h"

namespace lampyris::firefly {
namespace {

TEST(ArrayShape, LevelsOfBothTrees) {
  const ArrayShape tree = array_shape(Datapath::kTree, 16), wide = array_shape(Datapath::kTree, 32);
  EXPECT_EQ(tree.outputs, (std::array{24, 8, 3, 1, 0}));
  EXPECT_EQ(tree.bits, (std::array{13, 14, 15, 16, 0}));
  EXPECT_EQ(tree.latency(), 7);
  EXPECT_EQ(wide.outputs, (std::array{48, 16, 6, 2, 1}));
  EXPECT_EQ(wide.bits, (std::array{13, 14, 15, 16, 17}));
  EXPECT_EQ(wide.latency(), 8);
  const ArrayShape paper = array_shape(Datapath::kCascade, 16);
  EXPECT_EQ(paper.outputs, (std::array{5, 3, 2, 1, 0}));
  EXPECT_EQ(paper.bits, (std::array{13, 14, 15, 16, 0}));
  EXPECT_EQ(paper.latency(), 1 + 9 + 4);  // fabric, chain of eight, four levels
  EXPECT_EQ(array_shape(Datapath::kCascade, 32).latency(), 1 + 9 + 5);
  EXPECT_EQ(membrane_latency(16), 7);
}

void compare(Datapath datapath, int p, int sum_bits, int low, int high, double density) {
  const ArrayShape shape = array_shape(datapath, p);
  ClockedArray fast(datapath, p, kTaps, sum_bits);
  SliceArray slow(datapath, p, sum_bits);
  const size_t tile = static_cast<size_t>(shape.inputs * p);
  const auto weights = random_values<int8_t>(3 * tile, low, high, 5);
  std::mt19937 generator(6);
  uint64_t valid = 0;
  for (int n = 0; n < 60; ++n) {
    ArrayInput input;
    for (uint32_t& tap : input.taps)
      for (int bit = 0; bit < p; ++bit)
        tap |= uint32_t{generator() < density * 4294967295.0} << bit;
    input.valid = n % 3 != 1;
    if (n % 19 == 0) input.load = weights.data() + static_cast<size_t>(n / 19 % 3) * tile;
    fast.clock(input);
    slow.clock(input);
    valid = valid << 1 | uint64_t{input.valid};
    ASSERT_EQ(fast.valid(), (valid >> (shape.latency() - 1) & 1) != 0);
    for (int op = 0; op < p; ++op) ASSERT_EQ(fast.sums()[op], slow.sum(op)) << n << " " << op;
  }
}

TEST(ClockedArray, EqualsItsSlices) {
  for (const Datapath datapath : {Datapath::kCascade, Datapath::kTree})
    for (const int p : {16, 32}) {
      compare(datapath, p, kV1SumBits, -128, 127, 0.5);
      compare(datapath, p, kEmsSumBits, -128, 127, 0.9);
    }
}

TEST(ClockedArray, WorstCaseWeights) {
  for (const Datapath datapath : {Datapath::kCascade, Datapath::kTree})
    for (const int p : {16, 32})
      for (const int sum_bits : {kV1SumBits, kEmsSumBits}) {
        compare(datapath, p, sum_bits, -128, -128, 1);
        compare(datapath, p, sum_bits, 127, 127, 1);
      }
  // 288 weights of -128: -36864 leaves 16 bits, not 18.
  const std::vector<int8_t> weights(288 * 32, -128);
  ClockedArray cut(Datapath::kTree, 32, kTaps, kV1SumBits);
  ClockedArray whole(Datapath::kTree, 32, kTaps, kEmsSumBits);
  ArrayInput input;
  input.taps.fill(0xFFFFFFFF);
  input.load = weights.data();
  for (int n = 0; n < 8; ++n) {
    cut.clock(input);
    whole.clock(input);
  }
  EXPECT_EQ(cut.sums()[31], 28672);
  EXPECT_EQ(whole.sums()[31], -36864);
}

}  // namespace
}  // namespace lampyris::firefly
