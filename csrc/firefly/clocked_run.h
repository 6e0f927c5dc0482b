// A layer on the clocked arrays: feed, array, elastic FIFO, membrane unit and output port advance
// together, one cycle at a time. Results equal the functional path bit for bit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "firefly/clocked_feed.h"
#include "firefly/clocked_neuron.h"
#include "firefly/config.h"
#include "firefly/trace.h"

namespace lampyris::firefly {

// What a clocked run counted.
struct ClockedCycles {
  FeedCycles feed;
  int64_t latency = 0;  // from the last window offered to its word at the output port
  int64_t total = 0;
};

// One cycle at the borders of array and membrane unit, for HDL benches and wave files.
struct ClockSample {
  ArrayInput input;         // offered to the array
  bool sum_valid = false;
  LaneWords sums{};         // behind the adder tree
  const ClockedNeuron::Done* done = nullptr;  // behind the membrane unit, or nullptr
};

class ClockObserver {
 public:
  virtual ~ClockObserver() = default;
  virtual void cycle(const ClockSample& sample) = 0;
};

// Commands must have passed check_command / check_v1. `trace` and `observer` may be nullptr.
CommandCounters run_clocked_conv(const Command& command, const Config& config,
                                 std::span<uint8_t> memory, CommandTrace* trace,
                                 ClockedCycles& cycles, ClockObserver* observer = nullptr);
void run_clocked_v1(const V1Command& command, const Config& config,
                    std::span<const int8_t> weights, std::span<const int16_t> bias,
                    std::span<uint8_t> memory, CommandTrace* trace, ClockedCycles& cycles,
                    ClockObserver* observer = nullptr);

}  // namespace lampyris::firefly
