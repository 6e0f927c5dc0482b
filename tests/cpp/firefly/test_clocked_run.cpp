// Whole layers on the clocked arrays against the functional path: memory, traces and counters.
#include "firefly/clocked_run.h"

#include <gtest/gtest.h>

#include "core/fixed_point.h"
#include "firefly/datapath.h"
#include "firefly/timing.h"
#include "small_programs.h"

namespace lampyris::firefly {
namespace {

// The paper's array with its second set of weight registers, the released one with bubbles.
std::vector<Config> configs(int parallelism) {
  std::vector<Config> all;
  for (const Datapath datapath : {Datapath::kCascade, Datapath::kTree}) {
    Config config = preset_config("zcu104", parallelism);
    config.datapath = datapath;
    config.reload = datapath == Datapath::kCascade ? Reload::kSkid : Reload::kBubble;
    all.push_back(config);
  }
  return all;
}

constexpr uint32_t kWeights = 1 << 16, kBias = 1 << 18, kResidual = 5 << 16, kSpikes = 6 << 16,
                   kThird = 7 << 16, kMemory = 8 << 16;

template <class T>
void expect_equal(const LaneMap<T>& a, const LaneMap<T>& b) {
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(a.columns, b.columns);
  EXPECT_EQ(a.values, b.values);
}

void expect_equal(const CommandTrace& a, const CommandTrace& b) {
  expect_equal(a.current, b.current);
  expect_equal(a.membrane, b.membrane);
  expect_equal(a.fired, b.fired);
}

// The closed formula is what the clocked run counts, cause by cause.
void expect_cycles(const ClockedCycles& counted, const CommandCycles& closed) {
  EXPECT_EQ(counted.total, closed.total);
  EXPECT_EQ(counted.latency, closed.latency);
  EXPECT_EQ(counted.feed.compute, closed.compute);
  EXPECT_EQ(counted.feed.flush, closed.flush);
  EXPECT_EQ(counted.feed.waiting,
            closed.bias + closed.fill + closed.reload + closed.stall_weights);
  EXPECT_EQ(counted.feed.side, closed.stall - closed.stall_weights);
  EXPECT_EQ(counted.feed.fifo, 0);
}

struct V1Layer {
  V1Command command;
  int parallelism;
  std::vector<int8_t> weights;
  std::vector<int16_t> bias;
  std::vector<uint8_t> memory;
};

struct Values {
  int low = -128, high = 127;
  int bias = 300;
  int spikes = 255;  // 255: random bytes; -1: all ones
};

V1Layer v1_layer(int p, int ci, int co, int h, int w, int steps, const Values& values) {
  V1Layer layer;
  V1Command& c = layer.command;
  layer.parallelism = p;
  c.ci_tiles = ci, c.co_tiles = co, c.steps = steps, c.height = h, c.width = w;
  c.theta = 700;
  c.output_bytes = static_cast<uint32_t>(h * w * p / 8);
  c.output = {kSpikes, c.output_bytes * static_cast<uint32_t>(co), c.output_bytes};
  c.input_bytes = static_cast<uint32_t>(steps * ci * h * w * p / 8);
  c.weight_bytes = static_cast<uint32_t>(co * ci * 9 * p * p);
  c.bias_bytes = static_cast<uint32_t>(2 * co * p);
  layer.weights = random_values<int8_t>(c.weight_bytes, values.low, values.high, 3);
  layer.bias = random_values<int16_t>(static_cast<size_t>(co * p), -values.bias, values.bias, 4);
  layer.memory = random_values<uint8_t>(kMemory, 0, 255, 5);
  if (values.spikes < 0) std::fill_n(layer.memory.begin(), c.input_bytes, uint8_t{255});
  return layer;
}

void check_v1(const V1Layer& layer) {
  std::vector<uint8_t> expected = layer.memory;
  CommandTrace trace;
  run_v1(layer.command, layer.parallelism, layer.weights, layer.bias, expected, &trace);
  for (Config config : configs(layer.parallelism)) {
    std::vector<uint8_t> memory = layer.memory;
    CommandTrace clocked;
    ClockedCycles cycles;
    run_clocked_v1(layer.command, config, layer.weights, layer.bias, memory, &clocked, cycles);
    EXPECT_TRUE(memory == expected);
    expect_equal(clocked, trace);
    expect_cycles(cycles, v1_cycles(layer.command, config));
  }
}

TEST(ClockedRun, ReleasedLayersInEveryMode) {
  for (const int p : {16, 32})
    for (const bool every_pass : {false, true})
      for (const bool leak : {false, true})
        for (const bool winner : {false, true}) {
          if (every_pass && !leak) continue;
          V1Layer layer = v1_layer(p, 3, 2, 4, 6, 3, {});
          layer.command.leak = leak, layer.command.every_pass = every_pass;
          layer.command.winner = winner, layer.command.pool = leak;
          check_v1(layer);
        }
}

TEST(ClockedRun, ReleasedShapes) {
  const int shapes[][5] = {{1, 1, 1, 1, 2}, {1, 2, 1, 7, 1}, {2, 1, 7, 1, 2},
                           {2, 3, 2, 2, 3}, {1, 1, 13, 9, 2}};
  for (const int p : {16, 32})
    for (const auto& s : shapes) check_v1(v1_layer(p, s[0], s[1], s[2], s[3], s[4], {}));
}

TEST(ClockedRun, FullyConnected) {
  for (const int p : {16, 32})
    for (const bool winner : {false, true}) {
      V1Layer layer = v1_layer(p, 3, 2, 3, 3, 4, {});
      layer.command.linear = true, layer.command.winner = winner;
      check_v1(layer);
    }
}

TEST(ClockedRun, EveryRegisterWraps) {
  for (const int p : {16, 32})
    for (const int weight : {-128, 127}) {
      // P = 32: 288 x -128 leaves 16 bits. Six steps of eight tiles leave 18 bits.
      V1Layer layer = v1_layer(p, 8, 1, 3, 3, 6, {weight, weight, 32767, -1});
      layer.command.theta = 131071;
      check_v1(layer);
      layer.command.leak = layer.command.every_pass = true;
      check_v1(layer);
      layer.command.winner = true;  // all lanes tie, but for their biases
      check_v1(layer);
    }
}

TEST(ClockedRun, WinnersTie) {
  V1Layer layer = v1_layer(16, 1, 1, 2, 2, 2, {0, 0, 0, -1});
  layer.command.winner = true;
  check_v1(layer);
  CommandTrace trace;
  ClockedCycles cycles;
  Config config = preset_config("ultra96");
  config.datapath = Datapath::kTree;
  run_clocked_v1(layer.command, config, layer.weights, layer.bias, layer.memory, &trace, cycles);
  EXPECT_EQ(trace.fired.values, std::vector<uint8_t>(2 * 4 * 16, 1));  // every lane is the largest
}

Command conv_command(int p, int kernel, int stride, int ci, int co, int h, int w, int steps) {
  Command c;
  c.kernel = kernel, c.stride = stride, c.ci_tiles = ci, c.co_tiles = co, c.steps = steps;
  c.pad_top = c.pad_bottom = c.pad_left = c.pad_right = kernel == 3;
  c.in_h = h, c.in_w = w, c.theta = 900;
  c.weights = kWeights, c.bias = kBias;
  c.weight_bytes = static_cast<uint32_t>(co * ci * kernel * kernel * p * p);
  c.bias_bytes = static_cast<uint32_t>(2 * co * p);
  return c;
}

void place(Command& c, int p) {
  const int rows = c.in_h + c.pad_top + c.pad_bottom - c.kernel;
  const int columns = c.in_w + c.pad_left + c.pad_right - c.kernel;
  c.out_h = rows / c.stride + 1, c.out_w = columns / c.stride + 1;
  const auto area = [&](uint32_t base, int tiles, int pixels, int bytes) {
    const uint32_t block = static_cast<uint32_t>((pixels * bytes + 15) / 16 * 16);
    return Area{base, block * static_cast<uint32_t>(tiles), block};
  };
  const int in = c.in_h * c.in_w, out = c.out_h * c.out_w;
  c.source = area(0, c.ci_tiles, in, p / 8);
  c.spikes = area(kSpikes, c.co_tiles, out, p / 8);
  c.residual = area(kResidual, c.co_tiles, out, 2 * p);
  c.stream = area(kThird, c.co_tiles, out, (c.accumulate || c.membrane_out ? 4 : 2) * p);
}

void check_conv(const Command& command, int p, int most_weight = 127) {
  ASSERT_EQ(check_command(command, preset_config("ultra96", p), kMemory), ErrorCode::kNone);
  std::vector<uint8_t> before = random_values<uint8_t>(kMemory, 0, 255, 11);
  const auto weights =
      random_values<int8_t>(kBias - kWeights, -most_weight, most_weight, 12);
  std::copy(weights.begin(), weights.end(), before.begin() + kWeights);
  const auto table = random_values<int32_t>(64, 0, 2000, 13);
  if (command.table)
    std::memcpy(before.data() + kBias + command.co_tiles * p * 2, table.data(), 256);
  std::vector<uint8_t> expected = before;
  CommandTrace trace;
  const CommandCounters counters = run_conv(command, p, expected, &trace);
  for (Config config : configs(p)) {
    std::vector<uint8_t> memory = before;
    CommandTrace clocked;
    ClockedCycles cycles;
    const CommandCounters got = run_clocked_conv(command, config, memory, &clocked, cycles);
    EXPECT_TRUE(memory == expected);
    expect_equal(clocked, trace);
    EXPECT_EQ(got.clamped, counters.clamped);
    EXPECT_EQ(got.saturated, counters.saturated);
    expect_cycles(cycles, command_cycles(command, config));
  }
}

TEST(ClockedRun, ConvolutionsOfTheExtension) {
  for (const int p : {16, 32})
    for (const int kernel : {1, 3})
      for (const int stride : {1, 2})
        for (int leak = 0; leak < 3; ++leak) {
          Command c = conv_command(p, kernel, stride, 2, 2, 6, 4, 3);
          c.leak = static_cast<Leak>(leak), c.k = 1 + leak, c.shift = leak + 1;
          c.spikes_out = true, c.stream_out = stride == 1, c.preload = leak != 1;
          c.table = kernel == 3;
          if (c.table) c.bias_bytes += static_cast<uint32_t>(4 * c.co_tiles * p);
          place(c, p);
          check_conv(c, p);
        }
}

TEST(ClockedRun, OutputsOfTheExtension) {
  for (const int p : {16, 32}) {
    Command c = conv_command(p, 3, 1, 3, 1, 5, 5, 3);
    c.accumulate = true;
    place(c, p);
    check_conv(c, p);
    c.accumulate = false, c.membrane_out = true, c.spikes_out = true, c.shift = 4;
    place(c, p);
    check_conv(c, p);  // currents clamp, membranes saturate at theta = 2^17 - 1
    c.theta = kMembraneMax;
    check_conv(c, p);
    c = conv_command(p, 1, 1, 1, 1, 1, 1, 2);
    c.stream_out = true;
    place(c, p);
    check_conv(c, p);
  }
}

TEST(ClockedRun, WeightSetsLargerThanTheirFifo) {
  for (const Reload reload : {Reload::kBubble, Reload::kSkid}) {
    Command c = conv_command(16, 3, 1, 4, 2, 4, 4, 3);
    c.spikes_out = true;
    place(c, 16);
    Config config = preset_config("ultra96");
    config.datapath = Datapath::kTree, config.reload = reload;
    std::vector<uint8_t> memory = random_values<uint8_t>(kMemory, 0, 255, 21), expected = memory;
    for (const int depth : {64, 40, 16}) {  // 4 tiles fit, 2.5, 1
      config.weight_depth = depth;
      ClockedCycles cycles;
      run_clocked_conv(c, config, memory, nullptr, cycles);
      run_conv(c, 16, expected, nullptr);
      EXPECT_TRUE(memory == expected);
      expect_cycles(cycles, command_cycles(c, config));
    }
  }
}

TEST(ClockedRun, BandsPadAtTrueBordersOnly) {
  for (int borders = 0; borders < 16; ++borders)
    for (const int stride : {1, 2}) {
      Command c = conv_command(16, 3, stride, 2, 1, 5, 6, 2);
      c.pad_top = borders & 1, c.pad_bottom = borders & 2;
      c.pad_left = borders & 4, c.pad_right = borders & 8;
      c.spikes_out = true;
      place(c, 16);
      check_conv(c, 16, 30);
    }
}

}  // namespace
}  // namespace lampyris::firefly
