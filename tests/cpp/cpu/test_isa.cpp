#include <gtest/gtest.h>

#include <stdexcept>

#include "cpu/isa.h"

namespace lampyris {
namespace {

TEST(Isa, NamesRoundTrip) {
  for (const Isa isa : {Isa::kBase, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    EXPECT_EQ(parse_isa(isa_name(isa)), isa);
  }
}

TEST(Isa, UnknownNameIsRefused) {
  try {
    parse_isa("sse9");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "LAMPYRIS_ISA: must be base, avx2, avx512 or amx, got \"sse9\"");
  }
}

TEST(Isa, NeverAboveWhatIsAvailable) {
  const Isa before = set_isa(Isa::kAmx);
  EXPECT_EQ(isa(), isa_available());
  EXPECT_EQ(set_isa(Isa::kBase), isa_available());
  EXPECT_EQ(isa(), Isa::kBase);
  set_isa(before);
}

}  // namespace
}  // namespace lampyris
