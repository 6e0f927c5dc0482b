#include "firefly/array_clocked.h"

#include <bit>

#include "core/fixed_point.h"
#include "cpu/dispatch.h"

namespace lampyris::firefly {

namespace {

constexpr int kHeadroom = 16 - kSliceLaneBits;

// Register images of P lanes.
template <int P>
struct Registers {
  typedef int16_t Narrow __attribute__((vector_size(2 * P), aligned(2), may_alias));
  typedef int32_t Wide __attribute__((vector_size(4 * P), aligned(4), may_alias));
};

constexpr int level_offset(const ArrayShape& shape, int level) {
  int words = 0;
  for (int l = 0; l < level; ++l) words += shape.outputs[static_cast<size_t>(l)];
  return words;
}

// One register level of adders, each kept to the level's width.
template <int P, int kArity, int kTerms, int kStep, int kBits, bool kFromSlices>
LAMPYRIS_INLINE void add_level(const int16_t* from, int16_t* to) {
  using Word = typename Registers<P>::Narrow;
  const Word* in = reinterpret_cast<const Word*>(from);
  Word* out = reinterpret_cast<Word*>(to);
  const auto term = [in](int i) __attribute__((always_inline)) {
    const Word word = in[i * kStep];
    return kFromSlices ? word >> kHeadroom : word;
  };
  for (int j = 0; j < kTerms / kArity; ++j) {
    Word sum = term(kArity * j) + term(kArity * j + 1);
    if constexpr (kArity == 3) sum += term(3 * j + 2);
    if constexpr (kBits < 16) sum = sum << (16 - kBits) >> (16 - kBits);
    out[j] = sum;
  }
  constexpr int kRest = kTerms % kArity, kFirst = kTerms - kRest;
  if constexpr (kRest > 0) {
    Word sum = term(kFirst);
    if constexpr (kRest > 1) sum += term(kFirst + 1);
    out[kTerms / kArity] = sum;
  }
}

// The last level, cut to the width of a tile sum.
template <int P, int kTerms>
LAMPYRIS_INLINE void add_last(const int16_t* from, int32_t* to, int bits) {
  using Narrow = typename Registers<P>::Narrow;
  using Wide = typename Registers<P>::Wide;
  const Narrow* in = reinterpret_cast<const Narrow*>(from);
  Wide sum = __builtin_convertvector(in[0], Wide);
  for (int i = 1; i < kTerms; ++i) sum += __builtin_convertvector(in[i], Wide);
  const int drop = 32 - bits;
  *reinterpret_cast<Wide*>(to) = sum << drop >> drop;
}

template <Datapath kDatapath, int P, int kLevel>
LAMPYRIS_INLINE void clock_level(const int16_t* products, int16_t* levels) {
  constexpr ArrayShape kShape = array_shape(kDatapath, P);
  constexpr bool kCascade = kDatapath == Datapath::kCascade;
  constexpr int kBits = kShape.bits[kLevel];
  int16_t* to = levels + level_offset(kShape, kLevel) * P;
  if constexpr (kLevel == 0)
    add_level<P, kShape.arity, kShape.terms, kCascade ? kChainLength : 1, kBits, true>(
        products + (kCascade ? kChainLength - 1 : 0) * P, to);
  else
    add_level<P, kShape.arity, kShape.outputs[kLevel - 1], 1, kBits, false>(
        levels + level_offset(kShape, kLevel - 1) * P, to);
}

// From the last level back, so that each reads its operands from before the edge.
template <Datapath kDatapath, int P>
LAMPYRIS_INLINE void clock_tree(const int16_t* products, int16_t* levels, int32_t* sums,
                                int sum_bits) {
  constexpr ArrayShape kShape = array_shape(kDatapath, P);
  constexpr int kLast = kShape.levels - 1;
  add_last<P, kShape.outputs[kLast - 1]>(levels + level_offset(kShape, kLast - 1) * P, sums,
                                         sum_bits);
  if constexpr (kLast > 3) clock_level<kDatapath, P, 3>(products, levels);
  if constexpr (kLast > 2) clock_level<kDatapath, P, 2>(products, levels);
  if constexpr (kLast > 1) clock_level<kDatapath, P, 1>(products, levels);
  clock_level<kDatapath, P, 0>(products, levels);
}

}  // namespace

struct ArrayClock {
  template <class Target>
  static LAMPYRIS_INLINE void run(ClockedArray* array, const ArrayInput* input) {
    const bool wide = array->parallelism_ == 32;
    if (array->datapath_ == Datapath::kCascade)
      wide ? step<Datapath::kCascade, 32>(*array, *input)
           : step<Datapath::kCascade, 16>(*array, *input);
    else
      wide ? step<Datapath::kTree, 32>(*array, *input) : step<Datapath::kTree, 16>(*array, *input);
  }

