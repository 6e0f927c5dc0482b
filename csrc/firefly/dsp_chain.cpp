#include "firefly/dsp_chain.h"

namespace lampyris::firefly {

DspChain::DspChain(SliceForm form, int length) : form_(form) {
  slices_.resize(static_cast<size_t>(length));
  skew_.resize(slices_.size());
  for (size_t k = 0; k < skew_.size(); ++k) skew_[k].resize(k);
}

void DspChain::clock(uint32_t spikes, const Pair* weights) {
  // From the last slice back, so that each sees its neighbour's P from before the edge.
  for (size_t k = slices_.size(); k-- > 0;) {
    Operands now;
    now.spike_ab = spikes >> 2 * k & 1;
    now.spike_c = spikes >> (2 * k + 1) & 1;
    now.load = weights != nullptr;
    if (weights) now.weights = weights[k];
    skew_[k].push_back(now);
    const Operands& operands = skew_[k].front();
    const uint64_t ab = join_lanes(operands.weights.ab);
    SlicePorts ports;
    ports.a = static_cast<uint32_t>(ab >> 18);
    ports.b = static_cast<uint32_t>(ab & 0x3FFFF);
    ports.c = join_lanes(operands.weights.c);
    ports.enable_ab = ports.enable_c = operands.load;
    ports.opmode = opmode(form_, operands.spike_ab, operands.spike_c, k > 0);
    ports.pcin = k > 0 ? slices_[k - 1].p() : 0;
    slices_[k].clock(ports);
    skew_[k].pop_front();
  }
}

}  // namespace lampyris::firefly
