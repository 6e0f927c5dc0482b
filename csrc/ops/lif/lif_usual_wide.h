// Results of lif's forward, and its loop for the calls that matter most: a strict comparison at rest
// 0, nothing kept but spikes and codes.
#pragma once

#include "ops/lif/lif_wide.h"

namespace lampyris {
namespace {

// Rows of up to four steps, from some neuron on; null where the operator does not want them.
template <typename X>
struct ForwardRows {
  using T = Compute<X>;
  X* spikes[kStepsPerByte];
  T* state[kStepsPerByte];
  T* trace[kStepsPerByte];
  uint32_t* plane[kStepsPerByte];
  uint8_t* code;
  int64_t next_out;  // elements from a row to the one needed next
};

template <typename X>
struct ForwardScratch {
  using T = Compute<X>;
  alignas(64) T v[kLifBlock];
  ConstantsBlock<T> c;
  alignas(64) X spikes[kStepsPerByte][kLifLane];
  alignas(64) T state[kStepsPerByte][kLifLane];
  alignas(64) T trace[kStepsPerByte][kLifLane];
  alignas(64) uint32_t plane[kStepsPerByte][kLifLane / 32];
  alignas(64) uint8_t code[kLifLane];
};

// What a usual call writes, known when compiling.
enum class Emit { kPlane, kSpikes, kPast };  // bits, values, values past the caches

// Four steps of the usual rule: nothing is asked between them, so that the steps of many vectors
// overlap.
template <class Rule, Emit kEmit, bool kCodes, class Source, typename X>
LAMPYRIS_WIDE_TARGET void forward_usual(const LifForward<X>& a, ForwardScratch<X>& m,
                                        const Source& source, const ForwardRows<X>& rows, int64_t o,
                                        int64_t count) {
  using T = Compute<X>;
  using F = Wide<T>;
  constexpr int kGroup = 2;
  const ForwardRows<X> r = rows;
  const auto in = source.rows();
  const ConstantRuns<T> constants(m.c, o, a.v_reset);
  T* const membrane = m.v + o;
  for (int64_t i = 0; i < count; i += kGroup * F::kCount) {
    F v[kGroup];
    WideCodes<T> codes[kGroup];
    for (int p = 0; p < kGroup; ++p) v[p] = F::load(membrane + i + p * F::kCount);
    const NeuronConstants<F> c[kGroup] = {constants.at(i), constants.at(i + F::kCount)};
    const typename Source::At from[kGroup] = {in.from(i), in.from(i + F::kCount)};
#pragma GCC unroll 4
    for (int j = 0; j < kStepsPerByte; ++j) {
#pragma GCC unroll 4
      for (int p = 0; p < kGroup; ++p) {
        const int64_t k = i + p * F::kCount;
        F u;
        MaskOf<F> spike, window, carry;
        const F out = Rule::step(from[p](j), c[p], false, v[p], u, spike, window, carry);
        if constexpr (kCodes) codes[p].add(j, window, carry);
        if constexpr (kEmit == Emit::kPlane) {
          spike.store(reinterpret_cast<uint8_t*>(r.plane[j]) + k / 8);
        } else {
          put<kEmit == Emit::kPast>(out, r.spikes[j] + k);
        }
      }
    }
    for (int p = 0; p < kGroup; ++p) {
      v[p].store(membrane + i + p * F::kCount);
      if constexpr (kCodes) codes[p].store(r.code + i + p * F::kCount);
    }
  }
}

template <class Rule, Emit kEmit, class Source, typename X>
LAMPYRIS_WIDE_TARGET void forward_usual(const LifForward<X>& a, ForwardScratch<X>& m,
                                        const Source& source, const ForwardRows<X>& r, int64_t o,
                                        int64_t count) {
  if (r.code == nullptr) return forward_usual<Rule, kEmit, false>(a, m, source, r, o, count);
  forward_usual<Rule, kEmit, true>(a, m, source, r, o, count);
}

}  // namespace
}  // namespace lampyris
