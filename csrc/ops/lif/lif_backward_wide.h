// The backward of blocks of neurons, for a file of one width (cpu/wide.h): from two bits a
// neuron-step where they are enough, else from u. Gradients of the currents pass through a sink on
// their way to memory: nothing here (PlainGradients), the sums of a norm's backward in tdbn_add.
#pragma once

#include <algorithm>

#include "ops/lif/lif_wide.h"

namespace lampyris {
namespace {

// Rows of up to four steps, from some neuron on.
template <typename X>
struct BackwardRows {
  using T = Compute<X>;
  const X* g[kStepsPerByte];       // gradient of the spikes
  const T* grad_v[kStepsPerByte];  // of the trace, or null
  X* grad_x[kStepsPerByte];
  const uint8_t* code;
  // From the state only:
  const T* u[kStepsPerByte];
  const T* before;  // u of the step before the first, null at t = 0
  const T* derivative[kStepsPerByte];
  const X* x[kStepsPerByte];
  int64_t next_g, next_out;  // elements from a row to the one needed next
};

template <typename X>
struct BackwardScratch {
  using T = Compute<X>;
  alignas(64) T carry[kLifBlock];
  ConstantsBlock<T> c;
  alignas(64) X g[kStepsPerByte][kLifLane];
  alignas(64) X x[kStepsPerByte][kLifLane];
  alignas(64) X grad_x[kStepsPerByte][kLifLane];
  alignas(64) T lane[3 * kStepsPerByte + 1][kLifLane];
  alignas(64) uint8_t code[kLifLane];
  // From the state only:
  alignas(64) T v_init[kLifBlock];
  alignas(64) T grad_decay[kLifBlock];
  alignas(64) T grad_threshold[kLifBlock];
  alignas(64) T grad_gain[kLifBlock];
};

// A sink has start(), run(), tail() and done() of a source (lif_forward_wide.h); from(k)(j, grad)
// sees the gradient of step j, in falling order, and says what is stored; from(k).end() follows.
struct PlainGradients {
  struct At {
    template <typename F>
    LAMPYRIS_INLINE F operator()(int, F grad) const {
      return grad;
    }
    LAMPYRIS_INLINE void end() const {}
  };

  LAMPYRIS_INLINE void start(int64_t, int64_t) {}
  LAMPYRIS_INLINE int64_t run(int64_t, int, int64_t, int64_t count, const NextRows&) {
    return count;
  }
  LAMPYRIS_INLINE void tail(int64_t, int, int64_t, int64_t) {}
  LAMPYRIS_INLINE At from(int64_t) { return {}; }
  LAMPYRIS_INLINE void done(int64_t, int, int64_t, int64_t) {}
};

// Reset detached, soft or none. kThrough: a soft reset that is not detached. kSteps 0: `steps`.
template <typename X, bool kThrough, class Sink = PlainGradients>
struct FromCodes {
  static constexpr bool kUnrolls = kWideUnrolls;

  template <bool kStream, int kSteps>
  LAMPYRIS_WIDE_TARGET static void rows(const LifBackward<X>& a, BackwardScratch<X>& m, Sink& sink,
                                        const BackwardRows<X>& rows, int64_t o, int64_t count,
                                        int steps) {
    using F = Wide<Compute<X>>;
    if constexpr (kSteps != 0) steps = kSteps;
    const BackwardRows<X> r = rows;
    const bool trace = r.grad_v[0] != nullptr;
    const ConstantRuns<Compute<X>> constants(m.c, o, a.v_reset);
    Compute<X>* const carries = m.carry + o;
    for (int64_t k = 0; k < count; k += F::kCount) {
      const NeuronConstants<F> c = constants.at(k);
      const auto codes = WideCodes<Compute<X>>::load(r.code + k);
      F carry = F::load(carries + k);
      auto out = sink.from(k);
#pragma GCC unroll 4
      for (int j = steps - 1; j >= 0; --j) {
        __builtin_prefetch(r.g[j] + k + r.next_g, 0);
        if (trace) carry = carry + F::load(r.grad_v[j] + k);
        F grad_spike = F::load(r.g[j] + k);
        if constexpr (kThrough) grad_spike = grad_spike - c.threshold * carry;
        const F grad_u =
            grad_charge(grad_spike, carry, codes.window(j), codes.carry(j), c.inverse_width);
        put<kStream>(out(j, c.gain * grad_u), r.grad_x[j] + k);
        carry = c.decay * grad_u;
      }
      out.end();
      carry.store(carries + k);
    }
  }
};

// Any surrogate, any reset. kBefore: parameter gradients or rounding, which need the membrane of the
// step before.
template <typename X, bool kBefore>
struct FromState {
  static constexpr bool kUnrolls = false;

