// The forward of blocks of neurons, for a file of one width (cpu/wide.h). Currents come from a
// source: memory here (GivenCurrents), a norm in tdbn_add.
#pragma once

#include <algorithm>

#include "ops/lif/lif_usual_wide.h"

namespace lampyris {
namespace {

// Currents in memory. A source prepares runs of neurons: start() a block; run() says how many of
// `count` neurons from n on lie whole, else tail() gathers `count` < kLifLane of them; rows() is
// what a loop copies to its locals (its stores could alias members), and its from(k) gives the
// current of step j and neurons k.. of the run; done() ends it.
template <typename X>
struct GivenCurrents {
  const StepView<X>& view;
  alignas(64) X lane[kStepsPerByte][kLifLane];
  const X* x[kStepsPerByte];
  int64_t next;

  struct Rows {
    const X* x[kStepsPerByte];
    int64_t next;

    LAMPYRIS_INLINE auto from(int64_t k) const { return At{*this, k}; }
  };

  struct At {
    const Rows& rows;
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
  LAMPYRIS_INLINE Rows rows() const { return {{x[0], x[1], x[2], x[3]}, next}; }
  LAMPYRIS_INLINE void done(int64_t, int, int64_t, int64_t) {}
};

enum class Rest { kAny, kZeroStrict, kZeroInclusive };  // v_reset and the comparison, where known

// What a step emits: spikes 0 and 1. (ilif has counts instead.)
template <Reset kReset, Rounding kRounding, Rest kRest = Rest::kAny>
struct Firing {
  using Any = Firing<kReset, kRounding>;
  static constexpr bool kUsual = kRest == Rest::kZeroStrict && kReset != Reset::kNone;

  template <typename F>
  LAMPYRIS_INLINE static F step(F x, const NeuronConstants<F>& c, bool inclusive, F& v, F& u,
                                MaskOf<F>& spike, MaskOf<F>& window, MaskOf<F>& carry) {
    if constexpr (kRest == Rest::kAny) {
      neuron_step<kReset, kRounding>(x, c, inclusive, v, u, spike, window, carry);
    } else {
      constexpr bool kInclusive = kRest == Rest::kZeroInclusive;
      neuron_step<kReset, kRounding, true>(x, c, kInclusive, v, u, spike, window, carry);
    }
    return select(spike, F(1.0F), F(0.0F));
  }
};

// kSteps 0: as many as `steps` says. Two vectors at a time, as a step waits for the one before; rows
// are copied to locals, since stores of bytes could alias them.
template <class Rule, int kSteps, class Source, typename X>
LAMPYRIS_WIDE_TARGET void forward_rows(const LifForward<X>& a, ForwardScratch<X>& m,
                                       const Source& source, const ForwardRows<X>& rows, int64_t o,
                                       int64_t count, int steps) {
  using T = Compute<X>;
  using F = Wide<T>;
  constexpr int64_t kWord = 32;
  constexpr int kPair = 2;
  const ForwardRows<X> r = rows;
  const auto in = source.rows();
  const ConstantRuns<T> constants(m.c, o, a.v_reset);
  const bool inclusive = a.inclusive, packs = r.plane[0] != nullptr;
  const bool stream = a.stream && r.spikes[0] != m.spikes[0], dense = r.spikes[0] != nullptr;
  const bool traces = r.state[0] != nullptr || r.trace[0] != nullptr;
  T* const membrane = m.v + o;
  if constexpr (kSteps != 0) steps = kSteps;
  for (int64_t i = 0; i < count; i += kWord) {
    uint32_t fired[kStepsPerByte] = {};
    for (int64_t k = i; k < i + kWord; k += kPair * F::kCount) {
      const NeuronConstants<F> c[kPair] = {constants.at(k), constants.at(k + F::kCount)};
      F v[kPair] = {F::load(membrane + k), F::load(membrane + k + F::kCount)};
      WideCodes<T> codes[kPair];
      const auto first = in.from(k), second = in.from(k + F::kCount);
#pragma GCC unroll 4
      for (int j = 0; j < steps; ++j) {
        const F current[kPair] = {first(j), second(j)};
        F u[kPair], out[kPair];
        MaskOf<F> spike[kPair], window[kPair], carry[kPair];
#pragma GCC unroll 2
        for (int p = 0; p < kPair; ++p) {
          out[p] = Rule::step(current[p], c[p], inclusive, v[p], u[p], spike[p], window[p],
                              carry[p]);
          codes[p].add(j, window[p], carry[p]);
        }
        if (packs) {
          fired[j] |= (spike[0].word() | spike[1].word() << F::kCount) << (k - i);
        }
        if (stream) {
          out[0].stream(r.spikes[j] + k);
          out[1].stream(r.spikes[j] + k + F::kCount);
        } else if (dense) {
          __builtin_prefetch(r.spikes[j] + k + r.next_out, 1);
          __builtin_prefetch(r.spikes[j] + k + F::kCount + r.next_out, 1);
          out[0].store(r.spikes[j] + k);
          out[1].store(r.spikes[j] + k + F::kCount);
        }
        if (!traces) continue;
        for (int p = 0; p < kPair; ++p) {
          if (r.state[j] != nullptr) u[p].store(r.state[j] + k + p * F::kCount);
          if (r.trace[j] != nullptr) v[p].store(r.trace[j] + k + p * F::kCount);
        }
      }
      for (int p = 0; p < kPair; ++p) {
        v[p].store(membrane + k + p * F::kCount);
        if (r.code != nullptr) codes[p].store(r.code + k + p * F::kCount);
      }
    }
    for (int j = 0; packs && j < steps; ++j) r.plane[j][i / kWord] = fired[j];
  }
}

template <class Rule, class Source, typename X>
LAMPYRIS_WIDE_TARGET void forward_rows(const LifForward<X>& a, ForwardScratch<X>& m,
                                       const Source& source, const ForwardRows<X>& r, int64_t o,
                                       int64_t count, int steps) {
  const bool traces = r.state[0] != nullptr || r.trace[0] != nullptr;
  if constexpr (kWideUnrolls && Rule::kUsual) {
    const bool packs = r.plane[0] != nullptr, dense = r.spikes[0] != nullptr;
    if (steps == kStepsPerByte && !traces && packs != dense) {
      if (packs) {
        return forward_usual<Rule, Emit::kPlane>(a, m, source, r, o, count);
      }
      if (a.stream && r.spikes[0] != m.spikes[0]) {
        return forward_usual<Rule, Emit::kPast>(a, m, source, r, o, count);
      }
      return forward_usual<Rule, Emit::kSpikes>(a, m, source, r, o, count);
    }
  }
  if constexpr (kWideUnrolls) {
    if (steps == kStepsPerByte) {
      return forward_rows<Rule, kStepsPerByte>(a, m, source, r, o, count, steps);
    }
  }
  forward_rows<typename Rule::Any, 0>(a, m, source, r, o, count, steps);
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
template <class Rule, class Source, typename X>
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
  forward_rows<Rule>(a, m, source, r, o, kLifLane, steps);
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

template <class Rule, class Source, typename X>
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
        forward_tail<Rule>(a, m, source, r, o, lanes, steps);
      } else {
        forward_rows<Rule>(a, m, source, r, o, lanes, steps);
      }
      source.done(t, steps, n, lanes);
      o += lanes;
    }
  }
  if (a.membrane_out == MembraneOut::kLast) std::copy_n(m.v, count, a.membrane + first);
}

