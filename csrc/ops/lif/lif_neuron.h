// One neuron over all steps: the whole CUDA kernel, and what the CPU's blocks are tested against.
#pragma once

#include "ops/lif/lif.h"

namespace lampyris {

// Asks current(t) and calls emit(t, spike) for each step; writes membrane, codes and state.
template <Reset kReset, Rounding kRounding, typename X, typename Current, typename Emit>
LAMPYRIS_INLINE void lif_forward_neuron(const LifForward<X>& a, int64_t n, Current current,
                                        Emit emit) {
  using T = Compute<X>;
  const NeuronConstants<T> c = a.at(n);
  T v = a.v_init == nullptr ? T(0) : a.v_init[n];
  int code = 0;
  for (int64_t t = 0; t < a.steps; ++t) {
    T u;
    bool spike, window, carry;
    neuron_step<kReset, kRounding>(current(t), c, a.inclusive, v, u, spike, window, carry);
    emit(t, spike);
    if (a.membrane_out == MembraneOut::kTrace) a.membrane[t * a.neurons + n] = v;
    if (a.state != nullptr) a.state[t * a.neurons + n] = u;
    if (a.codes != nullptr) {
      const int place = static_cast<int>(t % kStepsPerByte);
      const int bits = (window ? kCodeWindow : 0) | (carry ? kCodeCarry : 0);
      code |= bits << (kCodeBits * place);
      if (place == kStepsPerByte - 1 || t + 1 == a.steps) {
        a.codes[t / kStepsPerByte * a.neurons + n] = static_cast<uint8_t>(code);
        code = 0;
      }
    }
  }
  if (a.membrane_out == MembraneOut::kLast) a.membrane[n] = v;
}

// The current of neuron n in memory.
template <typename X>
struct GivenCurrent {
  const X* x;
  int64_t stride;

  LAMPYRIS_INLINE GivenCurrent(const LifForward<X>& a, int64_t n)
      : x(a.x.at(0, n)), stride(a.x.step_stride) {}
  LAMPYRIS_INLINE Compute<X> operator()(int64_t t) const { return widen(x[t * stride]); }
};

template <Reset kReset, Rounding kRounding, typename X, typename Emit>
LAMPYRIS_INLINE void lif_forward_neuron(const LifForward<X>& a, int64_t n, Emit emit) {
  lif_forward_neuron<kReset, kRounding>(a, n, GivenCurrent<X>(a, n), emit);
}

// grad_membrane's share of the gradient of v after step t.
template <typename X>
LAMPYRIS_INLINE Compute<X> trace_gradient(const LifBackward<X>& a, int64_t here) {
  const bool trace = a.membrane_out == MembraneOut::kTrace && a.grad_membrane != nullptr;
  return trace ? a.grad_membrane[here] : Compute<X>(0);
}

template <typename X>
LAMPYRIS_INLINE Compute<X> last_gradient(const LifBackward<X>& a, int64_t n) {
  const bool last = a.membrane_out == MembraneOut::kLast && a.grad_membrane != nullptr;
  return last ? a.grad_membrane[n] : Compute<X>(0);
}

// Gradients of x and v_init from the codes (see LifBackward).
template <bool kThroughReset, typename X>
LAMPYRIS_INLINE void lif_backward_from_codes(const LifBackward<X>& a, int64_t n) {
  using T = Compute<X>;
  const NeuronConstants<T> c = a.at(n);
  T carry = last_gradient(a, n);
  const X* spikes = a.grad_spikes.data == nullptr ? nullptr : a.grad_spikes.at(0, n);
  int codes = 0;
  for (int64_t t = a.steps - 1; t >= 0; --t) {
    const int place = static_cast<int>(t % kStepsPerByte);
    if (place == kStepsPerByte - 1 || t + 1 == a.steps) {
      codes = a.codes[t / kStepsPerByte * a.neurons + n];
    }
    const int64_t here = t * a.neurons + n;
    carry += trace_gradient(a, here);
    T grad_spike = spikes == nullptr ? T(0) : widen(spikes[t * a.grad_spikes.step_stride]);
    if constexpr (kThroughReset) grad_spike -= c.threshold * carry;
    const T grad_u = grad_charge(grad_spike, carry, codes >> (kCodeBits * place), c.inverse_width);
    a.grad_x[here] = narrow<X>(c.gain * grad_u);
    carry = c.decay * grad_u;
  }
  if (a.grad_v_init != nullptr) a.grad_v_init[n] = carry;
}

// Gradients of every input from u of each step. kBefore: parameter gradients or Rounding::kFloor,
// which need the membrane of the step before.
template <bool kBefore, typename X>
LAMPYRIS_INLINE void lif_backward_from_state(const LifBackward<X>& a, int64_t n) {
  using T = Compute<X>;
  const NeuronConstants<T> c = a.at(n);
  const bool hard = a.reset == Reset::kHard;
  const bool through = !a.detach_reset && a.reset != Reset::kNone;
  T carry = last_gradient(a, n);
  const X* spikes = a.grad_spikes.data == nullptr ? nullptr : a.grad_spikes.at(0, n);
  T grad_decay = T(0), grad_threshold = T(0), grad_gain = T(0);
  T u = a.state[(a.steps - 1) * a.neurons + n];
  for (int64_t t = a.steps - 1; t >= 0; --t) {
    const int64_t here = t * a.neurons + n;
    carry += trace_gradient(a, here);
    T grad_spike = spikes == nullptr ? T(0) : widen(spikes[t * a.grad_spikes.step_stride]);
    const bool spike = fires(u, c.threshold, a.inclusive);
    if (through) grad_spike += (hard ? c.v_reset - u : -c.threshold) * carry;
    const T derivative = a.derivative != nullptr
                             ? a.derivative[here]
                             : surrogate_by(a.surrogate, u - c.threshold, c.half_width,
                                            c.inverse_width);
    const T through_spike = grad_spike * derivative;
    T grad_u = through_spike + (hard && spike ? T(0) : carry);
    const T before = t > 0 ? a.state[here - a.neurons] : T(0);
    if constexpr (kBefore) {
      const T first = a.v_init == nullptr ? T(0) : a.v_init[n];
      const T v = t > 0 ? membrane_after(a.reset, before, c, a.inclusive) : first;
      const T x = widen(*a.x.at(t, n));
      if (a.rounding == Rounding::kFloor) {
        grad_u = fits_membrane(charge(v, x, c.decay, c.gain, c.v_reset)) ? grad_u : T(0);
      }
      grad_threshold -= through_spike + (a.reset == Reset::kSoft && spike ? carry : T(0));
      grad_decay += grad_u * (v - c.v_reset);
      grad_gain += grad_u * x;
    }
    a.grad_x[here] = narrow<X>(c.gain * grad_u);
    carry = c.decay * grad_u;
    u = before;
  }
  if (a.grad_v_init != nullptr) a.grad_v_init[n] = carry;
  if (a.grad_decay != nullptr) a.grad_decay[n] = grad_decay;
  if (a.grad_threshold != nullptr) a.grad_threshold[n] = grad_threshold;
  if (a.grad_gain != nullptr) a.grad_gain[n] = grad_gain;
}

}  // namespace lampyris