  template <bool kStream, int kSteps>
  LAMPYRIS_WIDE_TARGET static void rows(const LifBackward<X>& a, BackwardScratch<X>& m,
                                        PlainGradients&, const BackwardRows<X>& rows, int64_t o,
                                        int64_t count, int steps) {
    using F = Wide<Compute<X>>;
    const BackwardRows<X> r = rows;
    const ConstantRuns<Compute<X>> constants(m.c, o, a.v_reset);
    const bool trace = r.grad_v[0] != nullptr, inclusive = a.inclusive;
    const bool hard = a.reset == Reset::kHard, soft = a.reset == Reset::kSoft;
    const bool through = !a.detach_reset && a.reset != Reset::kNone;
    const bool floor = a.rounding == Rounding::kFloor, given = a.derivative != nullptr;
    const F zero(Compute<X>(0));
    for (int64_t k = 0; k < count; k += F::kCount) {
      const NeuronConstants<F> c = constants.at(k);
      F carry = F::load(m.carry + o + k);
      F u = F::load(r.u[steps - 1] + k);
      for (int j = steps - 1; j >= 0; --j) {
        __builtin_prefetch(r.g[j] + k + r.next_g, 0);
        __builtin_prefetch(r.u[j] + k + r.next_out, 0);
        if (trace) carry = carry + F::load(r.grad_v[j] + k);
        F grad_spike = F::load(r.g[j] + k);
        const MaskOf<F> spike = fires(u, c.threshold, inclusive);
        if (through) grad_spike = grad_spike + (hard ? c.v_reset - u : -c.threshold) * carry;
        const F derivative = given ? F::load(r.derivative[j] + k)
                                   : surrogate_by(a.surrogate, u - c.threshold, c.half_width,
                                                  c.inverse_width);
        const F through_spike = grad_spike * derivative;
        F grad_u = through_spike + (hard ? select(spike, zero, carry) : carry);
        const F before = j > 0               ? F::load(r.u[j - 1] + k)
                         : r.before != nullptr ? F::load(r.before + k)
                                               : zero;
        if constexpr (kBefore) {
          const F v = j > 0 || r.before != nullptr ? membrane_after(a.reset, before, c, inclusive)
                                                   : F::load(m.v_init + o + k);
          const F x = F::load(r.x[j] + k);
          if (floor) {
            const F charged = charge(v, x, c.decay, c.gain, c.v_reset);
            grad_u = select(fits_membrane(charged), grad_u, zero);
          }
          add(m.grad_threshold + o + k,
              -(soft ? through_spike + select(spike, carry, zero) : through_spike));
          add(m.grad_decay + o + k, grad_u * (v - c.v_reset));
          add(m.grad_gain + o + k, grad_u * x);
        }
        if (a.stream && r.grad_x[j] != m.grad_x[j]) {
          put<true>(c.gain * grad_u, r.grad_x[j] + k);
        } else {
          put<false>(c.gain * grad_u, r.grad_x[j] + k);
        }
        carry = c.decay * grad_u;
        u = before;
      }
      carry.store(m.carry + o + k);
    }
  }

