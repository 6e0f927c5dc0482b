#include "firefly/vcd.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace lampyris::firefly {
namespace {

TEST(Vcd, ByHand) {
  VcdWriter vcd({"top", "layer one"});
  const int clock = vcd.add("clk", 1), sum = vcd.add("sum[0]", 4);
  vcd.set(clock, 1), vcd.set(sum, -3);
  vcd.tick(0);
  vcd.set(clock, 0);
  vcd.tick(50);
  vcd.tick(70);  // nothing changed
  vcd.set(clock, 1), vcd.set(sum, 16);  // the fifth bit is cut
  vcd.tick(100);
  EXPECT_EQ(vcd.finish(),
            "$version lampyris firefly $end\n$timescale 1 ps $end\n"
            "$scope module top $end\n$scope module layer_one $end\n"
            "$var wire 1 ! clk $end\n$var wire 4 \" sum_0_ [3:0] $end\n"
            "$upscope $end\n$upscope $end\n$enddefinitions $end\n"
            "$dumpvars\nx!\nbx \"\n$end\n"
            "#0\n1!\nb1101 \"\n#50\n0!\n#100\n1!\nb0 \"\n#101\n");
}

TEST(Vcd, ManySignalsHaveTheirOwnCodes) {
  VcdWriter vcd({});
  for (int i = 0; i < 300; ++i) vcd.add("s", 2);
  const std::string file = vcd.finish();
  EXPECT_NE(file.find("$var wire 2 ~ s [1:0]"), std::string::npos);    // 94th
  EXPECT_NE(file.find("$var wire 2 !\" s [1:0]"), std::string::npos);  // 95th
}

TEST(Vcd, Refuses) {
  VcdWriter vcd({});
  EXPECT_THROW(vcd.add("s", 0), std::invalid_argument);
  EXPECT_THROW(vcd.add("s", 65), std::invalid_argument);
  vcd.tick(5);
  EXPECT_THROW(vcd.tick(5), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::firefly
