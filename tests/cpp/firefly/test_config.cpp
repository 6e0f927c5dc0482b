#include <gtest/gtest.h>

#include <string>

#include "firefly/command.h"
#include "firefly/config.h"

namespace lampyris::firefly {
namespace {

std::string refusal(const std::string& json) {
  try {
    config_from_json(json);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Config, JsonKeepsEveryMember) {
  for (const std::string& preset : preset_names())
    for (const int parallelism : {16, 32}) {
      const Config config = preset_config(preset, parallelism);
      EXPECT_EQ(config_from_json(config_to_json(config)), config);
    }
}

TEST(Config, JsonChangesWhatItNames) {
  Config expected = preset_config("kv260", 32);
  expected.line_depth = 64, expected.reload = Reload::kSkid, expected.ddr_bytes_per_cycle = 12.5;
  EXPECT_EQ(config_from_json(R"({"preset": "kv260", "parallelism": 32, "line_depth": 64,
                                 "reload": "skid", "ddr_bytes_per_cycle": 12.5})"),
            expected);
  EXPECT_EQ(expected.weight_bus_bytes, 16);
}

TEST(Config, Refusals) {
  EXPECT_NE(refusal("[1]").find("JSON object"), std::string::npos);
  EXPECT_NE(refusal("{").find("JSON object"), std::string::npos);
  EXPECT_NE(refusal("{}").find("preset must be"), std::string::npos);
  EXPECT_NE(refusal(R"({"preset": "u96"})").find("got \"u96\""), std::string::npos);
  EXPECT_NE(refusal(R"({"preset": "ultra96", "depth": 1})").find("psum_depth"), std::string::npos);
  EXPECT_NE(refusal(R"({"preset": "ultra96", "cores": 1.5})").find("integer"), std::string::npos);
  EXPECT_NE(refusal(R"({"preset": "ultra96", "reload": "none"})").find("skid"), std::string::npos);
  EXPECT_NE(refusal(R"({"preset": "ultra96", "parallelism": 8})").find("16 or 32"),
            std::string::npos);
  const std::string both =
      refusal(R"({"preset": "ultra96", "psum_depth": 0, "weight_bus_bytes": 12, "clock_hz": -1})");
  EXPECT_NE(both.find("psum_depth"), std::string::npos);
  EXPECT_NE(both.find("weight_bus_bytes"), std::string::npos);
  EXPECT_NE(both.find("clock_hz"), std::string::npos);
}

// Limits are those of the build, not of the code.
TEST(Config, LimitsFollowTheSizes) {
  Command c;
  c.spikes_out = true, c.kernel = 1, c.in_h = c.out_h = 8, c.in_w = c.out_w = 16;
  c.co_tiles = 3;
  c.weight_bytes = 3 * 256, c.bias = 1024, c.bias_bytes = 96;
  c.source = {2048, 0, 0}, c.spikes = {4096, 256, 256};
  const uint64_t memory = 1 << 20;
  Config config = preset_config("ultra96");
  EXPECT_EQ(check_command(c, config, memory), ErrorCode::kNone);
  config.line_depth = 15;
  EXPECT_NE(check_command(c, config, memory).what.find("line buffer"), std::string_view::npos);
  config = preset_config("ultra96"), config.psum_depth = 127;
  EXPECT_NE(check_command(c, config, memory).what.find("membrane buffer"), std::string_view::npos);
  config = preset_config("ultra96"), config.bias_depth = 2;
  EXPECT_NE(check_command(c, config, memory).what.find("bias FIFO"), std::string_view::npos);
  config = preset_config("ultra96"), config.weight_bus_bytes = 16;
  c.weights = 8;
  EXPECT_EQ(check_command(c, config, memory), ErrorCode::kAlignment);
}

}  // namespace
}  // namespace lampyris::firefly
