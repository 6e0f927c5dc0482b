// Blocks of I-LIF neurons for a file of one width (cpu/wide.h): lif's loops with another rule.
#pragma once

#include "core/counts.h"
#include "ops/ilif/ilif_isa.h"
#include "ops/lif/lif_backward_wide.h"
#include "ops/lif/lif_forward_wide.h"

namespace lampyris {
namespace {

struct Counting {
  using Any = Counting;
  static constexpr bool kUsual = false;

  template <typename F>
  LAMPYRIS_INLINE static F step(F x, const NeuronConstants<F>& c, bool, F& v, F& u,
                                MaskOf<F>& spike, MaskOf<F>& window, MaskOf<F>& carry) {
    F count;
    counting_step(x, c, v, u, count, window);
    spike = count > F(0.0F);
    carry = window | !window;
    return count;
  }
};

template <typename X>
struct FromCounts {
  static constexpr bool kUnrolls = false;

  template <bool kStream, int kSteps>
  LAMPYRIS_WIDE_TARGET static void rows(const LifBackward<X>& a, BackwardScratch<X>& m,
                                        PlainGradients&, const BackwardRows<X>& rows, int64_t o,
                                        int64_t count, int steps) {
    using F = Wide<Compute<X>>;
    const BackwardRows<X> r = rows;
    const ConstantRuns<Compute<X>> constants(m.c, o, a.v_reset);
    const bool trace = r.grad_v[0] != nullptr;
    for (int64_t k = 0; k < count; k += F::kCount) {
      const NeuronConstants<F> c = constants.at(k);
      F carry = F::load(m.carry + o + k);
      for (int j = steps - 1; j >= 0; --j) {
        if (trace) carry = carry + F::load(r.grad_v[j] + k);
        const F u = F::load(r.u[j] + k);
        const auto grad = count_gradients(F::load(r.g[j] + k), carry, u, c);
        const Compute<X>* const before = j > 0 ? r.u[j - 1] : r.before;
        F v = F::load(m.v_init + o + k);
        if (before != nullptr) {
          v = F::load(before + k);
          v = v - c.threshold * count_of(v, c.threshold, c.half_width);
        }
        add(m.grad_threshold + o + k, grad.threshold);
        add(m.grad_decay + o + k, grad.u * v);
        add(m.grad_gain + o + k, grad.u * F::load(r.x[j] + k));
        (c.gain * grad.u).store(r.grad_x[j] + k);
        carry = c.decay * grad.u;
      }
      carry.store(m.carry + o + k);
    }
  }

  template <typename F>
  LAMPYRIS_INLINE static void add(Compute<X>* to, F values) {
    (F::load(to) + values).store(to);
  }
};

template <typename X>
void counts_forward(const LifForward<X>& a, int64_t begin, int64_t end) {
  GivenCurrents<X> source(a);
  forward_range<Counting>(a, source, begin, end);
}

template <typename X>
void counts_backward(const LifBackward<X>& a, int64_t begin, int64_t end) {
  PlainGradients sink;
  backward_range<FromCounts<X>>(a, sink, begin, end);
}

}  // namespace
}  // namespace lampyris
