// Convolution commands against a scalar walk, on every instruction set, number of threads and on
// emulated matrix tiles: the same bytes in memory, the same counters.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "core/fixed_point.h"
#include "cpu/isa.h"
#include "cpu/parallel.h"
#include "cpu/tile_policy.h"
#include "firefly/area.h"
#include "firefly/datapath.h"
#include "firefly/host.h"

namespace lampyris::firefly {
namespace {

constexpr size_t kMemory = 1 << 20;

struct Memory {
  std::vector<uint8_t> bytes = std::vector<uint8_t>(kMemory);
  uint32_t used = 0;

  Area area(int steps, int tiles, int64_t block) {
    const uint32_t size = (static_cast<uint32_t>(block) + 63) / 64 * 64;
    const Area area{used, size * static_cast<uint32_t>(tiles), size};
    used += area.stride_t * static_cast<uint32_t>(steps);
    return area;
  }
  template <typename T>
  T* at(uint64_t offset) {
    return reinterpret_cast<T*>(bytes.data() + offset);
  }
};

struct Shape {
  int p, ci, co, kernel, stride, height, width, steps;
  double density;
};

Command make_command(const Shape& s, Memory& memory, std::mt19937& random) {
  Command c;
  c.kernel = s.kernel, c.stride = s.stride, c.steps = s.steps;
  c.pad_top = c.pad_bottom = c.pad_left = c.pad_right = s.kernel == 3;
  c.in_h = s.height, c.in_w = s.width, c.out_h = s.height / s.stride, c.out_w = s.width / s.stride;
  c.ci_tiles = s.ci, c.co_tiles = s.co;
  const int64_t in = int64_t{s.height} * s.width, out = int64_t{c.out_h} * c.out_w;
  c.source = memory.area(s.steps, s.ci, in * spike_pixel_bytes(s.p));
  c.residual = memory.area(s.steps, s.co, out * stream_pixel_bytes(s.p));
  c.spikes = memory.area(s.steps, s.co, out * spike_pixel_bytes(s.p));
  c.stream = memory.area(s.steps, s.co, out * int32_pixel_bytes(s.p));
  const int64_t weights = int64_t{s.co} * s.ci * s.kernel * s.kernel * s.p * s.p;
  c.weights = memory.area(1, 1, weights).base;
  c.bias = memory.area(1, 1, int64_t{s.co} * s.p * 2).base;
  std::bernoulli_distribution fires(s.density);
  std::uniform_int_distribution<int> byte(-127, 127), word(-30000, 30000);
  for (uint32_t i = c.source.base; i < c.residual.base; ++i)
    for (int bit = 0; bit < 8; ++bit)
      memory.bytes[i] |= static_cast<uint8_t>(fires(random) << bit);
  for (uint32_t i = c.residual.base; i < c.spikes.base; i += 2)
    *memory.at<int16_t>(i) = static_cast<int16_t>(word(random));
  for (int64_t i = 0; i < weights; ++i)
    memory.bytes[c.weights + static_cast<size_t>(i)] = static_cast<uint8_t>(byte(random));
  for (int i = 0; i < s.co * s.p; ++i)
    memory.at<int16_t>(c.bias)[i] = static_cast<int16_t>(word(random) / 100);
  return c;
}

int64_t sum_at(const Command& c, int p, Memory& memory, int t, int o, int y, int x) {
  int64_t sum = 0;
  const int pad = c.pad_top;
  for (int i = 0; i < c.ci_tiles * p; ++i)
    for (int tap = 0; tap < c.kernel * c.kernel; ++tap) {
      const int iy = y * c.stride + tap / c.kernel - pad, ix = x * c.stride + tap % c.kernel - pad;
      if (iy < 0 || ix < 0 || iy >= c.in_h || ix >= c.in_w) continue;
      const int bit = (iy * c.in_w + ix) * p + i % p;
      const uint64_t block = area_block(c.source, t, i / p);
      if (!(*memory.at<uint8_t>(block + static_cast<uint64_t>(bit / 8)) >> bit % 8 & 1)) continue;
      const int tile = ((o / p * c.ci_tiles + i / p) * c.kernel * c.kernel + tap) * p + i % p;
      sum += *memory.at<int8_t>(c.weights + static_cast<uint64_t>(tile * p + o % p));
    }
  return sum;
}

CommandCounters scalar(const Command& c, int p, Memory& memory) {
  CommandCounters counters;
  for (int o = 0; o < c.co_tiles * p; ++o)
    for (int y = 0; y < c.out_h; ++y)
      for (int x = 0; x < c.out_w; ++x) {
        int64_t v = 0, total = 0;
        const uint64_t lane = static_cast<uint64_t>((y * c.out_w + x) * p + o % p);
        for (int t = 0; t < c.steps; ++t) {
          const int64_t bias = memory.at<int16_t>(c.bias)[o];
          int64_t value = (sum_at(c, p, memory, t, o, y, x) << c.shift) + bias;
          total += value;
          if (c.accumulate) continue;
          if (c.preload)
            value += memory.at<int16_t>(area_block(c.residual, t, o / p))[lane];
          const int64_t current = std::clamp<int64_t>(value, -32768, 32767);
          counters.clamped += current != value;
          if (c.stream_out)
            memory.at<int16_t>(area_block(c.stream, t, o / p))[lane] =
                static_cast<int16_t>(current);
          v = (c.leak == Leak::kBefore ? v >> c.k : v) + current;
          if (c.leak == Leak::kHalfAfter) v >>= 1;
          const int64_t held = std::clamp<int64_t>(v, kMembraneMin, kMembraneMax);
          counters.saturated += c.spikes_out && held != v;
          v = held > c.theta ? 0 : held;
          if (c.spikes_out && held > c.theta)
            *memory.at<uint8_t>(area_block(c.spikes, t, o / p) + lane / 8) |=
                static_cast<uint8_t>(1 << lane % 8);
        }
        if (c.accumulate)
          memory.at<int32_t>(area_block(c.stream, 0, o / p))[lane] = static_cast<int32_t>(total);
      }
  return counters;
}

// Runs `job` with every instruction set, one and three threads, and on emulated tiles.
template <class Job>
void everywhere(const Job& job) {
  const int before = threads();
  for (const Isa isa : {Isa::kBase, Isa::kAvx2, Isa::kAvx512})
    for (const int count : {1, 3})
      for (const bool tiles : {false, true}) {
        const Isa old = set_isa(isa);
        set_threads(count);
        emulate_tiles(tiles);
        SCOPED_TRACE(testing::Message() << isa_name(isa) << ", " << count << " threads" << tiles);
        job();
        emulate_tiles(false);
        set_isa(old);
      }
  set_threads(before);
}

TEST(RunConv, EqualsTheScalarWalkEverywhere) {
  std::mt19937 random(5);
  const Shape shapes[] = {{16, 2, 3, 3, 1, 9, 7, 2, 0.1},  {32, 1, 2, 3, 2, 8, 10, 3, 0.5},
                          {16, 5, 1, 1, 1, 11, 5, 2, 0.4}, {32, 3, 3, 3, 1, 13, 6, 2, 0.2},
                          {16, 4, 5, 1, 2, 6, 4, 1, 0.03}};
  int number = 0;
  int64_t clamped = 0;
  for (const Shape& shape : shapes) {
    Memory memory;
    Command c = make_command(shape, memory, random);
    ASSERT_LE(memory.used, kMemory);
    c.shift = number % 5, c.theta = 3000 * (number + 1);
    c.leak = static_cast<Leak>(number % 3), c.k = 1 + number % 4;
    c.preload = number % 2 == 0;
    for (const int mode : {0, 1, 2}) {  // spikes, both, sum
      c.spikes_out = mode != 2, c.stream_out = mode == 1, c.accumulate = mode == 2;
      if (mode == 2) c.preload = false, c.shift = 0;
      Memory expected = memory;
      const CommandCounters counters = scalar(c, shape.p, expected);
      clamped += counters.clamped;
      everywhere([&] {
        Memory got = memory;
        CommandTrace trace;
        const CommandCounters counted =
            run_command(c, shape.p, got.bytes, mode == 1 ? &trace : nullptr);
        EXPECT_EQ(got.bytes, expected.bytes);
        EXPECT_EQ(counted.clamped, counters.clamped);
        EXPECT_EQ(counted.saturated, counters.saturated);
      });
    }
    ++number;
  }
  EXPECT_GT(clamped, 0);
}

TEST(RunStem, EqualsTheScalarWalkEverywhere) {
  HostStem stem;
  stem.in_channels = 3, stem.in_height = 17, stem.in_width = 11, stem.in_steps = 2;
  stem.out_channels = 50, stem.kernel_h = 5, stem.kernel_w = 3, stem.stride = 2;
  stem.padding = 2, stem.shift = 3;
  std::mt19937 random(6);
  std::uniform_int_distribution<int> byte(-127, 127), pixel(0, 255);
  std::vector<int8_t> weight(50 * 3 * 15);
  std::vector<int32_t> bias(50);
  std::vector<uint8_t> pixels(2 * 3 * 17 * 11);
  for (auto& w : weight) w = static_cast<int8_t>(byte(random));
  for (auto& b : bias) b = byte(random) * 3000;
  for (auto& x : pixels) x = static_cast<uint8_t>(pixel(random));
  const auto [out_h, out_w] = stem_output_size(stem);
  StemResult expected;
  for (int t = 0; t < 2; ++t)
    for (int o = 0; o < 50; ++o)
      for (int y = 0; y < out_h; ++y)
        for (int x = 0; x < out_w; ++x) {
          int32_t sum = bias[static_cast<size_t>(o)];
          for (int i = 0; i < 3 * 15; ++i) {
            const int iy = 2 * y - 2 + i % 15 / 3, ix = 2 * x - 2 + i % 3;
            if (iy < 0 || ix < 0 || iy >= 17 || ix >= 11) continue;
            sum += weight[static_cast<size_t>(o * 45 + i)] *
                   pixels[static_cast<size_t>(((t * 3 + i / 15) * 17 + iy) * 11 + ix)];
          }
          const int32_t wide = (sum + 4) >> 3;
          expected.currents.push_back(static_cast<int16_t>(sat16(wide)));
          expected.clamped += wide != sat16(wide);
        }
  EXPECT_GT(expected.clamped, 0);
  everywhere([&] {
    const StemResult got = run_stem(stem, weight, bias, pixels);
    EXPECT_EQ(got.currents, expected.currents);
    EXPECT_EQ(got.clamped, expected.clamped);
  });
}

}  // namespace
}  // namespace lampyris::firefly
