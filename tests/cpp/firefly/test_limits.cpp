// Every limit of docs/contract.md section 4, one program each, and all of them at once.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "firefly/program.h"
#include "firefly/v1_builder.h"

namespace lampyris::firefly {
namespace {

template <class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing";
}

struct Size {
  int channels = 16, height = 8, width = 8;
};

std::string spikes(Program& p, const std::string& name, Size s = {}) {
  return p.input(name, Kind::kSpikes, s.channels, s.height, s.width, p.time_steps());
}

struct Conv {
  int out = 16, in = 16, kernel_h = 1, kernel_w = 1;
  int stride = 1, padding = 0, shift = 0;
  int8_t weight = 1;
  int16_t bias = 0;
};

void conv(Program& p, const std::string& source, const Conv& c) {
  const std::vector<int8_t> weight(
      static_cast<size_t>(int64_t{c.out} * c.in * c.kernel_h * c.kernel_w), c.weight);
  const std::vector<int16_t> bias(static_cast<size_t>(c.out), c.bias);
  ConvSpec spec;
  spec.name = "c" + std::to_string(p.nodes().size()), spec.source = source, spec.bias = bias;
  spec.weight = {weight, c.out, c.in, c.kernel_h, c.kernel_w};
  spec.stride = c.stride, spec.padding = c.padding, spec.shift = c.shift;
  p.conv(spec);
}

void neuron(Program& p, int32_t theta, Leak leak, int k) {
  p.input("x", Kind::kStream, 16, 8, 8, 1);
  p.neuron({"n", {theta}, leak, k, false}, "x");
}

struct ProgramCase {
  const char* message;
  std::function<void(Program&)> fill;
  int steps = 2;
};

const std::vector<ProgramCase>& program_cases() {
  static const std::vector<ProgramCase> cases = {
      {"program: time_steps must be at most 256, got 257",
       [](Program& p) { conv(p, spikes(p, "s"), {}); }, 257},
      {"n: leak must be none, half_after or before", [](Program& p) {
         neuron(p, 1, Leak::kEveryPass, 2);
       }},
      {"n: k must be 1 to 4, got 5", [](Program& p) { neuron(p, 1, Leak::kBefore, 5); }},
      {"n: threshold must fit 18 bits [-131072, 131071], got 131072 at [0]",
       [](Program& p) { neuron(p, 131072, Leak::kNone, 2); }},
      {"c0: kernel must be 1 x 1 or 3 x 3, got 5 x 5",
       [](Program& p) { conv(p, spikes(p, "s"), {16, 16, 5, 5}); }},
      {"c0: kernel must be 1 x 1 or 3 x 3, got 3 x 1",
       [](Program& p) { conv(p, spikes(p, "s"), {16, 16, 3, 1}); }},
      {"c0: stride must be 1 or 2, got 3",
       [](Program& p) { conv(p, spikes(p, "s"), {16, 16, 1, 1, 3}); }},
      {"c0: padding must be 0, or 1 with a 3 x 3 kernel, got 1",
       [](Program& p) { conv(p, spikes(p, "s"), {16, 16, 1, 1, 1, 1}); }},
      {"c0: shift must be 0 to 4, got 5",
       [](Program& p) { conv(p, spikes(p, "s"), {16, 16, 1, 1, 1, 0, 5}); }},
      {"c0: weight must be in [-127, 127] on target ems, got -128 at element 0",
       [](Program& p) { conv(p, spikes(p, "s"), {16, 16, 1, 1, 1, 0, 0, -128}); }},
      {"c0: bias must be in [-32767, 32767], got -32768 at [0]",
       [](Program& p) { conv(p, spikes(p, "s"), {16, 16, 1, 1, 1, 0, 0, 1, -32768}); }},
      {"c0: width must be at most 512, got 520",
       [](Program& p) { conv(p, spikes(p, "s", {16, 2, 520}), {}); }},
      {"c0: inputs per output must be at most 65000, got 65008",
       [](Program& p) { conv(p, spikes(p, "s", {65008, 2, 2}), {1, 65008}); }},
      {"o: inputs per output must be at most 65000, got 70000",
       [](Program& p) {
         const std::vector<int8_t> weight(35000, 1);
         const std::vector<int16_t> bias(1, 0);
         p.output("o", spikes(p, "s", {35000, 2, 2}), {weight, 1, 35000, 1, 1}, bias);
       }},
      {"m: channels must be at most 65536, got 65552",
       [](Program& p) {
         p.input("x", Kind::kStream, 65536, 2, 2, 1);
         p.neuron({"n", {1}, Leak::kNone, 2, false}, "x");
         conv(p, "n", {16, 65536});
         p.concat("all", {"x", "c1"});
         p.max_pool("m", "all");
       }},
      {"c0: stride 2 must have an even input, got [7, 8]",
       [](Program& p) { conv(p, spikes(p, "s", {16, 7, 8}), {16, 16, 3, 3, 2, 1}); }},
      {"m: input must have even height and width, got [8, 5]",
       [](Program& p) { p.max_pool("m", spikes(p, "s", {16, 8, 5})); }},
      {"j: every part but the last must have a multiple of 16 channels, got 4 in \"c0\"",
       [](Program& p) {
         conv(p, spikes(p, "s"), {4});
         conv(p, "s", {16});
         p.concat("j", {"c0", "c1"});
       }},
      {"c0: a map above 4096 pixels must have an even width, got [65, 65]",
       [](Program& p) { conv(p, spikes(p, "s", {16, 65, 65}), {16, 16, 3, 3, 1, 1}); }},
  };
  return cases;
}

TEST(Limits, EveryLimitOfTheExtension) {
  for (const ProgramCase& limit : program_cases()) {
    Program program(16, limit.steps, "zcu104");
    limit.fill(program);
    const std::string message = message_of([&] { program.build(); });
    EXPECT_NE(message.find(limit.message), std::string::npos) << limit.message << "; " << message;
  }
}

TEST(Limits, AllOfAProgramAtOnce) {
  Program p(16, 300, "zcu104");
  spikes(p, "s", {16, 7, 520});
  conv(p, "s", {16, 16, 3, 3, 2, 1, 9, -128, -32768});
  p.neuron({"n", {1 << 18}, Leak::kBefore, 0, false}, "c0");
  p.max_pool("m", "s");
  const std::string message = message_of([&] { p.build(); });
  EXPECT_NE(message.find("got 10 violations: program: time_steps"), std::string::npos) << message;
  for (const char* part :
       {"c0: shift", "c0: weight", "c0: bias", "c0: stride 2", "c0: width", "n: threshold",
        "n: k must be 1", "m: input must have even", "m: width"})
    EXPECT_NE(message.find(part), std::string::npos) << part << "; " << message;
}

struct Released {
  Size in;
  int out = 16, steps = 1, layers = 1;
  bool pool = false, linear = false, winner = false;
  int8_t weight = 0;
  int16_t bias = 0;
  int32_t threshold = 1;
  Leak leak = Leak::kNone;
};

std::string build_released(const Released& r) {
  return message_of([&] {
    V1Builder builder(16, r.steps, r.in.channels, r.in.height, r.in.width, "zcu104");
    int in = r.linear ? r.in.channels * r.in.height * r.in.width : r.in.channels;
    for (int n = 0; n < r.layers; ++n, in = r.out) {
      const std::vector<int8_t> weight(
          static_cast<size_t>(int64_t{r.out} * in * (r.linear ? 1 : 9)), r.weight);
      const std::vector<int16_t> bias(static_cast<size_t>(r.out), r.bias);
      V1LayerSpec spec;
      spec.neuron = "n" + std::to_string(n), spec.weight = weight, spec.bias = bias;
      if (r.pool) spec.pool = "p" + std::to_string(n);
      spec.linear = r.linear, spec.winner = r.winner, spec.out = r.out, spec.in = in;
      spec.threshold = r.threshold, spec.leak = r.leak;
      builder.layer(spec);
    }
    builder.build();
  });
}

TEST(Limits, EveryLimitOfTheReleasedAccelerator) {
  const std::pair<const char*, Released> cases[] = {
      {"T must be at most 256, got 257", {.steps = 257}},
      {"H and W must be at most 512, got [4, 514]", {.in = {16, 4, 514}}},
      {"H W must be at most 4096, got 4160", {.in = {16, 64, 65}}},
      {"pooling must have even H and W, got [7, 8]", {.in = {16, 7, 8}, .pool = true}},
      {"input channels must be at most 1024, got 1040", {.in = {1040, 2, 2}}},
      {"inputs / 9 must be at most 1024", {.in = {16, 32, 32}, .linear = true}},
      {"channel tiles must be at most 256, got 257", {.in = {16, 2, 2}, .out = 4112}},
      {"channel tiles times T must be at most 4096, got 4160", {.in = {1024, 2, 2}, .steps = 65}},
      {"transfers must be below 8388608 bytes, got 8388608 in",
       {.in = {1024, 64, 64}, .steps = 16}},
      {"output fragments must start at multiples of 4 bytes", {.in = {16, 7, 7}, .steps = 2}},
      {"must have at most 16 classes, got 17",
       {.in = {16, 2, 2}, .out = 17, .linear = true, .winner = true}},
      {"n0: a winner-takes-all layer must be the last",
       {.in = {16, 2, 2}, .layers = 2, .linear = true, .winner = true}},
      {"leak must be none, half_after or leak_every_pass on target v1, got before",
       {.leak = Leak::kBefore}},
      {"bias must be in [-32767, 32767], got -32768 at [0]", {.bias = -32768}},
      {"threshold must fit 18 bits [-131072, 131071], got -131073", {.threshold = -131073}},
      {"membranes must fit 18 bits over T = 9", {.steps = 9, .weight = -127}},
  };
  for (const auto& [wanted, released] : cases) {
    const std::string message = build_released(released);
    EXPECT_NE(message.find(wanted), std::string::npos) << wanted << "; " << message;
    EXPECT_NE(message.find("program: network must fit target v1, got "), std::string::npos)
        << message;
  }
  const std::string all = build_released({.in = {16, 65, 67},
                                          .steps = 300,
                                          .pool = true,
                                          .bias = -32768,
                                          .threshold = 1 << 20,
                                          .leak = Leak::kBefore});
  EXPECT_NE(all.find("violations: p0: T must"), std::string::npos) << all;
  for (const char* part : {"leak must", "bias must", "threshold must", "H W must", "pooling must"})
    EXPECT_NE(all.find(part), std::string::npos) << part << "; " << all;
}

}  // namespace
}  // namespace lampyris::firefly
