#include <gtest/gtest.h>

#include <random>
#include <stdexcept>
#include <string>

#include "events/dat_header.h"

namespace lampyris {
namespace {

DatHeader parse(const std::string& bytes) {
  return parse_dat_header({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "a.dat");
}

std::string refusal(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

const std::string kTypeAndSize("\0\x08", 2);

TEST(DatHeader, ReadsKeywordsAndOffset) {
  const std::string text =
      "% Data file containing Event2D events.\n% Version 2\n% Height 240\n% Width 304\n";
  const DatHeader header = parse(text + kTypeAndSize + std::string(16, 'a'));
  EXPECT_EQ(header.data_offset, static_cast<int64_t>(text.size()) + 2);
  EXPECT_EQ(header.height, 240);
  EXPECT_EQ(header.width, 304);
  EXPECT_EQ(header.event_type, kDatEvent2d);
}

TEST(DatHeader, SizeMayBeMissingAndTypeMayBeCd) {
  const DatHeader header = parse("% Version 2\n" + std::string("\x0c\x08", 2));
  EXPECT_EQ(header.height, 0);
  EXPECT_EQ(header.width, 0);
  EXPECT_EQ(header.event_type, kDatEventCd);
}

TEST(DatHeader, FilesWithoutHeaderStartWithEvents) {
  EXPECT_EQ(parse(std::string(8, '\0')).data_offset, 0);
  EXPECT_EQ(parse("").data_offset, 0);
}

TEST(DatHeader, CarriageReturnsAndEmptyLinesAreAccepted) {
  EXPECT_EQ(parse("% Width 12\r\n%\n" + kTypeAndSize).width, 12);
}

TEST(DatHeader, Refusals) {
  EXPECT_EQ(
      refusal("% Width"),
      "event file: a.dat: header line at byte 0 must end with a line feed within 65536 bytes, "
      "got none");
  EXPECT_EQ(refusal("% Width 12\n\n"),
            "event file: a.dat: header must be followed by event type and size, got the end of the "
            "file");
  EXPECT_EQ(refusal("% Width 0\n" + kTypeAndSize),
            "event file: a.dat: Width must be 1..16384, got \"0\"");
  EXPECT_EQ(refusal("% Height 1e3\n" + kTypeAndSize),
            "event file: a.dat: Height must be 1..16384, got \"1e3\"");
  EXPECT_EQ(refusal("% Height\n" + kTypeAndSize),
            "event file: a.dat: Height must be 1..16384, got \"\"");
  EXPECT_EQ(refusal("% Version 2\n" + std::string("\x0e\x08", 2)),
            "event file: a.dat: event type must be 0 (2D) or 12 (CD), got 14");
  EXPECT_EQ(refusal("% Version 2\n" + std::string("\0\x10", 2)),
            "event file: a.dat: event size must be 8 bytes, got 16");
  EXPECT_EQ(
      refusal("% Version 2\n" + kTypeAndSize + "12345"),
      "event file: a.dat: events must be whole (8 bytes each), got 5 bytes too many: cut short?");
}

TEST(DatHeader, AHeaderThatNeverEndsIsRefused) {
  EXPECT_NE(refusal("% " + std::string(kDatMaxHeaderBytes, 'x') + "\n" + kTypeAndSize), "accepted");
}

TEST(DatHeader, EveryCutOfAFileIsReadOrRefused) {
  const std::string bytes = "% Version 2\n% Width 4\n" + kTypeAndSize + std::string(24, '\1');
  int accepted = 0;
  for (size_t length = 0; length <= bytes.size(); ++length) {
    accepted += refusal(bytes.substr(0, length)) == "accepted";
  }
  // Empty, and 0 to 3 whole events; no cut inside the header.
  EXPECT_EQ(accepted, 5);
}

TEST(DatHeader, RandomBytesAreSafe) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = round % 2 ? "% " : "";
    const int length = static_cast<int>(random() % 64);
    for (int i = 0; i < length; ++i) bytes += "% \n\r0Width\xff\x08"[random() % 12];
    try {
      const DatHeader header = parse(bytes);
      EXPECT_LE(header.data_offset, static_cast<int64_t>(bytes.size()));
      EXPECT_EQ((static_cast<int64_t>(bytes.size()) - header.data_offset) % kDatEventBytes, 0);
    } catch (const std::invalid_argument&) {
    }
  }
}

}  // namespace
}  // namespace lampyris
