#include "core/error.h"
#include "firefly/image_writer.h"
#include "firefly/plan.h"
#include "firefly/timing.h"

namespace lampyris::firefly {

Timing image_timing(const Image& image, const std::string& preset) {
  const Plan plan = plan_from_json(image.plan_json);
  const std::string& board = preset.empty() ? plan.preset : preset;
  return image_timing(image, preset_config(board, plan.parallelism));
}

Timing image_timing(const Image& image, const Config& config) {
  const Plan plan = plan_from_json(image.plan_json);
  if (config.parallelism != plan.parallelism)
    fail("timing: config must have parallelism {} of the image, got {}", plan.parallelism,
         config.parallelism);
  Timing timing;
  timing.config = config;
  RegisterValues values{};
  for (size_t n = 0; n < plan.layers.size(); ++n) {
    const ImageTensor* registers = image.find(layer_tensor(n, "registers"));
    if (!registers)
      fail("timing: tensor {} must be present, got none", layer_tensor(n, "registers"));
    LayerTiming row{plan.layers[n].name, plan.layers[n].op, 0, {}};
    for (const RegisterWrite& write : read_registers(*registers)) {
      if (write.offset >= reg::kEnd) continue;
      values[write.offset / 4] = write.value;
      if (write.offset == reg::kStart) {
        row.cycles += command_cycles(decode_command(values), timing.config);
        ++row.commands;
      } else if (write.offset == reg::kPulse && (write.value & kPulseOutput)) {
        row.cycles += v1_cycles(decode_v1(values), timing.config);
        ++row.commands;
      }
    }
    timing.total += row.cycles;
    timing.layers.push_back(std::move(row));
  }
  return timing;
}

}  // namespace lampyris::firefly
