#include <gtest/gtest.h>

#include "firefly/line_buffer.h"
#include "small_programs.h"

namespace lampyris::firefly {
namespace {

uint32_t at(const std::vector<uint32_t>& map, const WindowShape& s, int y, int x) {
  const bool inside = y >= 0 && x >= 0 && y < s.height && x < s.width;
  return inside ? map[static_cast<size_t>(y * s.width + x)] : 0;
}

// All windows of two maps that follow each other without a gap, against direct indexing.
void check(const WindowShape& s) {
  const Config config = preset_config("ultra96");
  LineBuffer lines(config, s);
  const size_t pixels = static_cast<size_t>(s.height * s.width);
  const auto values = random_values<uint32_t>(2 * pixels, 1, 1 << 20, 3);
  std::vector<SpikeWindow> got;
  int64_t first = -1, pushed = 0;
  for (size_t i = 0; i < values.size() + static_cast<size_t>(lines.latency()); ++i, ++pushed)
    if (lines.push(i < values.size() ? values[i] : 77)) {
      if (first < 0) first = pushed;
      got.push_back(lines.window());
    }
  std::vector<SpikeWindow> expected;
  for (size_t map = 0; map < 2; ++map) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(map * pixels);
    const std::vector<uint32_t> part(begin, begin + static_cast<std::ptrdiff_t>(pixels));
    for (int y = 0; y < s.out_height(); ++y)
      for (int x = 0; x < s.out_width(); ++x) {
        SpikeWindow window;
        for (int i = 0; i < 9; ++i)
          window[static_cast<size_t>(i)] =
              at(part, s, y * s.stride - s.top + i / 3, x * s.stride - s.left + i % 3);
        expected.push_back(window);
      }
  }
  EXPECT_EQ(got, expected) << s.height << " x " << s.width << " / " << s.stride;
  const int64_t late = (s.top ? 0 : s.width) + (s.left ? 0 : 1);
  EXPECT_EQ(first, lines.latency() + late);
}

TEST(LineBuffer, WindowsOfEveryShape) {
  for (const int height : {1, 2, 5, 8})
    for (const int width : {1, 2, 3, 7, 8}) check({height, width});
  check({8, 6, true, true, true, true, 2});
  check({7, 9, true, true, true, true, 2});
}

TEST(LineBuffer, BandsPadTrueBordersOnly) {
  check({5, 8, true, false, true, true, 1});
  check({5, 8, false, false, true, true, 1});
  check({6, 8, false, true, true, true, 1});
  check({5, 8, true, false, true, true, 2});
  check({9, 8, false, false, true, true, 2});
}

TEST(LineBuffer, RefusesLongRows) {
  Config config = preset_config("ultra96");
  config.line_depth = 8;
  LineBuffer fits(config, {4, 8});
  EXPECT_EQ(fits.latency(), 9);
  EXPECT_THROW(LineBuffer(config, {4, 9}), std::invalid_argument);
}

TEST(WindowPacker, NineBeatsAWindow) {
  WindowPacker packer;
  for (uint32_t round = 0; round < 2; ++round)
    for (uint32_t beat = 0; beat < 9; ++beat)
      EXPECT_EQ(packer.push(10 * round + beat), beat == 8);
  EXPECT_EQ(packer.window()[0], 10u);
  EXPECT_EQ(packer.window()[8], 18u);
}

TEST(UnifiedBuffer, Phases) {
  using Phase = UnifiedBuffer::Phase;
  EXPECT_EQ(UnifiedBuffer::phase(0, 0, 3), Phase::kClear);
  EXPECT_EQ(UnifiedBuffer::phase(1, 0, 3), Phase::kAccumulate);
  EXPECT_EQ(UnifiedBuffer::phase(0, 2, 3), Phase::kThreshold);
  EXPECT_EQ(UnifiedBuffer::phase(0, 0, 1), Phase::kThreshold);
}

}  // namespace
}  // namespace lampyris::firefly
