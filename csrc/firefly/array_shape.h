// Structure of the two arrays: how many terms and bits every level of the adder tree has, and how
// many clocks a window needs from the line buffer to its tile sum.
#pragma once

#include <array>

#include "firefly/config.h"
#include "firefly/dsp_chain.h"

namespace lampyris::firefly {

inline constexpr int kMostLanes = 32;    // P
inline constexpr int kMaxLevels = 5;      // 144 terms
inline constexpr int kV1SumBits = 16;     // tile sum of the released source; wider sums are cut
inline constexpr int kEmsSumBits = 18;

struct ArrayShape {
  int inputs = 0;            // 9 P spikes of a window
  int slices = 0;            // of one group of four outputs
  int terms = 0;             // words that enter the adder tree
  int arity = 0;             // operands of its adders
  int levels = 0;            // of the tree, one register each
  int entry_latency = 0;     // clocks from the window to those words
  std::array<int, kMaxLevels> outputs{};  // words behind each level
  std::array<int, kMaxLevels> bits{};     // their width

  constexpr int latency() const { return entry_latency + levels; }
};

// `datapath` functional counts as the tree.
// Tree: adders of three operands that add one bit, as released: enough, because the words of single
// slices have only 9 significant bits. Cascade: the words of a chain fill their 12 bits, and adders
// of two operands add one bit each.
constexpr ArrayShape array_shape(Datapath datapath, int parallelism) {
  const bool cascade = datapath == Datapath::kCascade;
  constexpr int kFabric = 1;       // register in front of spikes and weights
  constexpr int kSliceLatency = 2;  // operand register, P register
  ArrayShape s;
  s.inputs = kTaps * parallelism;
  s.slices = s.inputs / 2;
  s.terms = cascade ? s.slices / kChainLength : s.slices;
  s.entry_latency = kFabric + kSliceLatency + (cascade ? kChainLength - 1 : 0);
  s.arity = cascade ? 2 : 3;
  for (int terms = s.terms; terms > 1; ++s.levels) {
    terms = (terms + s.arity - 1) / s.arity;
    s.outputs[static_cast<size_t>(s.levels)] = terms;
    s.bits[static_cast<size_t>(s.levels)] = kSliceLaneBits + s.levels + 1;
  }
  return s;
}

// Registers of the membrane unit: read, add, the maximum tree over P lanes, compare.
constexpr int membrane_latency(int parallelism) {
  int levels = 0;
  while (1 << levels < parallelism) ++levels;
  return 3 + levels;
}

}  // namespace lampyris::firefly
