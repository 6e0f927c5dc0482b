#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <vector>

#include "events/binning.h"
#include "events/dat_bytes.h"

namespace lampyris {
namespace {

std::vector<uint8_t> bin(const DatView& file, const BinWindow& window) {
  std::vector<uint8_t> frames(static_cast<size_t>(window.elements()), 99);
  bin_events(file, window, frames.data());
  return frames;
}

std::string refusal(const std::vector<Event>& events, const BinWindow& window) {
  const TemporaryDat dat(dat_bytes(kDatHeader, events));
  const DatFile file(dat.path());
  try {
    bin(file.view(), window);
  } catch (const std::invalid_argument& error) {
    return std::string(error.what()).substr(std::string("event file: ").size() + dat.path().size());
  }
  return "accepted";
}

TEST(Binning, PutsEventsIntoHalfOpenBins) {
  // Window [100, 300) in two bins of 100 us on a 3 x 4 sensor.
  const TemporaryDat dat(dat_bytes(kDatHeader, {{99, 0, 0, 1},
                                                {100, 1, 2, 1},
                                                {199, 1, 2, 1},
                                                {200, 1, 2, 0},
                                                {299, 3, 0, 1},
                                                {300, 0, 0, 1}}));
  const std::vector<uint8_t> frames = bin(DatFile(dat.path()).view(), {300, 100, 2, 3, 4});
  std::vector<uint8_t> expected(2 * 2 * 3 * 4, 0);
  const auto at = [&](int t, int p, int y, int x) -> uint8_t& {
    return expected[static_cast<size_t>(((t * 2 + p) * 3 + y) * 4 + x)];
  };
  at(0, 1, 2, 1) = 2;
  at(1, 0, 2, 1) = 1;
  at(1, 1, 0, 3) = 1;
  EXPECT_EQ(frames, expected);
}

TEST(Binning, AWindowBeforeTheStartStaysEmptyThere) {
  const TemporaryDat dat(dat_bytes(kDatHeader, {{0, 0, 0, 1}, {5, 0, 0, 1}, {10, 0, 0, 1}}));
  const std::vector<uint8_t> frames = bin(DatFile(dat.path()).view(), {10, 10, 3, 1, 1});
  EXPECT_EQ(frames, (std::vector<uint8_t>{0, 0, 0, 0, 0, 2}));
}

TEST(Binning, CountsSaturate) {
  const TemporaryDat dat(dat_bytes(kDatHeader, std::vector<Event>(300, Event{1, 0, 0, 0})));
  EXPECT_EQ(bin(DatFile(dat.path()).view(), {2, 2, 1, 1, 1}), (std::vector<uint8_t>{255, 0}));
}

TEST(Binning, BinsOfAnyLengthSumToTheWindow) {
  std::mt19937 random(2);
  std::vector<Event> events(2000);
  for (Event& e : events) {
    e = {static_cast<uint32_t>(random() % 1200), static_cast<uint16_t>(random() % 4),
         static_cast<uint16_t>(random() % 3), static_cast<uint8_t>(random() % 2)};
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.t < b.t; });
  const TemporaryDat dat(dat_bytes(kDatHeader, events));
  const DatFile file(dat.path());
  const std::vector<uint8_t> whole = bin(file.view(), {1200, 1200, 1, 3, 4});
  for (const int64_t steps : {2, 3, 8, 1200}) {
    const std::vector<uint8_t> frames = bin(file.view(), {1200, 1200 / steps, steps, 3, 4});
    for (size_t i = 0; i < whole.size(); ++i) {
      int sum = 0;
      for (size_t t = 0; t < static_cast<size_t>(steps); ++t) sum += frames[t * whole.size() + i];
      EXPECT_EQ(sum, whole[i]);
    }
  }
}

TEST(Binning, NamesTheBrokenEvent) {
  EXPECT_EQ(refusal({{1, 0, 0, 0}, {2, 4, 0, 0}}, {10, 10, 1, 3, 4}),
            ": event 1 must lie within 3 x 4 pixels, got y 0, x 4");
  EXPECT_EQ(refusal({{1, 0, 0, 0}, {2, 0, 3, 0}}, {10, 10, 1, 3, 4}),
            ": event 1 must lie within 3 x 4 pixels, got y 3, x 0");
  EXPECT_EQ(refusal({{1, 0, 0, 0}, {5, 0, 0, 0}, {4, 0, 0, 0}, {6, 0, 0, 0}}, {10, 10, 1, 3, 4}),
            ": event times must not decrease, got 4 us at event 2 after 5 us");
}

TEST(Binning, RandomBytesAreSafe) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = round % 2 ? kDatHeader : "";
    const size_t length = 8 * (random() % 40);
    for (size_t i = 0; i < length; ++i) bytes += static_cast<char>(random());
    const TemporaryDat dat(bytes);
    try {
      const DatFile file(dat.path());
      file.view().check(3, 4);
      bin(file.view(), {int64_t{1} << 31, int64_t{1} << 29, 4, 3, 4});
    } catch (const std::invalid_argument&) {
    }
  }
}

TEST(Binning, RefusesImpossibleWindows) {
  EXPECT_THROW(check_bin_window({10, 10, 0, 3, 4}), std::invalid_argument);
  EXPECT_THROW(check_bin_window({10, 0, 1, 3, 4}), std::invalid_argument);
  EXPECT_THROW(check_bin_window({-1, 10, 1, 3, 4}), std::invalid_argument);
  EXPECT_THROW(check_bin_window({10, 10, 1, 0, 4}), std::invalid_argument);
  EXPECT_THROW(check_bin_window({10, 10, 1, 3, kDatMaxSide + 1}), std::invalid_argument);
  EXPECT_THROW(check_bin_window({10, 1, int64_t{1} << 40, 3, 4}), std::invalid_argument);
  EXPECT_THROW(check_bin_window({10, int64_t{1} << 60, 4, 3, 4}), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris
