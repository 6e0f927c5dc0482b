// Row buffers and writers shared by the convolution and neuron commands of target ems.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "firefly/area.h"
#include "firefly/command.h"
#include "firefly/neuron_unit.h"
#include "firefly/trace.h"

namespace lampyris::firefly {

// Neurons of one output row over all time steps, and where their results go.
class NeuronRows {
 public:
  NeuronRows(const Command& command, int parallelism, std::span<uint8_t> memory,
             CommandTrace* trace, CommandCounters& counters);

  void start_row(int y);
  // `current`: row buffer [tile][x][p].
  void step(int t, const int32_t* current);
  // After the last step.
  void finish_row();

 private:
  const Command& command_;
  int parallelism_;
  std::span<uint8_t> memory_;
  CommandTrace* trace_;
  CommandCounters& counters_;
  int y_ = 0;
  std::vector<int32_t> threshold_, membrane_;
  std::vector<uint8_t> fired_;
};

// Writes a row buffer of int32 to the command's third area (accumulator or membrane).
void store_int32_row(const Command& command, int parallelism, std::span<uint8_t> memory, int y,
                     const int32_t* row);

}  // namespace lampyris::firefly
