// XOR networks for a matrix over GF(2).
#pragma once

#include <span>
#include <vector>

#include "ecc/netlist.h"

namespace lampyris::ecc {

enum class Sharing : uint8_t {
  kTree,  // a balanced tree for each row, nothing shared on purpose
  kCse,   // the pair that most rows hold is built once, again and again (Paar's greedy rule)
};

// Row j lists the columns whose sum is output j.
using Rows = std::vector<std::vector<int>>;

std::vector<Signal> linear_map(Netlist& net, std::span<const Signal> columns, const Rows& rows,
                               Sharing sharing);

}  // namespace lampyris::ecc
