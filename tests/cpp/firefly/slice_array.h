// The arrays built from single slices, one object each: what the vectorised array must equal.
#pragma once

#include <algorithm>
#include <vector>

#include "core/fixed_point.h"
#include "firefly/array_clocked.h"

namespace lampyris::firefly {

class SliceArray {
 public:
  SliceArray(Datapath datapath, int parallelism, int sum_bits)
      : cascade_(datapath == Datapath::kCascade),
        parallelism_(parallelism),
        sum_bits_(sum_bits),
        shape_(array_shape(datapath, parallelism)) {
    const int groups = parallelism / kSliceLanes, length = cascade_ ? kChainLength : 1;
    const SliceForm form = cascade_ ? SliceForm::kPaperW : SliceForm::kReleasedY;
    chains_.assign(static_cast<size_t>(groups * shape_.terms), DspChain(form, length));
    levels_.resize(static_cast<size_t>(shape_.levels));
    for (int l = 0; l < shape_.levels; ++l)
      levels_[at(l)].assign(at(shape_.outputs[at(l)] * parallelism), 0);
  }

  void clock(const ArrayInput& input) {
    for (int l = shape_.levels - 1; l >= 0; --l) clock_level(l);
    const int inputs = shape_.inputs / shape_.terms;
    for (int term = 0; term < shape_.terms; ++term)
      for (int group = 0; group < parallelism_ / kSliceLanes; ++group)
        clock_chain(term, group, inputs);
    fabric_ = input;
  }

  int32_t sum(int op) const { return wrap(levels_.back()[at(op)], sum_bits_); }

 private:
  static size_t at(int64_t i) { return static_cast<size_t>(i); }

  int32_t word(int level, int term, int op) const {
    if (level > 0) return levels_[at(level - 1)][at(term * parallelism_ + op)];
    return lane_of(chains_[at(op / kSliceLanes * shape_.terms + term)].p(), op % kSliceLanes);
  }

  void clock_level(int level) {
    const int terms = level == 0 ? shape_.terms : shape_.outputs[at(level - 1)];
    for (int j = 0; j < shape_.outputs[at(level)]; ++j)
      for (int op = 0; op < parallelism_; ++op) {
        int32_t sum = 0;
        const int end = std::min(shape_.arity * (j + 1), terms);
        for (int i = shape_.arity * j; i < end; ++i) sum += word(level, i, op);
        levels_[at(level)][at(j * parallelism_ + op)] = wrap(sum, shape_.bits[at(level)]);
      }
  }

  void clock_chain(int term, int group, int inputs) {
    uint32_t spikes = 0;
    for (int i = 0; i < inputs; ++i) {
      const int input = term * inputs + i;
      spikes |= (fabric_.taps[at(input / parallelism_)] >> input % parallelism_ & 1) << i;
    }
    std::vector<DspChain::Pair> pairs(at(inputs / 2));
    if (fabric_.load)
      for (int i = 0; i < inputs; ++i)
        for (int lane = 0; lane < kSliceLanes; ++lane) {
          const int64_t row = (int64_t{term} * inputs + i) * parallelism_;
          const int8_t weight = fabric_.load[row + group * kSliceLanes + lane];
          DspChain::Pair& pair = pairs[at(i / 2)];
          (i % 2 == 0 ? pair.ab : pair.c)[at(lane)] = weight;
        }
    chains_[at(group * shape_.terms + term)].clock(spikes, fabric_.load ? pairs.data() : nullptr);
  }

  bool cascade_;
  int parallelism_, sum_bits_;
  ArrayShape shape_;
  ArrayInput fabric_;
  std::vector<DspChain> chains_;  // [group][term]
  std::vector<std::vector<int32_t>> levels_;
};

}  // namespace lampyris::firefly
