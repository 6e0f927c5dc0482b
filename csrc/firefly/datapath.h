// The functional data path: what the arrays compute, on packed bits at processor speed.
// Commands must have passed check_command / check_v1; nothing is read or written outside `memory`.
#pragma once

#include <cstdint>
#include <span>

#include "firefly/command.h"
#include "firefly/trace.h"

namespace lampyris::firefly {

// `trace` may be nullptr.
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
