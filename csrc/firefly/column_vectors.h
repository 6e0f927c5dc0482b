// What goes into and comes out of an array in every cycle of a layer: the stimulus and the expected
// answers of an HDL bench.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "firefly/clocked_run.h"

namespace lampyris::firefly {

// All [cycles] or [cycles][n].
struct ColumnVectors {
  std::vector<uint32_t> windows;  // [9] taps of P spikes
  std::vector<uint8_t> valid;
  std::vector<int32_t> load;      // weight tile taken with this window, (o i), or -1
  std::vector<uint8_t> sum_valid;
  std::vector<int32_t> sums;      // [P]; 0 where there is none
  std::vector<uint8_t> done, last;
  std::vector<uint32_t> fired;
  std::vector<int32_t> membrane;  // [P]
  int64_t cycles = 0;
};

// A released layer whose spikes, weights (o i kr kc ip op) and biases are given; `memory` holds the
// input at command.input.
ColumnVectors record_column(const V1Command& command, const Config& config,
                            std::span<const int8_t> weights, std::span<const int16_t> bias,
                            std::span<uint8_t> memory);

}  // namespace lampyris::firefly
