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

// Neurons of a strip of output rows over all time steps, and where their results go.
class NeuronRows {
 public:
  // `rows`: the most of a strip. `trace` may be nullptr, else shape_trace() has prepared it.
  NeuronRows(const Command& command, int parallelism, std::span<uint8_t> memory,
             CommandTrace* trace, int rows);

  static void shape_trace(const Command& command, int parallelism, CommandTrace* trace);

  // Output rows [y, y + rows) from V = 0.
  void start(int y, int rows);
  // Row y + r at step t. `current`: row buffer [tile][x][p].
  void step(int t, int r, const int32_t* current);
  // After the last step.
  void finish();

  int64_t saturated() const { return saturated_; }

 private:
  const Command& command_;
  int parallelism_;
  std::span<uint8_t> memory_;
  CommandTrace* trace_;
  int y_ = 0, rows_ = 0;
  int64_t saturated_ = 0;
  std::vector<int32_t> threshold_, membrane_;
  std::vector<uint8_t> fired_;
};

// Writes a row buffer of int32 to the command's third area (accumulator or membrane).
void store_int32_row(const Command& command, int parallelism, std::span<uint8_t> memory, int y,
                     const int32_t* row);

}  // namespace lampyris::firefly
