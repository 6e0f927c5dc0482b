// The forward of blocks of neurons, for a file of one width (cpu/wide.h). Currents come from a
// source: memory here (GivenCurrents), a norm in tdbn_add.
#pragma once

#include <algorithm>

#include "cpu/wide.h"
#include "ops/lif/lif_block.h"

namespace lampyris {
namespace {

enum class Store { kNone, kPlain, kStream, kAny };  // kAny: plain, if there is a row at all

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

// Currents in memory. A source prepares runs of neurons: start() a block; run() says how many of
// `count` neurons from n on lie whole, else tail() gathers `count` < kLifLane of them; from(k) gives
// the current of step j and neurons k.. of the run; done() ends it.
template <typename X>
struct GivenCurrents {
  const StepView<X>& view;
  alignas(64) X lane[kStepsPerByte][kLifLane];
  const X* x[kStepsPerByte];
  int64_t next;

  struct At {
    const GivenCurrents& rows;
    int64_t k;

    LAMPYRIS_INLINE Wide<Compute<X>> operator()(int j) const {
      __builtin_prefetch(rows.x[j] + k + rows.next, 0);
      return Wide<Compute<X>>::load(rows.x[j] + k);
    }
  };

  explicit GivenCurrents(const LifForward<X>& a) : view(a.x) {}
  LAMPYRIS_INLINE void start(int64_t, int64_t) {}
  LAMPYRIS_INLINE int64_t run(int64_t t, int steps, int64_t n, int64_t count,
                              const NextRows& next_rows) {
    const int64_t whole = run_length(view, n, count);
    if (whole == 0) return 0;
    for (int j = 0; j < steps; ++j) x[j] = view.at(t + j, n);
    next = next_rows.distance(view);
    return whole;
  }
  LAMPYRIS_INLINE void tail(int64_t t, int steps, int64_t n, int64_t count) {
    for (int j = 0; j < steps; ++j) {
      gather_lane(view, t + j, n, count, lane[j]);
      x[j] = lane[j];
    }
    next = 0;
  }
  LAMPYRIS_INLINE At from(int64_t k) const { return {*this, k}; }
  LAMPYRIS_INLINE void done(int64_t, int, int64_t, int64_t) {}
};

// kSteps 0: as many as `steps` says.
template <Reset kReset, Rounding kRounding, Store kStore, int kSteps, class Source, typename X>
LAMPYRIS_WIDE_TARGET void forward_rows(const LifForward<X>& a, ForwardScratch<X>& m,
                                       const Source& source, const ForwardRows<X>& r, int64_t o,
                                       int64_t count, int steps) {
  using T = Compute<X>;
  using F = Wide<T>;
  constexpr int64_t kWord = 32;
  const F one(T(1)), zero(T(0)), v_reset(a.v_reset);
  const bool inclusive = a.inclusive;
  if constexpr (kSteps != 0) steps = kSteps;
  for (int64_t i = 0; i < count; i += kWord) {
    uint32_t fired[kStepsPerByte] = {};
    for (int64_t k = i; k < i + kWord; k += F::kCount) {
      const NeuronConstants<F> c{F::load(m.c.decay.lane(o + k)),
                                 F::load(m.c.threshold.lane(o + k)),
                                 F::load(m.c.gain.lane(o + k)),
                                 F::load(m.c.half_width.lane(o + k)),
                                 zero,
                                 v_reset};
      F v = F::load(m.v + o + k);
      WideCodes<T> codes;
      const auto current = source.from(k);
#pragma GCC unroll 4
      for (int j = 0; j < steps; ++j) {
        F u;
        MaskOf<F> spike, window, carry;
        neuron_step<kReset, kRounding>(current(j), c, inclusive, v, u, spike, window, carry);
        codes.add(j, window, carry);
        fired[j] |= spike.word() << (k - i);
        if constexpr (kStore == Store::kStream) {
          select(spike, one, zero).stream(r.spikes[j] + k);
        } else if constexpr (kStore == Store::kPlain) {
          __builtin_prefetch(r.spikes[j] + k + r.next_out, 1);
          select(spike, one, zero).store(r.spikes[j] + k);
        } else if constexpr (kStore == Store::kAny) {
          if (r.spikes[j] != nullptr) select(spike, one, zero).store(r.spikes[j] + k);
        }
        if (r.state[j] != nullptr) u.store(r.state[j] + k);
        if (r.trace[j] != nullptr) v.store(r.trace[j] + k);
      }
      v.store(m.v + o + k);
      if (r.code != nullptr) codes.store(r.code + k);
    }
    if (r.plane[0] == nullptr) continue;
#pragma GCC unroll 4
    for (int j = 0; j < steps; ++j) r.plane[j][i / kWord] = fired[j];
  }
}

template <Reset kReset, Rounding kRounding, class Source, typename X>
LAMPYRIS_WIDE_TARGET void forward_rows(const LifForward<X>& a, ForwardScratch<X>& m,
                                       const Source& source, const ForwardRows<X>& r, int64_t o,
                                       int64_t count, int steps) {
  constexpr int kFull = kStepsPerByte;
  if constexpr (kWideUnrolls) {
    if (steps == kFull && r.spikes[0] == nullptr) {
      return forward_rows<kReset, kRounding, Store::kNone, kFull>(a, m, source, r, o, count, steps);
    }
    if (steps == kFull && a.stream && r.spikes[0] != m.spikes[0]) {
      return forward_rows<kReset, kRounding, Store::kStream, kFull>(a, m, source, r, o, count,
                                                                    steps);
    }
    if (steps == kFull) {
      return forward_rows<kReset, kRounding, Store::kPlain, kFull>(a, m, source, r, o, count,
                                                                   steps);
    }
  }
  forward_rows<kReset, kRounding, Store::kAny, 0>(a, m, source, r, o, count, steps);
}

template <typename X>
LAMPYRIS_INLINE ForwardRows<X> rows_at(const LifForward<X>& a, int64_t t, int64_t n, int steps) {
  ForwardRows<X> r;
  const int64_t words = (a.neurons + 31) / 32;
  const bool trace = a.membrane_out == MembraneOut::kTrace;
  for (int j = 0; j < steps; ++j) {
    const int64_t at = (t + j) * a.neurons + n;
    r.spikes[j] = a.spikes == nullptr ? nullptr : a.spikes + at;
    r.state[j] = a.state == nullptr ? nullptr : a.state + at;
    r.trace[j] = trace ? a.membrane + at : nullptr;
    r.plane[j] = a.plane == nullptr ? nullptr : a.plane + (t + j) * words + n / 32;
  }
  r.code = a.codes == nullptr ? nullptr : a.codes + t / kStepsPerByte * a.neurons + n;
  return r;
}

// The last neurons, fewer than a lane: computed in the scratch, copied where they belong.
template <Reset kReset, Rounding kRounding, class Source, typename X>
LAMPYRIS_WIDE_TARGET void forward_tail(const LifForward<X>& a, ForwardScratch<X>& m,
                                       const Source& source, const ForwardRows<X>& to, int64_t o,
                                       int64_t count, int steps) {
  ForwardRows<X> r = to;
  for (int j = 0; j < steps; ++j) {
    if (to.spikes[j] != nullptr) r.spikes[j] = m.spikes[j];
    if (to.state[j] != nullptr) r.state[j] = m.state[j];
    if (to.trace[j] != nullptr) r.trace[j] = m.trace[j];
    if (to.plane[j] != nullptr) r.plane[j] = m.plane[j];
  }
  if (to.code != nullptr) r.code = m.code;
  forward_rows<kReset, kRounding>(a, m, source, r, o, kLifLane, steps);
  for (int j = 0; j < steps; ++j) {
    if (to.spikes[j] != nullptr) std::copy_n(m.spikes[j], count, to.spikes[j]);
    if (to.state[j] != nullptr) std::copy_n(m.state[j], count, to.state[j]);
    if (to.trace[j] != nullptr) std::copy_n(m.trace[j], count, to.trace[j]);
    for (int64_t i = 0; to.plane[j] != nullptr && i < count; i += 32) {
      const uint32_t keep = count - i >= 32 ? ~0U : (1U << (count - i)) - 1;
      to.plane[j][i / 32] = m.plane[j][i / 32] & keep;
    }
  }
  if (to.code != nullptr) std::copy_n(m.code, count, to.code);
}

template <Reset kReset, Rounding kRounding, class Source, typename X>
LAMPYRIS_WIDE_TARGET void forward_block(const LifForward<X>& a, int64_t first, Source& source,
                                        ForwardScratch<X>& m) {
  const int64_t count = std::min(kLifBlock, a.neurons - first);
  m.c.load(a, first, count);
  load_block(m.v, a.v_init, first, count);
  source.start(first, count);
  for (int64_t t = 0; t < a.steps; t += kStepsPerByte) {
    const int steps = static_cast<int>(std::min<int64_t>(kStepsPerByte, a.steps - t));
    const NextRows next(a.steps, t, first, a.neurons, 1);
    for (int64_t o = 0; o < count;) {
      const int64_t n = first + o;
      ForwardRows<X> r = rows_at(a, t, n, steps);
      r.next_out = next.steps * a.neurons + next.neurons;
      int64_t lanes = source.run(t, steps, n, count - o, next);
      if (lanes == 0) {
        lanes = std::min(kLifLane, count - o);
        source.tail(t, steps, n, lanes);
      }
      if (lanes < kLifLane) {
        forward_tail<kReset, kRounding>(a, m, source, r, o, lanes, steps);
      } else {
        forward_rows<kReset, kRounding>(a, m, source, r, o, lanes, steps);
      }
      source.done(t, steps, n, lanes);
      o += lanes;
    }
  }
  if (a.membrane_out == MembraneOut::kLast) std::copy_n(m.v, count, a.membrane + first);
}

template <Reset kReset, Rounding kRounding, class Source, typename X>
LAMPYRIS_WIDE_TARGET void forward_range(const LifForward<X>& a, Source& source, int64_t begin,
                                        int64_t end) {
  ForwardScratch<X> m;
  for (int64_t block = begin; block < end; ++block) {
    forward_block<kReset, kRounding>(a, block * kLifBlock, source, m);
  }
  if (a.stream) stream_fence();
}

template <Rounding kRounding, class Source, typename X>
void forward_rounded(const LifForward<X>& a, Source& source, int64_t begin, int64_t end) {
  switch (a.reset) {
    case Reset::kHard:
      return forward_range<Reset::kHard, kRounding>(a, source, begin, end);
    case Reset::kSoft:
      return forward_range<Reset::kSoft, kRounding>(a, source, begin, end);
    case Reset::kNone:
      return forward_range<Reset::kNone, kRounding>(a, source, begin, end);
  }
}

// Integers are held in float32 or float64 (Rounding::kFloor needs 18 bits).
template <typename X>
void forward_any(const LifForward<X>& a, int64_t begin, int64_t end) {
  GivenCurrents<X> source(a);
  if constexpr (std::is_same_v<X, Compute<X>>) {
    if (a.rounding == Rounding::kFloor) {
      return forward_rounded<Rounding::kFloor>(a, source, begin, end);
    }
  }
  forward_rounded<Rounding::kNone>(a, source, begin, end);
}

}  // namespace
}  // namespace lampyris