template <class Rule, class Source, typename X>
LAMPYRIS_WIDE_TARGET void forward_range(const LifForward<X>& a, Source& source, int64_t begin,
                                        int64_t end) {
  ForwardScratch<X> m;
  for (int64_t block = begin; block < end; ++block) {
    forward_block<Rule>(a, block * kLifBlock, source, m);
  }
  if (a.stream) stream_fence();
}

// The same by lif's rule; the usual one, a strict comparison at rest 0, has its own.
template <Reset kReset, Rounding kRounding, class Source, typename X>
void forward_range(const LifForward<X>& a, Source& source, int64_t begin, int64_t end) {
  if constexpr (kWideUnrolls && kRounding == Rounding::kNone) {
    if (a.v_reset == 0 && !a.inclusive) {
      return forward_range<Firing<kReset, kRounding, Rest::kZeroStrict>>(a, source, begin, end);
    }
  }
  forward_range<Firing<kReset, kRounding>>(a, source, begin, end);
}

template <Reset kReset, typename X>
void forward_reset(const LifForward<X>& a, int64_t begin, int64_t end) {
  GivenCurrents<X> source(a);
  // Integers are held in float32 or float64 (Rounding::kFloor needs 18 bits).
  if constexpr (std::is_same_v<X, Compute<X>>) {
    if (a.rounding == Rounding::kFloor) {
      return forward_range<kReset, Rounding::kFloor>(a, source, begin, end);
    }
  }
  if constexpr (kWideUnrolls) {
    if (a.v_reset == 0 && a.inclusive) {
      using Rule = Firing<kReset, Rounding::kNone, Rest::kZeroInclusive>;
      return forward_range<Rule>(a, source, begin, end);
    }
  }
  forward_range<kReset, Rounding::kNone>(a, source, begin, end);
}

template <typename X>
void forward_any(const LifForward<X>& a, int64_t begin, int64_t end) {
  if (a.reset == Reset::kHard) return forward_reset<Reset::kHard>(a, begin, end);
  if (a.reset == Reset::kSoft) return forward_reset<Reset::kSoft>(a, begin, end);
  forward_reset<Reset::kNone>(a, begin, end);
}

}  // namespace
}  // namespace lampyris
