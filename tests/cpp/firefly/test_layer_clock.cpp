// The memory system clock by clock against the schedule and the functional data path.
#include <gtest/gtest.h>

#include "firefly/datapath.h"
#include "firefly/layer_clock.h"
#include "firefly/timing.h"
#include "firefly/weight_path.h"
#include "small_programs.h"

namespace lampyris::firefly {
namespace {

struct Case {
  int height, width, ci, co, steps;
  bool linear = false;
  int weight_depth = 1024;
  Reload reload = Reload::kBubble;
  int parallelism = 16;
  bool leak = false, every_pass = false, winner = false;
};

class Layer : public testing::TestWithParam<Case> {};

TEST_P(Layer, ClockScheduleAndFunctionAgree) {
  const Case& k = GetParam();
  Config config = preset_config("ultra96", k.parallelism);
  config.weight_depth = k.weight_depth, config.reload = k.reload;
  const int p = config.parallelism;
  V1Command c;
  c.height = k.height, c.width = k.width, c.ci_tiles = k.ci, c.co_tiles = k.co, c.steps = k.steps;
  c.ci_steps = k.ci * k.steps, c.co_steps = k.co * k.steps, c.weight_length = k.ci * p;
  c.linear = k.linear, c.leak = k.leak, c.every_pass = k.every_pass, c.winner = k.winner;
  c.theta = 700;
  const int pixels = k.height * k.width, out_pixels = k.linear ? 1 : pixels;
  c.input_bytes = static_cast<uint32_t>(pixels * k.steps * k.ci * p / 8);
  c.output_bytes = static_cast<uint32_t>(out_pixels * p / 8);
  c.weight_bytes = static_cast<uint32_t>(9 * k.ci * k.co * p * p);
  c.bias_bytes = static_cast<uint32_t>(2 * k.co * p);
  c.output = {(c.input_bytes + 63) / 64 * 64, 4 * c.output_bytes * static_cast<uint32_t>(k.co),
              4 * c.output_bytes};
  std::vector<uint8_t> memory = random_values<uint8_t>(1 << 18, 0, 255, 7);
  const auto weights = random_values<int8_t>(c.weight_bytes, -128, 127, 8);
  const auto bias = random_values<int16_t>(static_cast<size_t>(k.co * p), -900, 900, 9);
  const LayerClock clock = clock_layer(c, config, weights, bias, memory);
  const CommandCycles formula = v1_cycles(c, config);
  EXPECT_EQ(clock.cycles, formula.total);
  EXPECT_EQ(clock.windows, int64_t{k.co} * k.steps * k.ci * out_pixels);
  EXPECT_EQ(clock.waiting + formula.compute + formula.flush + formula.latency, formula.total);
  EXPECT_EQ(clock.weight_beats, formula.weights);
  EXPECT_LE(clock.most_words, k.weight_depth);
  CommandTrace trace;
  run_v1(c, p, weights, bias, memory, &trace);
  EXPECT_EQ(clock.fired.values, trace.fired.values);
  EXPECT_EQ(clock.membrane.values, trace.membrane.values);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Layer,
    testing::Values(Case{1, 1, 1, 1, 1}, Case{4, 6, 2, 3, 3}, Case{5, 1, 2, 2, 2},
                    Case{1, 7, 1, 2, 4}, Case{8, 8, 2, 1, 4},
                    // Weights arrive slower than the array asks; then a FIFO of one set exactly.
                    Case{2, 2, 4, 3, 1}, Case{4, 4, 3, 3, 2, false, 48},
                    Case{4, 4, 2, 3, 3, false, 40}, Case{4, 4, 2, 4, 2, false, 64, Reload::kSkid},
                    Case{2, 2, 3, 3, 3, false, 48, Reload::kSkid}, Case{3, 3, 2, 2, 3, true},
                    Case{3, 3, 4, 1, 4, true, 64, Reload::kSkid, 16, false, false, true},
                    Case{4, 4, 2, 2, 3, false, 1024, Reload::kBubble, 32, true},
                    Case{4, 4, 3, 1, 3, false, 1024, Reload::kBubble, 16, true, true}));

TEST(Schedule, TilesWithoutData) {
  Config config = preset_config("ultra96");
  for (const Reload reload : {Reload::kBubble, Reload::kSkid})
    for (const int depth : {16, 24, 48, 80})
      for (const int taps : {1, 9})
        for (const int64_t ci : {1, 2, 5})
          for (const int64_t steps : {1, 3}) {
            config.reload = reload, config.weight_depth = depth;
            TileShape shape{3, steps, ci, 20};
            shape.line = taps == 9 ? 6 : 0;
            shape.word_beats = taps * 16 / 8, shape.bias_beats = 12;
            EXPECT_EQ(schedule_tiles(shape, config).end, clock_tiles(shape, taps, config))
                << depth << " " << taps << " " << ci << " " << steps;
          }
}

TEST(Schedule, ClosedFormWhereWeightsKeepUp) {
  Config config = preset_config("ultra96");
  config.weight_bus_bytes = 64;  // 3 beats a word, 48 a tile
  TileShape shape{3, 4, 2, 64, 9, 3, 12};
  const TileTimes times = schedule_tiles(shape, config);
  EXPECT_EQ(times.stall_weights, 0);
  EXPECT_EQ(times.fill, 48 + 2 - 17);
  // 12 of biases, the first tile's beats and two clocks; then tiles of 64 + 17, passes of + 9.
  EXPECT_EQ(times.end, 12 + 48 + 2 + 3 * 4 * (2 * 64 + 9) + (3 * 4 * 2 - 1) * 17);
}

TEST(Schedule, TheSecondSetOfRegistersHidesTheReload) {
  Config config = preset_config("ultra96");
  TileShape shape{1, 4, 2, 64, 9, 18, 0};
  const int64_t bubble = schedule_tiles(shape, config).end;
  config.reload = Reload::kSkid;
  const TileTimes skid = schedule_tiles(shape, config);
  // The second tile of the first pass still waits for its weights.
  EXPECT_EQ(skid.reload, 17);
  EXPECT_LT(skid.end, bubble - 5 * 17);
  shape.pixels = 4, shape.line = 0;  // shorter than the reload: 13 of 17 stay visible
  EXPECT_EQ(schedule_tiles(shape, config).reload, 17 + 7 * 13);
}

TEST(Schedule, AFullFifoDelaysTheNextSet) {
  Config config = preset_config("ultra96");
  TileShape shape{4, 4, 4, 100, 11, 18, 0};
  const int64_t deep = schedule_tiles(shape, config).stall_weights;
  config.weight_depth = 64;  // one set: the next comes while the last pass frees its words
  EXPECT_GT(schedule_tiles(shape, config).stall_weights, deep);
  config.weight_depth = 63;  // no set fits: every step reads them again
  EXPECT_FALSE(weights_stay(4, config));
}

TEST(ReuseFifo, ReplaysThenGoesOn) {
  ReuseFifo fifo(4, 2, 2);
  for (const int8_t v : {1, 2, 3, 4}) fifo.write({v});
  EXPECT_FALSE(fifo.can_read());  // readable after the clock edge
  fifo.clock();
  EXPECT_FALSE(fifo.can_write());
  std::vector<int> read;
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(fifo.can_read());
    read.push_back(fifo.read()[0]);
    fifo.clock();
    EXPECT_EQ(fifo.can_write(), i >= 2);  // the third read is the first word's last
  }
  EXPECT_EQ(read, (std::vector<int>{1, 2, 1, 2, 3, 4, 3, 4}));
  EXPECT_FALSE(fifo.can_read());
}

}  // namespace
}  // namespace lampyris::firefly