  template <Datapath kDatapath, int P>
  static LAMPYRIS_INLINE void step(ClockedArray& array, const ArrayInput& input) {
    constexpr bool kCascade = kDatapath == Datapath::kCascade;
    clock_tree<kDatapath, P>(array.products_.data(), array.levels_.data(), array.sums_.data(),
                             array.sum_bits_);
    if constexpr (kCascade)
      clock_chains<P>(array);
    else
      clock_slices<P>(array);
    constexpr int kPositions = kCascade ? kChainLength : 1;
    for (int k = 0; k < kPositions; ++k) {
      const ArrayInput& operands = at(array, k);
      if (operands.load) load<P>(array, operands.load, k, kPositions);
    }
    array.newest_ = (array.newest_ + ClockedArray::kHistory - 1) % ClockedArray::kHistory;
    array.history_[static_cast<size_t>(array.newest_)] = input;
    array.valid_ = array.valid_ << 1 | uint64_t{input.valid};
  }

  static LAMPYRIS_INLINE const ArrayInput& at(const ClockedArray& array, int age) {
    return array.history_[static_cast<size_t>((array.newest_ + age) % ClockedArray::kHistory)];
  }

  // W or Y (C) and X (A:B) multiplexers of slice s.
  template <int P>
  static LAMPYRIS_INLINE typename Registers<P>::Narrow select(const int16_t* weights, int s,
                                                              uint32_t spikes) {
    using Word = typename Registers<P>::Narrow;
    const Word* held = reinterpret_cast<const Word*>(weights) + 2 * s;
    const int16_t ab = static_cast<int16_t>(-static_cast<int>(spikes & 1));
    const int16_t c = static_cast<int16_t>(-static_cast<int>(spikes >> 1 & 1));
    return (held[0] & ab) + (held[1] & c);
  }

  // Single slices: P = X + Y.
  template <int P>
  static LAMPYRIS_INLINE void clock_slices(ClockedArray& array) {
    using Word = typename Registers<P>::Narrow;
    Word* p = reinterpret_cast<Word*>(array.products_.data());
    const ArrayInput& control = at(array, 1);
    for (int tap = 0; tap < kTaps; ++tap) {
      const uint32_t spikes = control.taps[static_cast<size_t>(tap)];
      for (int s = 0; s < P / 2; ++s) {
        const int slice = tap * P / 2 + s;
        p[slice] = select<P>(array.weights_.data(), slice, spikes >> 2 * s);
      }
    }
  }

  // Chains: P = W + X + PCIN, from the last slice back.
  template <int P>
  static LAMPYRIS_INLINE void clock_chains(ClockedArray& array) {
    using Word = typename Registers<P>::Narrow;
    constexpr int kInputs = 2 * kChainLength, kPerTap = P / kInputs;
    Word* p = reinterpret_cast<Word*>(array.products_.data());
    for (int k = kChainLength - 1; k >= 0; --k) {
      const ArrayInput& control = at(array, k + 1);
      for (int chain = 0; chain < kTaps * kPerTap; ++chain) {
        const int s = chain * kChainLength + k;
        const uint32_t spikes = control.taps[static_cast<size_t>(chain / kPerTap)] >>
                                (chain % kPerTap * kInputs + 2 * k);
        Word sum = select<P>(array.weights_.data(), s, spikes);
        if (k > 0) sum += p[s - 1];
        p[s] = sum;
      }
    }
  }

  // A:B and C registers of the slices at position k of every `positions`.
  template <int P>
  static LAMPYRIS_INLINE void load(ClockedArray& array, const int8_t* tile, int k, int positions) {
    constexpr int kCentre = kTaps / 2;
    const int first = array.taps_ == 1 ? kCentre * P / 2 : 0, slices = array.taps_ * P / 2;
    for (int s = k; s < slices; s += positions) {
      int16_t* to = array.weights_.data() + (first + s) * 2 * P;
      const int8_t* from = tile + s * 2 * P;
      for (int i = 0; i < 2 * P; ++i)
        to[i] = static_cast<int16_t>(static_cast<uint16_t>(from[i]) << kHeadroom);
    }
  }
};

ClockedArray::ClockedArray(Datapath datapath, int parallelism, int taps, int sum_bits)
    : datapath_(datapath),
      parallelism_(parallelism),
      taps_(taps),
      sum_bits_(sum_bits),
      shape_(array_shape(datapath, parallelism)) {}

void ClockedArray::clock(const ArrayInput& input) { dispatch<ArrayClock>(this, &input); }

int ClockedArray::in_flight() const {
  return std::popcount(valid_ & ((uint64_t{1} << (shape_.latency() - 1)) - 1));
}

}  // namespace lampyris::firefly
