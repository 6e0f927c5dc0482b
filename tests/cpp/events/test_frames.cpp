#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "events/block_readers.h"
#include "events/frames.h"
#include "events/mask_codec.h"

namespace lampyris {
namespace {

struct Columns {
  std::vector<int64_t> t;
  std::vector<uint16_t> x, y;
  std::vector<uint8_t> p;
};

std::vector<uint8_t> render(const Columns& c, const BinWindow& window,
                            const FrameOptions& options) {
  check_frames(window, options);
  const int64_t n = window.time_steps * frame_channels(options) * window.height * window.width;
  std::vector<uint8_t> frames(static_cast<size_t>(n), 77);
  ColumnReader reader({c.t.data(), c.x.data(), c.y.data(), c.p.data(), int64_t(c.t.size())},
                      event_window(window), "a");
  render_frames(reader, window, options, frames.data());
  return frames;
}

std::string refusal(const BinWindow& window, const FrameOptions& options) {
  try {
    check_frames(window, options);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

// One row of two pixels, window [100, 300) in two steps of 100 us.
const BinWindow kWindow{300, 100, 2, 1, 2};
const Columns kEvents{
    {99, 100, 120, 199, 260, 300}, {0, 0, 0, 1, 0, 0}, {0, 0, 0, 0, 0, 0}, {1, 1, 0, 1, 1, 1}};

TEST(Frames, Counts) {
  EXPECT_EQ(render(kEvents, kWindow, {}), (std::vector<uint8_t>{1, 0, 1, 1, 0, 0, 1, 0}));
}

TEST(Frames, HistogramsSplitEachStepIntoParts) {
  // Channels: dark part 0, dark part 1, bright part 0, bright part 1.
  EXPECT_EQ(render(kEvents, kWindow, {Representation::kCounts, 2, 10}),
            (std::vector<uint8_t>{1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0}));
  const Columns many{std::vector<int64_t>(5, 150), std::vector<uint16_t>(5, 0),
                     std::vector<uint16_t>(5, 0), std::vector<uint8_t>(5, 1)};
  EXPECT_EQ(render(many, {200, 100, 1, 1, 1}, {Representation::kCounts, 1, 3}),
            (std::vector<uint8_t>{0, 3}));
}

TEST(Frames, PolarityKeepsTheLastEvent) {
  EXPECT_EQ(render(kEvents, kWindow, {Representation::kPolarity}),
            (std::vector<uint8_t>{0, 255, 255, 127}));
}

TEST(Frames, SurfacesDecayFromTheLastEvent) {
  const auto value = [](double age) {
    return static_cast<uint8_t>(std::lround(255 * std::exp(-age / 50)));
  };
  // Step 1: dark (0): t = 120; bright (0): 100, (1): 199. Step 2 adds bright (0): 260.
  EXPECT_EQ(render(kEvents, kWindow, {Representation::kSurface, 1, 255, 50}),
            (std::vector<uint8_t>{value(80), 0, value(100), value(1), value(180), 0, value(40),
                                  value(101)}));
}

TEST(Frames, SurfacesFollowTheFormulaAtEveryAge) {
  // One event at time 0 and one step of each length: its age is that length.
  for (const double tau : {0.01, 1.0, 3.7, 50.0, 500.0, 1e9}) {
    for (int64_t age = 1; age < 4000; age += 1 + age / 50) {
      const Columns one{{0}, {0}, {0}, {1}};
      const double expected = std::floor(255 * std::exp(static_cast<double>(-age) / tau) + 0.5);
      EXPECT_EQ(render(one, {age, age, 1, 1, 1}, {Representation::kSurface, 1, 255, tau})[1],
                expected)
          << tau << " " << age;
    }
  }
}

TEST(Frames, VoxelsDivideExactly) {
  // Windows whose length does not divide 32 (T - 1): compare with integer division.
  for (const int64_t bin : {int64_t{1}, int64_t{3}, int64_t{49'999}, int64_t{1} << 34}) {
    for (int64_t t = 0; t < 5 * bin; t += 1 + bin / 97) {
      const std::vector<uint8_t> frames =
          render({{t}, {0}, {0}, {0}}, {5 * bin, bin, 5, 1, 1}, {Representation::kVoxel});
      const int64_t position = t * 128 / (5 * bin);
      const auto at = static_cast<size_t>(position / 32 * 2);
      ASSERT_EQ(frames[at], 32 - position % 32) << bin << " " << t;
    }
  }
}

TEST(Frames, VoxelsShareAnEventBetweenSteps) {
  // Position of t = 100, 120, 199, 260: (t - 100) / 200 * 1 = 0, 0.1, 0.495, 0.8 in units of 1/32:
  // 0, 3, 15, 25.
  EXPECT_EQ(render(kEvents, kWindow, {Representation::kVoxel}),
            (std::vector<uint8_t>{29, 0, 32 + 7, 17, 3, 0, 25, 15}));
  EXPECT_EQ(render(kEvents, {300, 200, 1, 1, 2}, {Representation::kVoxel}),
            (std::vector<uint8_t>{32, 0, 64, 32}));
}

TEST(Frames, Refusals) {
  EXPECT_EQ(refusal(kWindow, {Representation::kCounts, 3}),
            "bin_events: parts must divide a step of 100 us, got 3");
  EXPECT_EQ(refusal(kWindow, {Representation::kCounts, 0}),
            "bin_events: parts must divide a step of 100 us, got 0");
  EXPECT_EQ(refusal(kWindow, {Representation::kCounts, 1, 256}),
            "bin_events: cutoff must be 1..255, got 256");
  EXPECT_EQ(refusal(kWindow, {Representation::kSurface, 1, 255, 0}),
            "bin_events: tau must be positive, got 0 us");
  EXPECT_EQ(refusal({1 << 20, 4, 1 << 17, 1, 1}, {Representation::kVoxel}),
            "bin_events: voxel grids must have at most 65536 steps, got 131072");
  EXPECT_NE(refusal({1 << 20, 4096, 200, 1024, 1024}, {Representation::kCounts, 8}), "accepted");
}

TEST(MaskCodec, GivesBackWhatItWasGiven) {
  std::mt19937 random(1);
  for (const size_t n : {0u, 1u, 63u, 64u, 65u, 1000u}) {
    for (const unsigned every : {1u, 2u, 20u, 1000u}) {
      std::vector<uint8_t> raw(n, 127);
      for (uint8_t& value : raw)
        if (random() % every == 0) value = static_cast<uint8_t>(random());
      const std::vector<uint8_t> coded = encode_masked(raw, 127);
      std::vector<uint8_t> back(n, 1);
      decode_masked(coded, 127, back);
      EXPECT_EQ(back, raw);
    }
  }
  EXPECT_EQ(encode_masked(std::vector<uint8_t>{0, 5, 0, 7}, 0),
            (std::vector<uint8_t>{0b1010, 0, 0, 0, 0, 0, 0, 0, 5, 7}));
}

TEST(MaskCodec, RandomBytesAreSafe) {
  std::mt19937 random(2);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint8_t> coded(random() % 64), raw(random() % 200);
    for (uint8_t& value : coded) value = random() % 3 ? 0 : static_cast<uint8_t>(random());
    try {
      decode_masked(coded, 0, raw);
    } catch (const std::invalid_argument&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace lampyris
