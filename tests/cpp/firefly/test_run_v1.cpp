// Wraps of the released arithmetic against a scalar walk in the hardware's order.
#include <gtest/gtest.h>

#include "core/fixed_point.h"
#include "firefly/datapath.h"
#include "firefly/packing.h"
#include "small_programs.h"

namespace lampyris::firefly {
namespace {

struct Case {
  int parallelism, in, out, height, width, steps;
  int32_t theta;
  Leak leak;
};

struct Outcome {
  std::vector<uint8_t> fired;  // [t][o][y][x]
  std::vector<int32_t> membrane;
};

Outcome scalar(const Case& c, const std::vector<int8_t>& w, const std::vector<int16_t>& b,
               const std::vector<uint8_t>& s) {
  Outcome result;
  const int plane = c.height * c.width;
  std::vector<int32_t> v(static_cast<size_t>(c.out * plane), 0);
  for (int t = 0; t < c.steps; ++t)
    for (int o = 0; o < c.out; ++o)
      for (int y = 0; y < c.height; ++y)
        for (int x = 0; x < c.width; ++x) {
          int32_t& value = v[static_cast<size_t>((o * c.height + y) * c.width + x)];
          for (int first = 0; first < c.in; first += c.parallelism) {
            int32_t tile = 0;
            for (int i = first; i < first + c.parallelism; ++i)
              for (int tap = 0; tap < 9; ++tap) {
                const int sy = y + tap / 3 - 1, sx = x + tap % 3 - 1;
                if (sy < 0 || sx < 0 || sy >= c.height || sx >= c.width) continue;
                if (s[static_cast<size_t>((t * c.in + i) * plane + sy * c.width + sx)])
                  tile += w[static_cast<size_t>((o * c.in + i) * 9 + tap)];
              }
            value = wrap(value + wrap(tile, 16), 18);
            if (first + c.parallelism == c.in) value = wrap(value + b[static_cast<size_t>(o)], 18);
            if (c.leak == Leak::kEveryPass) value >>= 1;
          }
          if (c.leak == Leak::kHalfAfter) value >>= 1;
          const bool fires = value > c.theta;
          if (fires) value = 0;
          result.fired.push_back(fires);
          result.membrane.push_back(value);
        }
  return result;
}

Outcome device(const Case& c, const std::vector<int8_t>& w, const std::vector<int16_t>& b,
               const std::vector<uint8_t>& s) {
  const int p = c.parallelism, plane = c.height * c.width;
  std::vector<uint8_t> memory(1 << 20);
  V1Command v1;
  v1.ci_tiles = c.in / p, v1.co_tiles = c.out / p, v1.steps = c.steps;
  v1.height = c.height, v1.width = c.width, v1.theta = c.theta;
  v1.leak = c.leak != Leak::kNone, v1.every_pass = c.leak == Leak::kEveryPass;
  v1.output = {1 << 19, static_cast<uint32_t>(c.out / p * plane * p / 8),
               static_cast<uint32_t>(plane * p / 8)};
  for (int t = 0; t < c.steps; ++t)
    for (int i = 0; i < c.in; ++i)
      for (int pixel = 0; pixel < plane; ++pixel)
        if (s[static_cast<size_t>((t * c.in + i) * plane + pixel)]) {
          const int bit = ((t * v1.ci_tiles + i / p) * plane + pixel) * p + i % p;
          memory[static_cast<size_t>(bit / 8)] |= static_cast<uint8_t>(1 << bit % 8);
        }
  const auto packed = pack_weights(w, c.out, c.in, 9, p);
  CommandTrace trace;
  run_v1(v1, p, {reinterpret_cast<const int8_t*>(packed.data()), packed.size()}, b, memory, &trace);
  Outcome result;
  for (int t = 0; t < c.steps; ++t)
    for (int o = 0; o < c.out; ++o)
      for (int y = 0; y < c.height; ++y)
        for (int x = 0; x < c.width; ++x) {
          result.fired.push_back(trace.fired.row(t, o / p, y)[x * p + o % p]);
          result.membrane.push_back(trace.membrane.row(t, o / p, y)[x * p + o % p]);
          const size_t word = v1.output.base + static_cast<size_t>(t) * v1.output.stride_t +
                              static_cast<size_t>(o / p) * v1.output.stride_c;
          const int bit = (y * c.width + x) * p + o % p;
          EXPECT_EQ(memory[word + static_cast<size_t>(bit / 8)] >> bit % 8 & 1,
                    result.fired.back());
        }
  return result;
}

void expect_equal(const Case& c, const std::vector<int8_t>& w, const std::vector<int16_t>& b,
                  const std::vector<uint8_t>& s) {
  const Outcome expected = scalar(c, w, b, s), got = device(c, w, b, s);
  EXPECT_EQ(got.fired, expected.fired);
  EXPECT_EQ(got.membrane, expected.membrane);
}

TEST(RunV1, TileSumWrapsAtP32) {
  // 288 weights of -128: -36864 wraps to 28672 in 16 bits.
  const Case c{32, 32, 32, 3, 3, 2, 100000, Leak::kNone};
  const std::vector<int8_t> w(32 * 32 * 9, -128);
  const std::vector<int16_t> b(32, 0);
  const std::vector<uint8_t> s(2 * 32 * 9, 1);
  expect_equal(c, w, b, s);
  const Outcome got = device(c, w, b, s);
  EXPECT_EQ(got.membrane[4], 28672);
  EXPECT_EQ(got.membrane[32 * 9 + 4], 57344);
}

TEST(RunV1, MembraneWrapsAt18Bits) {
  const Case c{16, 128, 16, 3, 3, 2, 131071, Leak::kNone};
  const std::vector<int8_t> w(16 * 128 * 9, 127);
  const std::vector<uint8_t> s(2 * 128 * 9, 1);
  expect_equal(c, w, std::vector<int16_t>(16, 32767), s);
  expect_equal({16, 128, 16, 3, 3, 2, 131071, Leak::kHalfAfter}, w, std::vector<int16_t>(16, 32767),
               s);
}

TEST(RunV1, RandomLayersInEveryMode) {
  for (const int p : {16, 32})
    for (const Leak leak : {Leak::kNone, Leak::kHalfAfter, Leak::kEveryPass})
      for (const int high : {20, 127}) {
        const Case c{p, 2 * p, p, 4, 5, 3, 200, leak};
        const auto w =
            random_values<int8_t>(static_cast<size_t>(c.out * c.in * 9), -high - 1, high, 7);
        const auto b = random_values<int16_t>(static_cast<size_t>(c.out), -300, 300, 8);
        const auto s = random_values<uint8_t>(static_cast<size_t>(3 * c.in * 20), 0, 1, 9);
        expect_equal(c, w, b, s);
      }
}

}  // namespace
}  // namespace lampyris::firefly
