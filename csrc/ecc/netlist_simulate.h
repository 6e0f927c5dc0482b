// Bit-sliced simulation: every node holds words of 64 independent cases.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ecc/netlist.h"

namespace lampyris::ecc {

enum class FaultKind : uint8_t { kStuckAt0, kStuckAt1, kFlip };

// The output of one node is wrong.
struct Fault {
  Signal node = 0;
  FaultKind kind = FaultKind::kFlip;
};

// The faults name nodes of the netlist, each at most once.
void check_faults(const Netlist& net, std::span<const Fault> faults);

// values [nodes, words]: the caller fills the rows of the input nodes, the rest is computed.
void simulate(const Netlist& net, std::span<const Fault> faults, int64_t words,
              std::span<uint64_t> values);

// One case a column: inputs [cases] values of each input port as bit vectors. Slow and simple, for
// tests and small calls; returns outputs likewise, [ports][cases][bits].
using Bits = std::vector<uint8_t>;
std::vector<std::vector<Bits>> evaluate(const Netlist& net,
                                        const std::vector<std::vector<Bits>>& inputs,
                                        std::span<const Fault> faults = {});

}  // namespace lampyris::ecc
