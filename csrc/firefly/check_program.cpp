// Agreement of registers, parameters and plan: the stored register writes must be exactly those
// the plan means, and every command must pass the device's own checks.
#include <cstring>

#include "core/error.h"
#include "firefly/check_plan.h"
#include "firefly/image.h"
#include "firefly/image_writer.h"
#include "firefly/plan_commands.h"

namespace lampyris {

namespace firefly {
namespace {

void expect_bytes(const std::string& name, const ImageTensor* tensor, int64_t bytes) {
  const int64_t got = tensor ? static_cast<int64_t>(tensor->bytes.size()) : 0;
  if (got != bytes) fail("weight image: tensor {} must have {} bytes, got {}", name, bytes, got);
}

void expect_writes(size_t n, const PlanLayer& layer, const std::vector<RegisterWrite>& stored,
                   const std::vector<RegisterWrite>& meant) {
  if (stored.size() != meant.size())
    fail("weight image: layer {} \"{}\" must have {} register writes, got {}", n, layer.name,
         meant.size(), stored.size());
  for (size_t i = 0; i < meant.size(); ++i)
    if (!(stored[i] == meant[i]))
      fail(
          "weight image: layer {} \"{}\": register write {} must be 0x{:x} = 0x{:x} by the plan, "
          "got 0x{:x} = 0x{:x}",
          n, layer.name, i, meant[i].offset, meant[i].value, stored[i].offset, stored[i].value);
}

void expect_thresholds(size_t n, const PlanLayer& layer, const ImageTensor& bias) {
  const size_t count = layer.threshold.size();
  std::vector<int32_t> table(count);
  const size_t lanes = bias.bytes.size() / (layer.op == "neuron" ? 4 : 6);
  std::memcpy(table.data(), bias.bytes.data() + bias.bytes.size() - lanes * 4, count * 4);
  for (size_t c = 0; c < count; ++c)
    if (table[c] != layer.threshold[c])
      fail("weight image: layer {} \"{}\": threshold of channel {} must be {} by the plan, got {}",
           n, layer.name, c, layer.threshold[c], table[c]);
}

// Addresses relative to one memory: parameters first, arena behind them.
Check device_check(const Plan& plan, const PlanLayer& layer, const PlanBand& band,
                       const ParameterPlace& place, uint64_t data_bytes) {
  const Config config = preset_config(plan.preset, plan.parallelism);
  const uint64_t memory = std::max(data_bytes, plan.arena_bytes);
  if (plan.target == "v1")
    return check_v1(plan_v1_command(plan, layer, place), config, memory);
  return check_command(plan_command(plan, layer, band, place), config, memory);
}

}  // namespace
}  // namespace firefly

void check_program(const Image& image) {
  using namespace firefly;
  const Plan plan = plan_from_json(image.plan_json);
  check_plan(plan);
  check_host(plan, image);
  ImageWriter places;
  for (size_t n = 0; n < plan.layers.size(); ++n) {
    const PlanLayer& layer = plan.layers[n];
    const auto name = [n](std::string_view part) { return layer_tensor(n, part); };
    const ImageTensor* registers = image.find(name("registers"));
    if (!registers) fail("weight image: tensor {} must be present, got none", name("registers"));
    const ImageTensor* weights = image.find(name("weights"));
    const ImageTensor* bias = image.find(name("bias"));
    expect_bytes(name("weights"), weights, layer_weight_bytes(plan, layer));
    expect_bytes(name("bias"), bias, layer_bias_bytes(plan, layer));
    places.add_layer(registers->bytes.size() / 8, weights ? weights->bytes : std::vector<uint8_t>(),
                     bias ? bias->bytes : std::vector<uint8_t>());
    std::vector<RegisterWrite> meant;
    for (const PlanBand& band : layer.commands) {
      const std::vector<RegisterWrite> writes =
          plan.target == "v1" ? encode_v1(plan_v1_command(plan, layer, places.place_of(n)))
                              : encode_command(plan_command(plan, layer, band, places.place_of(n)));
      meant.insert(meant.end(), writes.begin(), writes.end());
      const Check check = device_check(plan, layer, band, places.place_of(n), places.end());
      if (check != ErrorCode::kNone)
        fail("weight image: layer {} \"{}\" must be a command the device accepts, got error {}: {}",
             n, layer.name, static_cast<uint32_t>(check.code), check.what);
    }
    expect_writes(n, layer, read_registers(*registers), meant);
    if (layer.threshold.size() > 1 && bias) expect_thresholds(n, layer, *bias);
  }
  if (image.find(layer_tensor(plan.layers.size(), "registers")))
    fail("weight image: tensors must have {} layers as the plan, got more", plan.layers.size());
}

}  // namespace lampyris
