#include "firefly/first_difference.h"

#include <gtest/gtest.h>

#include <cstring>

#include "firefly/device.h"
#include "firefly/image_writer.h"
#include "firefly/packing.h"
#include "firefly/trace_folder.h"
#include "io/temporary_folder.h"
#include "small_programs.h"

namespace lampyris::firefly {
namespace {

struct TracedRun {
  std::unique_ptr<LoadedImage> image;
  NpyArray input;
  Result result;

  ResultTrace trace() const { return ResultTrace(result, &input); }
};

NpyArray input_of(const Plan& plan, uint32_t seed) {
  const PlanMap& map = plan.map(plan.input);
  NpyArray array;
  array.type = map.kind == Kind::kSpikes ? NpyType::kBool : NpyType::kInt16;
  array.shape = {map.steps, map.channels, map.height, map.width};
  const size_t count =
      static_cast<size_t>(int64_t{map.steps} * map.channels * map.height * map.width);
  if (map.kind == Kind::kSpikes) {
    array.bytes = random_values<uint8_t>(count, 0, 1, seed);
  } else {
    const auto values = random_values<int16_t>(count, -20, 90, seed);
    array.bytes.resize(count * 2);
    std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  }
  return array;
}

TracedRun run(const Image& image) {
  TracedRun out{std::make_unique<LoadedImage>(image), {}, {}};
  out.input = input_of(out.image->plan, 9);
  DeviceOptions options;
  options.parallelism = out.image->plan.parallelism, options.trace = true;
  options.memory_bytes = 1 << 22;
  Device device(options);
  Driver driver(device);
  driver.load(*out.image);
  Frame frame;
  frame.shape = out.input.shape;
  if (out.input.type == NpyType::kBool)
    frame.spikes = out.input.bytes;
  else
    frame.currents = {reinterpret_cast<const int16_t*>(out.input.bytes.data()),
                      out.input.bytes.size() / 2};
  out.result = driver.run(frame);
  return out;
}

Image v1_image(bool winner) {
  V1Builder builder(16, 3, 20, 8, 8, "zcu104");
  const auto w1 = random_values<int8_t>(24 * 20 * 9, -30, 40, 1);
  const auto b1 = random_values<int16_t>(24, -50, 50, 2);
  V1LayerSpec conv = v1_conv("n1", w1, b1, 24, 20, 900);
  conv.pool = "p1", conv.leak = Leak::kHalfAfter;
  builder.layer(conv);
  const auto w2 = random_values<int8_t>(11 * 24 * 16, -30, 30, 3);
  const auto b2 = random_values<int16_t>(11, -50, 50, 4);
  V1LayerSpec linear = v1_conv("n2", w2, b2, 11, 24 * 16, 60);
  linear.linear = true, linear.winner = winner;
  builder.layer(linear);
  return builder.build();
}

// One byte of a tensor changed; registers and plan stay.
Image edited(Image image, const std::string& tensor, size_t byte, uint8_t flip) {
  for (ImageTensor& t : image.tensors)
    if (t.name == tensor) t.bytes.at(byte) ^= flip;
  return image;
}

// The explanation of every value of a run gives that value.
void explains_itself(const Image& image) {
  const TracedRun r = run(image);
  const ResultTrace trace = r.trace();
  int64_t checked = 0;
  const auto all = [&](const Keyed<StoredMap>& maps, Quantity quantity) {
    for (const auto& [name, stored] : maps.items()) {
      const TraceMap map = *trace.find(quantity, name);
      Place place = find_place(r.image->plan, quantity, name);
      if (place.layer < 0) continue;
      for (place.t = 0; place.t < map.steps; ++place.t)
        for (place.channel = 0; place.channel < map.channels; place.channel += 3)
          for (place.y = 0; place.y < map.height; place.y += 2)
            for (place.x = 0; place.x < map.width; ++place.x, ++checked) {
              const Operands o = explain(*r.image, trace, place);
              ASSERT_EQ(o.value, map.at(place.t, place.channel, place.y, place.x))
                  << name << " t " << place.t << " channel " << place.channel << "\n"
                  << operands_text(o);
            }
    }
  };
  all(r.result.spikes, Quantity::kSpikes);
  all(r.result.streams, Quantity::kStream);
  all(r.result.membranes, Quantity::kMembrane);
  all(r.result.outputs, Quantity::kOutput);
  EXPECT_GT(checked, 300);
}

TEST(Explain, GivesEveryValueOfEms) { explains_itself(small_program().build()); }
TEST(Explain, GivesEveryValueOfV1) { explains_itself(v1_image(false)); }
TEST(Explain, GivesEveryValueOfAClassifier) { explains_itself(v1_image(true)); }

TEST(Explain, HandComputedNeuron) {
  Program program(16, 2, "zcu104");
  program.input("x", Kind::kStream, 1, 1, 2, 1);
  program.neuron({"n", {30}, Leak::kBefore, 2, false}, "x");
  const Image image = program.build();
  const LoadedImage loaded(image);
  Result result;
  StoredMap& x = result.streams["x"];
  x.steps = 1, x.channels = 1, x.height = 1, x.width = 2, x.parallelism = 1;
  x.currents.reshape(1, 1, 1, 2, 1);
  x.currents.values = {27, 40};
  const ResultTrace trace(result);
  const Operands o = explain(loaded, trace, {0, "n", Quantity::kSpikes, 1, 0, 0, 0});
  EXPECT_EQ(o.neuron->previous, 27);
  EXPECT_EQ(o.neuron->charged, 27 / 4 + 27);  // 6 + 27 = 33 > 30
  EXPECT_TRUE(o.neuron->fired);
  EXPECT_EQ(o.value, 1);
  EXPECT_EQ(explain(loaded, trace, {0, "n", Quantity::kMembrane, 0, 0, 0, 1}).value, 0);
  EXPECT_EQ(explain(loaded, ResultTrace(Result{}), {0, "n", Quantity::kSpikes, 1, 0, 0, 0}).missing,
            "stream \"x\"");
}

TEST(FirstDifference, EqualRuns) {
  const TracedRun a = run(small_program().build());
  const TraceComparison c = compare_traces(*a.image, a.trace(), a.trace());
  EXPECT_TRUE(c.equal());
  EXPECT_FALSE(c.first);
  EXPECT_GT(c.values, 3000);
}

// Weight of channel 2 from channel 5 at the centre of c1: the first value it can touch.
TEST(FirstDifference, NamesAFlippedWeight) {
  const Image image = small_program().build();
  const size_t byte = static_cast<size_t>((4 * 16 + 5) * 16 + 2);
  const TracedRun a = run(image), b = run(edited(image, "layer.001.weights", byte, 0x41));
  const TraceComparison c = compare_traces(*b.image, b.trace(), a.trace());
  ASSERT_TRUE(c.first);
  const Difference& d = *c.first;
  EXPECT_EQ(d.layer, "c1");
  EXPECT_EQ(d.place.quantity, Quantity::kStream);
  EXPECT_EQ(d.place.channel, 2);
  EXPECT_EQ(d.tile, 0);
  // No earlier pixel has a spike on channel 5.
  const TraceMap spikes = *a.trace().find(Quantity::kSpikes, "n0");
  for (int t = 0; t <= d.place.t; ++t)
    for (int i = 0; i < 48; ++i)
      if (t < d.place.t || i < d.place.y * 8 + d.place.x) {
        EXPECT_EQ(spikes.at(t, 5, i / 8, i % 8), 0);
      }
  EXPECT_EQ(spikes.at(d.place.t, 5, d.place.y, d.place.x), 1);
  // The operands are the edited image's: they give the left value and hold the edited weight.
  EXPECT_EQ(d.operands.value, d.left);
  const auto stored = static_cast<int8_t>(run(image).image->weights[1][byte] ^ 0x41);
  bool found = false;
  for (const Product& p : d.operands.products)
    found |= p.channel == 5 && p.tap_y == 1 && p.tap_x == 1 && p.weight == stored;
  EXPECT_TRUE(found);
  EXPECT_NE(difference_text(d, "board", "model").find("c1: stream \"c1\" differs at t "),
            std::string::npos);
}

TEST(FirstDifference, NamesAFlippedBiasAndThreshold) {
  const Image image = small_program().build();
  const TracedRun a = run(image);
  const TracedRun bias = run(edited(image, "layer.001.bias", 2 * 17, 1));  // channel 17: second tile
  const Difference d = *compare_traces(*bias.image, bias.trace(), a.trace()).first;
  EXPECT_EQ(std::tie(d.layer, d.place.t, d.tile, d.place.y, d.place.x, d.place.channel),
            std::make_tuple("c1", 0, 1, 0, 0, 17));
  EXPECT_EQ(std::abs(d.left - d.right), 1);

  // The first step at which channel 3 comes near its threshold from the other side.
  const LoadedImage& loaded = *a.image;
  const int32_t theta = loaded.plan.layers[1].threshold[3];
  Plan plan = loaded.plan;
  plan.layers[1].threshold[3] = theta - 300;
  Image other = image;
  other.plan_json = plan_to_json(plan);
  for (ImageTensor& t : other.tensors)
    if (t.name == "layer.001.bias") {
      const int32_t changed = theta - 300;
      std::memcpy(t.bytes.data() + 32 * 2 + 3 * 4, &changed, 4);
    }
  const TracedRun b = run(other);
  const Difference e = *compare_traces(*b.image, b.trace(), a.trace()).first;
  EXPECT_EQ(e.layer, "c1");
  EXPECT_EQ(e.place.quantity, Quantity::kSpikes);
  EXPECT_EQ(e.place.channel, 3);
  EXPECT_EQ(e.operands.neuron->threshold, theta - 300);
  EXPECT_GT(e.operands.neuron->charged, theta - 300);
  EXPECT_LE(e.operands.neuron->charged, theta);
}

TEST(FirstDifference, V1NamesTheLayerBehindThePool) {
  const Image image = v1_image(false);
  const TracedRun a = run(image), b = run(edited(image, "layer.001.bias", 2 * 4, 0x20));
  const Difference d = *compare_traces(*b.image, b.trace(), a.trace()).first;
  EXPECT_EQ(d.layer, "n2");
  EXPECT_EQ(d.place.channel, 4);
  EXPECT_EQ(d.operands.value, d.left);
}

TEST(FirstDifference, FoldersHoldWhatTheRunGave) {
  const TemporaryFolder folder;
  const TracedRun a = run(small_program().build());
  EXPECT_GT(save_trace(folder.path() + "/run", a.result, a.input), 5);
  const FolderTrace files(folder.path() + "/run");
  EXPECT_TRUE(compare_traces(*a.image, a.trace(), files).equal());
  EXPECT_TRUE(compare_traces(*a.image, a.trace(), files).only_left.empty());
  EXPECT_EQ(trace_file("f", Quantity::kSpikes, "a/b.c d"), "f/spikes/a%2Fb.c%20d.npy");
  EXPECT_THROW(FolderTrace(folder.path() + "/none"), std::system_error);
}

TEST(FirstDifference, RefusesOtherShapesAndNothing) {
  const TracedRun a = run(small_program().build()), b = run(small_program(16, 2).build());
  EXPECT_THROW(compare_traces(*a.image, a.trace(), b.trace()), std::invalid_argument);
  EXPECT_THROW(compare_traces(*a.image, a.trace(), ResultTrace(Result{})), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::firefly
