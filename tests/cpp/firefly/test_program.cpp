#include <gtest/gtest.h>

#include <cstring>

#include "firefly/check_plan.h"
#include "firefly/device.h"
#include "firefly/driver.h"
#include "firefly/packing.h"
#include "firefly/program.h"
#include "small_programs.h"

namespace lampyris::firefly {
namespace {

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Program, ImageSurvivesFileAndRuns) {
  const Image image = read_image(write_image(small_program().build()));
  check_program(image);
  const LoadedImage loaded(image);
  Device device;
  Driver driver(device);
  driver.load(loaded);
  const auto currents = random_values<int16_t>(16 * 6 * 8, -100, 100, 6);
  Frame frame;
  frame.currents = currents;
  frame.shape = {1, 16, 6, 8};
  const Result result = driver.run(frame);
  ASSERT_NE(result.outputs.find("head"), nullptr);
  ASSERT_NE(result.spikes.find("n1"), nullptr);
  EXPECT_EQ(result.streams.find("c1"), nullptr);
  EXPECT_GT(result.cycles, 0);
  EXPECT_EQ(result.layer_cycles.size(), 3u);
  frame.shape = {1, 16, 8, 6};
  EXPECT_THROW(driver.run(frame), std::invalid_argument);
}

TEST(Program, EveryRegisterBitIsChecked) {
  const Image good = small_program().build();
  for (size_t n = 0; n < 3; ++n) {
    const std::string name = layer_tensor(n, "registers");
    const size_t bytes = good.find(name)->bytes.size();
    for (size_t at = 0; at < bytes; ++at) {
      Image image = good;
      for (ImageTensor& tensor : image.tensors)
        if (tensor.name == name) tensor.bytes[at] ^= static_cast<uint8_t>(1 << at % 8);
      EXPECT_THROW(check_program(image), std::invalid_argument) << name << " byte " << at;
    }
  }
}

TEST(Program, PlanChangesAreFound) {
  const Image good = small_program().build();
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"threshold\":[30]", "\"threshold\":[31]"},
           {"\"time_steps\":3", "\"time_steps\":4"},
           {"\"leak\":\"before\"", "\"leak\":\"half_after\""},
           {"\"parallelism\":16", "\"parallelism\":32"},
           {"\"kernel\":3", "\"kernel\":1"},
           {"\"target\":\"ems\"", "\"target\":\"v1\""},
           {"\"row1\":6", "\"row1\":5"},
           {"\"writes\":25", "\"writes\":24"},
           {"\"op\":\"output\"", "\"op\":\"conv\""},
           {"\"height\":6", "\"height\":600000"},
           {"\"steps\":1", "\"steps\":-1"},
           {"\"step\":[\"0x1p-3\"", "\"step\":[\"nan\""}}) {
    Image image = good;
    const size_t at = image.plan_json.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    image.plan_json.replace(at, from.size(), to);
    EXPECT_THROW(check_program(image), std::invalid_argument) << to;
  }
}

// Plans that describe memory the driver must not touch, in maps whose registers say the same.
TEST(Program, PlansThatWouldOverrunAreRefused) {
  const Plan good = plan_from_json(small_program().build().plan_json);
  struct Case {
    const char* message;
    void (*change)(Plan&);
  };
  const Case cases[] = {
      {"int32 map \"head\" must have 1 step", [](Plan& p) { p.maps.back().steps = p.steps; }},
      {"strides that keep its blocks apart", [](Plan& p) { p.maps[1].stride_t = 0; }},
      {"strides that keep its blocks apart",
       [](Plan& p) { p.maps[2].stride_c = 16, p.maps[2].stride_t = 32; }},
      {"must use maps of shape", [](Plan& p) { p.layers[1].stream = "x"; }},
      {"must have names of its own", [](Plan& p) { p.layers[1].neuron = "n0"; }},
      {"must have names of its own", [](Plan& p) { p.layers[1].current = "x"; }},
      {"input \"head\" must be spikes or a stream", [](Plan& p) { p.input = "head"; }},
      {"must read spikes, got stream",
       [](Plan& p) { p.layers[1].inputs = {"x"}, p.layers[1].in_channels = 16; }},
      {"must take and give spikes only", [](Plan& p) { p.target = "v1"; }},
  };
  EXPECT_NO_THROW(check_plan(good));
  for (const Case& broken : cases) {
    Plan plan = good;
    broken.change(plan);
    const std::string message = message_of([&] { check_plan(plan); });
    EXPECT_NE(message.find(broken.message), std::string::npos)
        << broken.message << "; got " << message;
  }
}

TEST(Program, MissingAndTruncatedTensors) {
  const Image good = small_program().build();
  for (size_t i = 0; i < good.tensors.size(); ++i) {
    Image image = good;
    image.tensors.erase(image.tensors.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_THROW(check_program(image), std::invalid_argument) << good.tensors[i].name;
    image = good;
    image.tensors[i].bytes.resize(image.tensors[i].bytes.size() - 8);
    EXPECT_THROW(check_program(image), std::invalid_argument) << good.tensors[i].name;
  }
}

TEST(Program, Refusals) {
  Program program(16, 2, "zcu104");
  program.input("x", Kind::kStream, 16, 5, 6, 1);
  EXPECT_EQ(message_of([&] { program.neuron({"x", {1}, Leak::kNone, 2, false}, "x"); }),
            "x: name must be new, got \"x\" again");
  EXPECT_EQ(message_of([&] { program.upsample("u", "nowhere"); }),
            "u: source must name a map of this program, got \"nowhere\"");
  const std::vector<int8_t> weight(16 * 16, -128);
  const std::vector<int16_t> bias(16, 0);
  program.neuron({"n", {1}, Leak::kNone, 2, false}, "x");
  ConvSpec conv;
  conv.name = "c", conv.source = "n", conv.weight = {weight, 16, 16, 1, 1}, conv.bias = bias;
  conv.padding = 0;
  conv.source = "x";
  EXPECT_EQ(message_of([&] { program.conv(conv); }), "c: \"x\" must be spikes, got stream");
}

TEST(Program, LimitsAreListedTogether) {
  Program program(16, 2, "zcu104");
  program.input("s", Kind::kSpikes, 16, 3, 520, 2);
  const std::vector<int8_t> weight(16 * 16 * 9, 1);
  const std::vector<int16_t> bias(16, 0);
  for (const std::string name : {"a", "b"}) {
    ConvSpec conv;
    conv.name = name, conv.source = "s", conv.weight = {weight, 16, 16, 3, 3}, conv.bias = bias;
    conv.stride = 2;
    program.conv(conv);
  }
  const std::string message = message_of([&] { program.build(); });
  EXPECT_NE(message.find("got 4 violations: a: stride 2"), std::string::npos) << message;
  EXPECT_NE(message.find("b: width must be at most 512"), std::string::npos) << message;
}

}  // namespace
}  // namespace lampyris::firefly
