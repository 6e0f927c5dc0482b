// Verilog of the array and its neurons, from the same structure that the clocked model has: chains
// or single slices, adder trees with their widths, membrane unit. Its registers are the model's in
// every cycle (tests run it in an HDL simulator). Synthesisable; LAMPYRIS_DSP48E1 turns the
// behavioural slice into the vendor's primitive.
#pragma once

#include <string>

#include "firefly/config.h"

namespace lampyris::firefly {

// Module `firefly_column` of a released (v1) layer with `lanes` output channels: 4 is one column of
// processing elements, P the whole array (winner-takes-all needs it). `depth`: pixels of the
// psum-membrane buffer. config.datapath functional counts as the tree.
// Throws std::invalid_argument for another number of lanes.
std::string emit_column(const Config& config, int lanes, int depth);

}  // namespace lampyris::firefly
