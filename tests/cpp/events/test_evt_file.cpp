#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "events/block_readers.h"
#include "events/evt_bytes.h"
#include "events/evt_file.h"
#include "events/frames.h"

namespace lampyris {
namespace {

bool same(const TimedEvent& a, const TimedEvent& b) {
  return a.t == b.t && a.x == b.x && a.y == b.y && a.polarity == b.polarity;
}

struct Recording {
  explicit Recording(std::string content)
      : bytes(std::move(content)),
        view({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "a.raw") {}
  std::string bytes;
  EvtView view;
};

std::string refusal(const std::string& bytes) {
  try {
    Recording recording(bytes);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

// Sorted events, many at the same time and row, over `span` us.
std::vector<TimedEvent> some_events(uint32_t seed, size_t n, int64_t span) {
  std::mt19937 random(seed);
  std::vector<TimedEvent> events(n);
  for (TimedEvent& e : events) {
    e = {static_cast<int64_t>(random() % 500) * (span / 500), static_cast<uint16_t>(random() % 400),
         static_cast<uint16_t>(random() % 3), static_cast<uint8_t>(random() % 2)};
  }
  std::sort(events.begin(), events.end(), [](const TimedEvent& a, const TimedEvent& b) {
    return std::tie(a.t, a.y, a.polarity, a.x) < std::tie(b.t, b.y, b.polarity, b.x);
  });
  return events;
}

TEST(EvtHeader, ReadsFormatAndSize) {
  for (const std::string text : {"% evt 3.0\n% geometry 1280x720\n% end\n",
                                 "% date 2024\n% format EVT3;height=720;width=1280\r\n",
                                 "% evt 3.0 \n% geometry 1280x720 \n%  \n% end \n"}) {
    const Recording recording(text + std::string(4, '\0'));
    EXPECT_EQ(recording.view.header().version, 3);
    EXPECT_EQ(recording.view.header().width, 1280);
    EXPECT_EQ(recording.view.header().height, 720);
    EXPECT_EQ(recording.view.header().data_offset, static_cast<int64_t>(text.size()));
  }
  // Behind "% end" nothing is header, even if it looks like it.
  EXPECT_EQ(Recording("% evt 2.0\n% end\n% no").view.header().data_offset, 16);
}

TEST(EvtHeader, Refusals) {
  const std::string start = "event file: a.raw: ";
  EXPECT_EQ(refusal("12345678"),
            start + "a raw recording must state its format (% evt 2.0 or 3.0), got none");
  EXPECT_EQ(refusal("% evt 2.1\n"), start + "format must be EVT2 or EVT3, got \"2.1\"");
  EXPECT_EQ(refusal("% format EVT21;width=4\n"),
            start + "format must be EVT2 or EVT3, got \"EVT21\"");
  EXPECT_EQ(refusal("% evt 3.0\n% geometry 0x4\n"), start + "width must be 1..2048, got \"0\"");
  EXPECT_EQ(refusal("% evt 3.0\n% endianness big\n"),
            start + "endianness must be little, got \"big\"");
  EXPECT_EQ(refusal("% evt 2.0\n% end\nabc"),
            start + "words must be whole (4 bytes each), got 3 bytes too many: cut short?");
  EXPECT_EQ(refusal("% evt"),
            start + "header line at byte 0 must end with a line feed within 65536 bytes, got none");
}

TEST(EvtFile, DecodesHandMadeWords) {
  // EVT2: high = 2 (128 us), then x 5, y 7, brighter, 3 us later.
  std::string two = kEvt2Header;
  append_word<uint32_t>(two, 0x80000002);
  append_word<uint32_t>(two, 0x10000000 | 3u << 22 | 5u << 11 | 7u);
  // EVT3: time 1 * 4096 + 10; row 9; a vector of 12 from x 100: pixels 100 and 111; then a vector
  // of 8, which starts behind it at 112: pixel 113. A trigger between them changes nothing.
  std::string three = kEvt3Header;
  for (const uint32_t w : {0x8001, 0x600a, 0x0009, 0x3864, 0x4801, 0xa001, 0x5002})
    append_word<uint16_t>(three, w);
  const Recording a(two), b(three);
  ASSERT_EQ(a.view.index().size, 1);
  EXPECT_TRUE(same(a.view.read(0, 1)[0], {131, 5, 7, 1}));
  const std::vector<TimedEvent> events = b.view.read(0, 3);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_TRUE(same(events[0], {4106, 100, 9, 1}));
  EXPECT_TRUE(same(events[1], {4106, 111, 9, 1}));
  EXPECT_TRUE(same(events[2], {4106, 113, 9, 1}));
}

TEST(EvtFile, EventsWithoutTimeOrRowAreSkippedAndCounted) {
  std::string bytes = kEvt3Header;
  for (const uint32_t w : {0x0001, 0x2005, 0x8000, 0x2006}) append_word<uint16_t>(bytes, w);
  const Recording recording(bytes);
  EXPECT_EQ(recording.view.index().size, 1);
  EXPECT_EQ(recording.view.index().skipped, 1);
}

TEST(EvtFile, TheUpperTimeBitsWrap) {
  const int64_t wrap2 = int64_t{1} << 34, wrap3 = int64_t{1} << 24;
  const std::vector<TimedEvent> long2 = {{wrap2 - 70, 1, 1, 0}, {wrap2 + 5, 2, 1, 1}};
  const std::vector<TimedEvent> long3 = {
      {wrap3 - 5, 1, 1, 0}, {wrap3 + 5, 2, 1, 1}, {3 * wrap3 / 2, 3, 1, 1}, {2 * wrap3, 4, 1, 1}};
  const Recording two(encode_evt2(long2)), three(encode_evt3(long3));
  for (size_t i = 0; i < long2.size(); ++i)
    EXPECT_TRUE(same(two.view.read(0, 2)[i], long2[i])) << i;
  for (size_t i = 0; i < long3.size(); ++i)
    EXPECT_TRUE(same(three.view.read(0, 4)[i], long3[i])) << i;
  EXPECT_EQ(three.view.check(300, 400).unsorted, 0);
}

TEST(EvtFile, SmallStepsBackAreDisorder) {
  const Recording recording(encode_evt2({{1000, 1, 1, 0}, {500, 2, 1, 0}, {600, 3, 299, 0}}));
  EXPECT_EQ(recording.view.check(300, 400).unsorted, 1);
  EXPECT_EQ(recording.view.check(300, 400).first_unsorted, 1);
  EXPECT_EQ(recording.view.check(299, 400).first_outside, 2);
}

TEST(EvtFile, IndexAndRandomAccess) {
  const std::vector<TimedEvent> events = some_events(1, 60'000, 30'000'000);
  for (const bool two : {true, false}) {
    const Recording recording(two ? encode_evt2(events) : encode_evt3(events));
    const EvtView& file = recording.view;
    ASSERT_EQ(file.index().size, 60'000);
    EXPECT_GT(file.index().entries.size(), 1u);
    EXPECT_EQ(file.check(300, 400).unsorted, 0);
    EXPECT_EQ(file.index().skipped, 0);
    for (const auto& [first, last] : {std::pair<int64_t, int64_t>{0, 60'000},
                                      {59'999, 60'000},
                                      {31'234, 31'240},
                                      {7, 7},
                                      {20'000, 45'001}}) {
      const std::vector<TimedEvent> part = file.read(first, last);
      ASSERT_EQ(static_cast<int64_t>(part.size()), last - first);
      for (size_t i = 0; i < part.size(); ++i)
        ASSERT_TRUE(same(part[i], events[i + static_cast<size_t>(first)])) << i;
    }
    for (const int64_t t : {int64_t{-3}, int64_t{0}, int64_t{1}, int64_t{9'000'000},
                            int64_t{15'060'000}, int64_t{1} << 40}) {
      const auto expected = std::lower_bound(
          events.begin(), events.end(), t,
          [](const TimedEvent& e, int64_t value) { return e.t < value; });
      EXPECT_EQ(file.lower_bound(t), expected - events.begin()) << t;
    }
  }
}

TEST(EvtFile, WindowsAreThoseOfTheSameEventsInArrays) {
  const std::vector<TimedEvent> events = some_events(2, 50'000, 30'000'000);
  std::vector<int64_t> t;
  std::vector<uint16_t> x, y;
  std::vector<uint8_t> p;
  for (const TimedEvent& e : events) {
    t.push_back(e.t), x.push_back(e.x), y.push_back(e.y), p.push_back(e.polarity);
  }
  const EventColumns columns{t.data(), x.data(), y.data(), p.data(),
                             static_cast<int64_t>(events.size())};
  const Recording two(encode_evt2(events)), three(encode_evt3(events));
  for (const int64_t end : {100'000, 20'000'000, 31'000'000}) {
    const BinWindow window{end, 1'000'000, 4, 300, 400};
    std::vector<std::vector<uint8_t>> frames(3,
                                             std::vector<uint8_t>(size_t(window.elements()), 9));
    ColumnReader reader(columns, event_window(window), "columns");
    render_frames(reader, window, {}, frames[0].data());
    EvtReader reader2(two.view, event_window(window)), reader3(three.view, event_window(window));
    render_frames(reader2, window, {}, frames[1].data());
    render_frames(reader3, window, {}, frames[2].data());
    EXPECT_EQ(frames[0], frames[1]);
    EXPECT_EQ(frames[0], frames[2]);
  }
}

TEST(EvtFile, AWindowNamesTheBrokenEvent) {
  const auto window_of = [](const std::vector<TimedEvent>& events) {
    const Recording recording(encode_evt2(events));
    const BinWindow window{2000, 2000, 1, 300, 400};
    std::vector<uint8_t> frames(static_cast<size_t>(window.elements()));
    EvtReader reader(recording.view, event_window(window));
    try {
      render_frames(reader, window, {}, frames.data());
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(window_of({{500, 1, 1, 0}, {400, 1, 1, 0}}),
            "event file: a.raw: event times must not decrease, got 400 us at event 1 after 500 us");
  EXPECT_EQ(
      window_of({{500, 1, 1, 0}, {600, 401, 2, 0}}),
      "event file: a.raw: event 1 must lie within 300 x 400 pixels, got y 2, x 401");
}

TEST(EvtFile, EmptyRecordings) {
  const Recording recording(kEvt3Header);
  EXPECT_EQ(recording.view.index().size, 0);
  EXPECT_EQ(recording.view.lower_bound(5), 0);
  EXPECT_TRUE(recording.view.read(0, 0).empty());
}

}  // namespace
}  // namespace lampyris
