// Running a checked command: one entry for all data paths, and the pieces of the functional one,
// which computes what the arrays compute on packed bits at processor speed.
// Commands must have passed check_command / check_v1; nothing is read or written outside `memory`.
#pragma once

#include <cstdint>
#include <span>

#include "firefly/command.h"
#include "firefly/config.h"
#include "firefly/timing.h"
#include "firefly/trace.h"

namespace lampyris::firefly {

struct Outcome {
  CommandCounters counters;
  // Of the closed formula; `total` as counted where the data path is clocked.
  CommandCycles cycles;
};

// By config.datapath. `trace` may be nullptr.
Outcome execute_command(const Command& command, const Config& config, std::span<uint8_t> memory,
                        CommandTrace* trace);
Outcome execute_v1(const V1Command& command, const Config& config, std::span<const int8_t> weights,
                   std::span<const int16_t> bias, std::span<uint8_t> memory, CommandTrace* trace);

// Functional.
CommandCounters run_command(const Command& command, int parallelism, std::span<uint8_t> memory,
                            CommandTrace* trace);

// The pieces of run_command.
CommandCounters run_conv(const Command& command, int parallelism, std::span<uint8_t> memory,
                         CommandTrace* trace);
CommandCounters run_neuron(const Command& command, int parallelism, std::span<uint8_t> memory,
                           CommandTrace* trace);
void run_vector(const Command& command, int parallelism, std::span<uint8_t> memory);

// A released layer with the parameters its FIFOs hold.
void run_v1(const V1Command& command, int parallelism, std::span<const int8_t> weights,
            std::span<const int16_t> bias, std::span<uint8_t> memory, CommandTrace* trace);

}  // namespace lampyris::firefly
