#include "firefly/datapath.h"

namespace lampyris::firefly {

Outcome execute_command(const Command& command, const Config& config, std::span<uint8_t> memory,
                        CommandTrace* trace) {
  return {run_command(command, config.parallelism, memory, trace),
          command_cycles(command, config)};
}

Outcome execute_v1(const V1Command& command, const Config& config, std::span<const int8_t> weights,
                   std::span<const int16_t> bias, std::span<uint8_t> memory, CommandTrace* trace) {
  run_v1(command, config.parallelism, weights, bias, memory, trace);
  return {{}, v1_cycles(command, config)};
}

}  // namespace lampyris::firefly
