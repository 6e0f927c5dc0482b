// Operands of what the host computes: the stem, its neuron on v1, and v1's output convolution.
#pragma once

#include <string>

#include "firefly/operands.h"

namespace lampyris::firefly {

// Thrown inside an explanation; explain() turns it into `Operands::missing`.
struct MissingMap {
  std::string name;
};
TraceMap needed_map(const TraceSource& trace, Quantity quantity, const std::string& name);

void explain_stem(const LoadedImage& image, const TraceSource& trace, const Place& at,
                  Operands& out);
void explain_output(const LoadedImage& image, const TraceSource& trace, const Place& at,
                    Operands& out);

}  // namespace lampyris::firefly
