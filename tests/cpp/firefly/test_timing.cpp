#include <gtest/gtest.h>

#include "firefly/timing.h"
#include "small_programs.h"

namespace lampyris::firefly {
namespace {

TEST(Timing, ReleasedLayerByHand) {
  V1Command c;
  c.ci_tiles = 2, c.co_tiles = 3, c.steps = 4, c.height = 8, c.width = 8;
  c.input_bytes = 64 * 4 * 2 * 2, c.output_bytes = 128;
  c.weight_bytes = 2 * 3 * 9 * 256, c.bias_bytes = 3 * 32;
  const CommandCycles t = v1_cycles(c, preset_config("ultra96"));
  EXPECT_EQ(t.compute, 3 * 4 * 2 * 64);
  EXPECT_EQ(t.reload, 3 * 4 * 2 * 17);
  EXPECT_EQ(t.flush, 3 * 4 * 9);
  EXPECT_EQ(t.weights, 3 * 2 * 9 * 256 / 8);
  EXPECT_EQ(t.input, 3 * 64 * 4 * 2 * 2 / 4);
  EXPECT_EQ(t.bias, 12);
  // 288 beats of the first tile, its last word read, one clock more; 17 of these are its reload.
  EXPECT_EQ(t.fill, 288 + 2 - 17);
  // 3 registers, 72 -> 24 -> 8 -> 3 -> 1, 3 of the membrane unit, maximum tree of 16 lanes
  EXPECT_EQ(t.latency, 3 + 4 + 3 + 4);
  const int64_t busy = 4 * 2 * (64 + 17) + 4 * 9;
  // The second tile's weights come 288 beats after the first's, which took 17 + 9 + 64 cycles.
  EXPECT_EQ(t.stall_weights, 288 - 90);
  EXPECT_EQ(t.stall, t.stall_weights);
  EXPECT_EQ(t.total, 3 * busy + 12 + 273 + 14 + 198);
  EXPECT_EQ(t.dense_ops, int64_t{2} * 4 * 64 * 32 * 48 * 9);
}

TEST(Timing, WeightsStallSmallMaps) {
  V1Command c;
  c.ci_tiles = 16, c.co_tiles = 16, c.steps = 1, c.height = 4, c.width = 4;
  const CommandCycles t = v1_cycles(c, preset_config("ultra96"));
  EXPECT_EQ(t.weights, 16 * 16 * 288);
  // The last word of the last tile comes with the last beat; then its 16 windows.
  EXPECT_EQ(t.total, t.bias + t.weights + 2 + 16 + t.latency);
  EXPECT_EQ(t.stall, t.stall_weights);
}

TEST(Timing, WindowsArePriced) {
  Command c;
  c.spikes_out = true, c.kernel = 1, c.in_h = c.out_h = 16, c.in_w = c.out_w = 16, c.steps = 2;
  const Config config = preset_config("zcu104", 16);
  const CommandCycles one = command_cycles(c, config);
  EXPECT_EQ(one.compute, 2 * 256);
  EXPECT_EQ(one.flush, 0);
  c.kernel = 3, c.pad_top = c.pad_left = c.pad_right = true, c.stride = 2, c.out_h = c.out_w = 8;
  const CommandCycles strided = command_cycles(c, config);
  EXPECT_EQ(strided.compute, 2 * 256);
  EXPECT_EQ(strided.flush, 2 * 17);
}

TEST(Timing, TableSumsItsLayers) {
  const Image image = small_program().build();
  for (const std::string& preset : preset_names()) {
    const Timing timing = image_timing(image, preset);
    ASSERT_EQ(timing.layers.size(), 3u);
    int64_t total = 0;
    for (const LayerTiming& layer : timing.layers) total += layer.cycles.total;
    EXPECT_EQ(timing.total.total, total);
    EXPECT_LT(timing.operations_per_second(), timing.peak_operations_per_second());
  }
  EXPECT_THROW(image_timing(image, "none"), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::firefly
