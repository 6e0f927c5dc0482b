#include <gtest/gtest.h>

#include <system_error>

#include "events/dat_bytes.h"
#include "events/dat_file.h"
#include "io/file_error.h"

namespace lampyris {
namespace {

TEST(DatFile, DecodesTheBitFields) {
  // Hand-made record: t = 0x01020304; x = 1 + 2^13 (14 bits), y = 5, polarity 1; bits 29-31 unused.
  const uint8_t bytes[8] = {0x04, 0x03, 0x02, 0x01, 0x01, 0x60, 0x01, 0xf0};
  const Event e = decode_event(bytes);
  EXPECT_EQ(e.t, 0x01020304u);
  EXPECT_EQ(e.x, 0x2001);
  EXPECT_EQ(e.y, 5);
  EXPECT_EQ(e.polarity, 1);
}

TEST(DatFile, ReadsEventsAndBisects) {
  const TemporaryDat dat(
      dat_bytes(kDatHeader, {{10, 0, 0, 0}, {20, 3, 2, 1}, {20, 1, 1, 0}, {4000000000u, 2, 0, 1}}));
  const DatFile dat_file(dat.path());
  const DatView& file = dat_file.view();
  ASSERT_EQ(file.size(), 4);
  EXPECT_EQ(file.header().width, 4);
  EXPECT_EQ(file.event(1).x, 3);
  EXPECT_EQ(file.event(3).t, 4000000000u);
  EXPECT_EQ(file.lower_bound(-5), 0);
  EXPECT_EQ(file.lower_bound(10), 0);
  EXPECT_EQ(file.lower_bound(11), 1);
  EXPECT_EQ(file.lower_bound(21), 3);
  EXPECT_EQ(file.lower_bound(int64_t{1} << 40), 4);
}

TEST(DatFile, CheckCountsDisorderAndStrayEvents) {
  const TemporaryDat dat(
      dat_bytes(kDatHeader, {{10, 0, 0, 0}, {9, 4, 0, 0}, {11, 0, 3, 1}, {5, 0, 0, 0}}));
  const EventCheck check = DatFile(dat.path()).view().check(3, 4);
  EXPECT_EQ(check.unsorted, 2);
  EXPECT_EQ(check.first_unsorted, 1);
  EXPECT_EQ(check.outside, 2);
  EXPECT_EQ(check.first_outside, 1);
}

TEST(DatFile, AnEmptyFileHasNoEvents) {
  const TemporaryDat dat("");
  const DatFile dat_file(dat.path());
  const DatView& file = dat_file.view();
  EXPECT_EQ(file.size(), 0);
  EXPECT_EQ(file.lower_bound(0), 0);
  EXPECT_EQ(file.check(1, 1).first_unsorted, -1);
}

TEST(DatFile, AMissingFileIsAFileError) {
  EXPECT_THROW(DatFile("/nonexistent/a_td.dat"), FileError);
}

}  // namespace
}  // namespace lampyris