  template <typename F>
  LAMPYRIS_INLINE static void add(Compute<X>* to, F values) {
    (F::load(to) + values).store(to);
  }
};

template <class Kernel, class Sink, typename X>
LAMPYRIS_WIDE_TARGET void backward_rows(const LifBackward<X>& a, BackwardScratch<X>& m, Sink& sink,
                                        const BackwardRows<X>& r, int64_t o, int64_t count,
                                        int steps) {
  if constexpr (Kernel::kUnrolls) {
    if (steps == kStepsPerByte && a.stream && r.grad_x[0] != m.grad_x[0]) {
      return Kernel::template rows<true, kStepsPerByte>(a, m, sink, r, o, count, steps);
    }
    if (steps == kStepsPerByte) {
      return Kernel::template rows<false, kStepsPerByte>(a, m, sink, r, o, count, steps);
    }
  }
  Kernel::template rows<false, 0>(a, m, sink, r, o, count, steps);
}

// Copies `count` values into a lane of the scratch unless there are none.
template <typename V>
LAMPYRIS_INLINE const V* in_lane(const V* from, int64_t count, V* lane) {
  if (from == nullptr) return nullptr;
  std::copy_n(from, count, lane);
  std::fill(lane + count, lane + kLifLane, V{});
  return lane;
}

// The last neurons, fewer than a lane: everything through the scratch.
template <class Kernel, class Sink, typename X>
LAMPYRIS_WIDE_TARGET void backward_tail(const LifBackward<X>& a, BackwardScratch<X>& m, Sink& sink,
                                        const BackwardRows<X>& from, int64_t o, int64_t count,
                                        int steps) {
  BackwardRows<X> r = from;
  for (int j = 0; j < steps; ++j) {
    r.grad_v[j] = in_lane(from.grad_v[j], count, m.lane[3 * j]);
    r.u[j] = in_lane(from.u[j], count, m.lane[3 * j + 1]);
    r.derivative[j] = in_lane(from.derivative[j], count, m.lane[3 * j + 2]);
    r.grad_x[j] = m.grad_x[j];
  }
  r.before = in_lane(from.before, count, m.lane[3 * kStepsPerByte]);
  r.code = in_lane(from.code, count, m.code);
  r.next_out = 0;
  backward_rows<Kernel>(a, m, sink, r, o, kLifLane, steps);
  for (int j = 0; j < steps; ++j) std::copy_n(m.grad_x[j], count, from.grad_x[j]);
}

template <typename X>
LAMPYRIS_INLINE BackwardRows<X> rows_at(const LifBackward<X>& a, int64_t t, int64_t n, int steps) {
  BackwardRows<X> r;
  const bool trace = a.membrane_out == MembraneOut::kTrace && a.grad_membrane != nullptr;
  for (int j = 0; j < steps; ++j) {
    const int64_t at = (t + j) * a.neurons + n;
    r.grad_x[j] = a.grad_x + at;
    r.grad_v[j] = trace ? a.grad_membrane + at : nullptr;
    r.u[j] = a.state == nullptr ? nullptr : a.state + at;
    r.derivative[j] = a.derivative == nullptr ? nullptr : a.derivative + at;
  }
  r.before = a.state == nullptr || t == 0 ? nullptr : a.state + (t - 1) * a.neurons + n;
  r.code = a.codes == nullptr ? nullptr : a.codes + t / kStepsPerByte * a.neurons + n;
  return r;
}

template <class Kernel, class Sink, typename X>
LAMPYRIS_WIDE_TARGET void backward_block(const LifBackward<X>& a, int64_t first, Sink& sink,
                                         BackwardScratch<X>& m) {
  const int64_t count = std::min(kLifBlock, a.neurons - first);
  m.c.load(a, first, count);
  const bool last = a.membrane_out == MembraneOut::kLast;
  load_block(m.carry, last ? a.grad_membrane : nullptr, first, count);
  sink.start(first, count);
  const bool reads_x = a.x.data != nullptr;
  if (a.state != nullptr) {
    load_block(m.v_init, a.v_init, first, count);
    for (auto* sum : {m.grad_decay, m.grad_threshold, m.grad_gain}) {
      std::fill_n(sum, kLifBlock, Compute<X>(0));
    }
  }
  for (int64_t t = (a.steps - 1) / kStepsPerByte * kStepsPerByte; t >= 0; t -= kStepsPerByte) {
    const int steps = static_cast<int>(std::min<int64_t>(kStepsPerByte, a.steps - t));
    const NextRows next(a.steps, t, first, a.neurons, -1);
    for (int64_t o = 0; o < count;) {
      const int64_t n = first + o;
      BackwardRows<X> r = rows_at(a, t, n, steps);
      r.next_out = next.steps * a.neurons + next.neurons;
      int64_t lanes = run_length(a.grad_spikes, n, count - o);
      if (reads_x) lanes = std::min(lanes, run_length(a.x, n, count - o));
      if (lanes > 0) {
        lanes = sink.run(t, steps, n, lanes, next);
        for (int j = 0; j < steps; ++j) {
          r.g[j] = a.grad_spikes.at(t + j, n);
          r.x[j] = reads_x ? a.x.at(t + j, n) : nullptr;
        }
        r.next_g = next.distance(a.grad_spikes);
      } else {
        lanes = std::min(kLifLane, count - o);
        sink.tail(t, steps, n, lanes);
        for (int j = 0; j < steps; ++j) {
          gather_lane(a.grad_spikes, t + j, n, lanes, m.g[j]);
          if (reads_x) gather_lane(a.x, t + j, n, lanes, m.x[j]);
          r.g[j] = m.g[j];
          r.x[j] = m.x[j];
        }
        r.next_g = 0;
      }
      if (lanes < kLifLane) {
        backward_tail<Kernel>(a, m, sink, r, o, lanes, steps);
      } else {
        backward_rows<Kernel>(a, m, sink, r, o, lanes, steps);
      }
      sink.done(t, steps, n, lanes);
      o += lanes;
    }
  }
  if (a.grad_v_init != nullptr) std::copy_n(m.carry, count, a.grad_v_init + first);
  if (a.grad_decay != nullptr) std::copy_n(m.grad_decay, count, a.grad_decay + first);
  if (a.grad_threshold != nullptr) std::copy_n(m.grad_threshold, count, a.grad_threshold + first);
  if (a.grad_gain != nullptr) std::copy_n(m.grad_gain, count, a.grad_gain + first);
}

template <class Kernel, class Sink, typename X>
LAMPYRIS_WIDE_TARGET void backward_range(const LifBackward<X>& a, Sink& sink, int64_t begin,
                                         int64_t end) {
  BackwardScratch<X> m;
  for (int64_t block = begin; block < end; ++block) {
    backward_block<Kernel>(a, block * kLifBlock, sink, m);
  }
  if (a.stream) stream_fence();
}

template <typename X>
void backward_any(const LifBackward<X>& a, int64_t begin, int64_t end) {
  PlainGradients sink;
  const bool before = a.learns() || a.rounding == Rounding::kFloor;
  if (a.state != nullptr && before) return backward_range<FromState<X, true>>(a, sink, begin, end);
  if (a.state != nullptr) return backward_range<FromState<X, false>>(a, sink, begin, end);
  if (a.reset == Reset::kSoft && !a.detach_reset) {
    return backward_range<FromCodes<X, true>>(a, sink, begin, end);
  }
  backward_range<FromCodes<X, false>>(a, sink, begin, end);
}

}  // namespace
}  // namespace lampyris
