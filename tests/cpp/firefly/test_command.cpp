#include <gtest/gtest.h>

#include "firefly/command.h"
#include "firefly/config.h"

namespace lampyris::firefly {
namespace {

constexpr uint64_t kMemory = 1 << 20;
const Config kBoard = preset_config("zcu104", 16);

RegisterValues values_of(const std::vector<RegisterWrite>& writes) {
  RegisterValues values{};
  for (const RegisterWrite& write : writes) values[write.offset / 4] = write.value;
  return values;
}

Command good_conv() {
  Command c;
  c.spikes_out = c.stream_out = c.preload = c.table = true;
  c.shift = 3, c.leak = Leak::kBefore, c.k = 2, c.kernel = 3, c.stride = 2;
  c.pad_top = c.pad_left = c.pad_right = true;
  c.in_h = 8, c.in_w = 10, c.out_h = 4, c.out_w = 5;
  c.ci_tiles = 2, c.co_tiles = 3, c.steps = 4, c.theta = -7;
  c.source = {0, 640, 320}, c.residual = {4096, 0, 640}, c.spikes = {8192, 144, 48};
  c.stream = {12288, 1920, 640};
  c.weights = 65536, c.weight_bytes = 2 * 3 * 9 * 256;
  c.bias = 131072, c.bias_bytes = 3 * 16 * 6;
  return c;
}

TEST(Command, ExtensionRoundTrip) {
  const Command c = good_conv();
  const auto writes = encode_command(c);
  ASSERT_EQ(writes.size(), static_cast<size_t>(kCommandWrites));
  EXPECT_EQ(encode_command(decode_command(values_of(writes))), writes);
  EXPECT_EQ(writes[0].offset, 0x90u);
  // op 1, preload, spikes, stream, shift 3 << 9, before 2 << 12, k 2 << 14, table << 18
  EXPECT_EQ(writes[0].value,
            1u | 1u << 4 | 1u << 5 | 1u << 6 | 3u << 9 | 2u << 12 | 2u << 14 | 1u << 18);
  EXPECT_EQ(writes[1].value, 3u | 2u << 4 | 1u << 8 | 1u << 10 | 1u << 11);
  EXPECT_EQ(writes[2].value, 7u << 16 | 9u);
  EXPECT_EQ(writes[4].value, 2u << 12 | 1u);
  EXPECT_EQ(writes[6].value, 0xFFFFFFF9u);
  EXPECT_EQ(check_command(c, kBoard, kMemory), ErrorCode::kNone);
}

TEST(Command, ReleasedRoundTrip) {
  V1Command c;
  c.ci_tiles = 3, c.co_tiles = 2, c.steps = 4, c.ci_steps = 12, c.co_steps = 8;
  c.weight_length = 48, c.theta = -5, c.height = 6, c.width = 10;
  c.pool = true, c.leak = true;
  c.input = 64, c.input_bytes = 60 * 4 * 3 * 2, c.output_bytes = 15 * 2;
  c.output = {4096, 64, 32};
  c.weights = 8192, c.weight_bytes = 6 * 9 * 256, c.bias = 32768, c.bias_bytes = 64;
  const auto writes = encode_v1(c);
  ASSERT_EQ(writes.size(), static_cast<size_t>(kV1Writes));
  EXPECT_EQ(encode_v1(decode_v1(values_of(writes))), writes);
  EXPECT_EQ(writes[0].value, 3u << 16 | 1u << 8 | 2u);
  EXPECT_EQ(writes[2].value, static_cast<uint32_t>(-5) << 14 | 47u);
  EXPECT_EQ(writes[3].value, 1u << 31 | 1u << 28 | 5u << 16 | 9u);
  EXPECT_EQ(check_v1(c, kBoard, kMemory), ErrorCode::kNone);
  c.output.stride_c = 30;
  EXPECT_EQ(check_v1(c, kBoard, kMemory), ErrorCode::kAlignment);
}

struct Broken {
  const char* what;
  void (*change)(Command&);
  ErrorCode code;
};

TEST(Command, EveryRangeIsChecked) {
  const Broken cases[] = {
      {"op", [](Command& c) { c.op = static_cast<Op>(7); }, ErrorCode::kOperation},
      {"no output", [](Command& c) { c.spikes_out = c.stream_out = false; }, ErrorCode::kOperation},
      {"two third outputs", [](Command& c) { c.membrane_out = true; }, ErrorCode::kOperation},
      {"accumulate and fire", [](Command& c) { c.stream_out = false, c.accumulate = true; },
       ErrorCode::kOperation},
      {"kernel", [](Command& c) { c.kernel = 5; }, ErrorCode::kRange},
      {"stride", [](Command& c) { c.stride = 3; }, ErrorCode::kRange},
      {"shift", [](Command& c) { c.shift = 5; }, ErrorCode::kRange},
      {"k", [](Command& c) { c.k = 5; }, ErrorCode::kRange},
      {"leak", [](Command& c) { c.leak = Leak::kEveryPass; }, ErrorCode::kRange},
      {"theta", [](Command& c) { c.theta = 1 << 17; }, ErrorCode::kRange},
      {"output rows", [](Command& c) { c.out_h = 5; }, ErrorCode::kRange},
      {"width", [](Command& c) { c.in_w = 514; }, ErrorCode::kRange},
      {"steps", [](Command& c) { c.steps = 257; }, ErrorCode::kRange},
      {"weights", [](Command& c) { c.weight_bytes -= 16; }, ErrorCode::kRange},
      {"bias", [](Command& c) { c.bias_bytes += 2; }, ErrorCode::kRange},
      {"weight address", [](Command& c) { c.weights += 4; }, ErrorCode::kAlignment},
      {"spike address", [](Command& c) { c.source.base += 2; }, ErrorCode::kAlignment},
      {"stream stride", [](Command& c) { c.stream.stride_c += 8; }, ErrorCode::kAlignment},
      {"memory", [](Command& c) { c.spikes.base = kMemory - 16; }, ErrorCode::kMemory},
      {"wrap-around", [](Command& c) { c.spikes.base = 0xFFFFFFF0; }, ErrorCode::kMemory},
  };
  for (const Broken& broken : cases) {
    Command c = good_conv();
    broken.change(c);
    EXPECT_EQ(check_command(c, kBoard, kMemory), broken.code) << broken.what;
  }
}

TEST(Config, Presets) {
  EXPECT_EQ(preset_config("zcu104").parallelism, 32);
  EXPECT_EQ(preset_config("zcu104", 16).weight_bus_bytes, 8);
  EXPECT_EQ(preset_config("kv260").cores, 2);
  EXPECT_THROW(preset_config("vcu118"), std::invalid_argument);
  EXPECT_THROW(preset_config("zcu104", 8), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::firefly
