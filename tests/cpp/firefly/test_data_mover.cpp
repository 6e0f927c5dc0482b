#include <gtest/gtest.h>

#include "firefly/data_mover.h"
#include "firefly/timing.h"

namespace lampyris::firefly {
namespace {

const Config kBoard = preset_config("ultra96");

TEST(DataMover, WordByHand) {
  const MoverWord word = encode_transfer({Mover::kOutput, 0x12345678, 0x1ABCD});
  // length, TYPE at bit 23, EOF at bit 30; address; tag
  EXPECT_EQ(word, (MoverWord{0xCD, 0xAB, 0x81, 0x40, 0x78, 0x56, 0x34, 0x12, 0x00}));
  EXPECT_EQ(decode_transfer(word, Mover::kOutput), (Transfer{Mover::kOutput, 0x12345678, 0x1ABCD}));
}

TEST(DataMover, ReleasedLayer) {
  V1Command c;
  c.ci_tiles = 2, c.co_tiles = 2, c.steps = 3, c.height = c.width = 4;
  c.input = 0x1000, c.input_bytes = 16 * 3 * 2 * 2, c.output = {0x2000, 64, 32};
  c.output_bytes = 32;
  c.weights = 0x4000, c.weight_bytes = 4 * 9 * 256, c.bias = 0x8000, c.bias_bytes = 64;
  std::vector<Transfer> expected = {{Mover::kParameters, 0x8000, 64},
                                    {Mover::kParameters, 0x4000, 9216},
                                    {Mover::kInput, 0x1000, 192},
                                    {Mover::kInput, 0x1000, 192}};
  for (const uint32_t tile : {0u, 1u})
    for (const uint32_t t : {0u, 1u, 2u})
      expected.push_back({Mover::kOutput, 0x2000 + 64 * t + 32 * tile, 32});
  EXPECT_EQ(transfers_of(c, kBoard), expected);
}

TEST(DataMover, ExtensionMovesWhatItsCyclesCount) {
  Command c;
  c.spikes_out = c.stream_out = c.preload = true;
  c.kernel = 3, c.pad_top = c.pad_bottom = c.pad_left = c.pad_right = true;
  c.in_h = c.out_h = 6, c.in_w = c.out_w = 8;
  c.ci_tiles = 3, c.co_tiles = 2, c.steps = 2;
  c.source = {0, 288, 96}, c.residual = {4096, 0, 1536}, c.spikes = {8192, 192, 96};
  c.stream = {16384, 3072, 1536};
  c.weights = 65536, c.weight_bytes = 6 * 9 * 256, c.bias = 131072, c.bias_bytes = 64;
  const auto moved = [&](const Config& config) {
    int64_t bytes = 0;
    for (const Transfer& t : transfers_of(c, config)) {
      EXPECT_LT(t.bytes, config.max_output_transfer());
      bytes += t.bytes;
    }
    return bytes;
  };
  EXPECT_EQ(moved(kBoard), command_cycles(c, kBoard).bytes);
  Config small = kBoard;
  small.weight_depth = 32;  // three tiles of 16 words do not stay: weights move twice
  EXPECT_EQ(moved(small), command_cycles(c, small).bytes);
  EXPECT_EQ(moved(small), moved(kBoard) + c.weight_bytes);
  small.transfer_bits = small.output_transfer_bits = 9;
  EXPECT_EQ(moved(small), command_cycles(c, small).bytes);
}

TEST(DataMover, BurstsStopAtPagesAnd256Beats) {
  const auto bursts = bursts_of({Mover::kParameters, 4096 - 64, 3000}, kBoard);
  const std::vector<Burst> expected = {{4032, 8}, {4096, 256}, {6144, 111}};
  EXPECT_EQ(bursts, expected);
  EXPECT_TRUE(bursts_of({Mover::kInput, 0, 0}, kBoard).empty());
  EXPECT_EQ(bursts_of({Mover::kInput, 8, 6}, kBoard), (std::vector<Burst>{{8, 2}}));
  EXPECT_EQ(bursts_of({Mover::kStreamIn, 0, 4096 * 2}, kBoard).size(), 2u);
}

}  // namespace
}  // namespace lampyris::firefly
