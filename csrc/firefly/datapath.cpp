#include "firefly/datapath.h"

#include "firefly/clocked_run.h"

namespace lampyris::firefly {

Outcome execute_command(const Command& command, const Config& config, std::span<uint8_t> memory,
                        CommandTrace* trace) {
  Outcome outcome;
  outcome.cycles = command_cycles(command, config);
  if (config.datapath == Datapath::kFunctional || command.op != Op::kConv) {
    outcome.counters = run_command(command, config.parallelism, memory, trace);
    return outcome;
  }
  ClockedCycles counted;
  outcome.counters = run_clocked_conv(command, config, memory, trace, counted);
  outcome.cycles.total = counted.total;
  return outcome;
}

Outcome execute_v1(const V1Command& command, const Config& config, std::span<const int8_t> weights,
                   std::span<const int16_t> bias, std::span<uint8_t> memory, CommandTrace* trace) {
  Outcome outcome;
  outcome.cycles = v1_cycles(command, config);
  if (config.datapath == Datapath::kFunctional) {
    run_v1(command, config.parallelism, weights, bias, memory, trace);
    return outcome;
  }
  ClockedCycles counted;
  run_clocked_v1(command, config, weights, bias, memory, trace, counted);
  outcome.cycles.total = counted.total;
  return outcome;
}

}  // namespace lampyris::firefly
