// A chain of slices, PCOUT to PCIN: two spikes and 2 x 4 weights a slice, so eight slices are a
// 16 x 4 crossbar, one processing element of the paper. Slice k takes its operands k clocks late.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "firefly/dsp_slice.h"

namespace lampyris::firefly {

inline constexpr int kChainLength = 8;

class DspChain {
 public:
  // Weights of one slice: of its first spike (on A:B) and of its second (on C).
  struct Pair {
    std::array<int8_t, kSliceLanes> ab{}, c{};
  };

  explicit DspChain(SliceForm form, int length = kChainLength);

  // A result appears at p() this many clocks after its operands.
  int latency() const { return length() + 1; }
  int length() const { return static_cast<int>(slices_.size()); }

  // Rising edge. Bit 2k of `spikes` selects slice k's A:B, bit 2k + 1 its C. `weights` ([length])
  // are taken with these spikes, by every slice in its turn; nullptr keeps the held ones.
  void clock(uint32_t spikes, const Pair* weights);

  uint64_t p() const { return slices_.back().p(); }
  uint64_t p(int slice) const { return slices_[static_cast<size_t>(slice)].p(); }

 private:
  struct Operands {
    bool spike_ab = false, spike_c = false, load = false;
    Pair weights;
  };

  SliceForm form_;
  std::vector<DspSlice> slices_;
  std::vector<std::deque<Operands>> skew_;  // k registers before slice k
};

}  // namespace lampyris::firefly
