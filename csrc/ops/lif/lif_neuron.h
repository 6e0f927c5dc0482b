// One neuron over all steps: the whole CUDA kernel, and the general backward of the CPU.
#pragma once

#include "ops/lif/lif.h"

namespace lampyris {

// Calls emit(t, spike) for each step; writes membrane, codes and state.
template <Reset kReset, Rounding kRounding, typename T, typename Emit>
LAMPYRIS_INLINE void lif_forward_neuron(const LifForward<T>& a, int64_t n, Emit emit) {
  const NeuronConstants<T> c = a.at(n);
  const T* x = &a.x.at(0, n);
  T v = a.v_init == nullptr ? T(0) : a.v_init[n];
  int code = 0;
  for (int64_t t = 0; t < a.steps; ++t) {
    T u;
    bool spike, window, carry;
    neuron_step<kReset, kRounding>(x[t * a.x.step_stride], c, a.inclusive, v, u, spike, window,
                                   carry);
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

// Gradients of every input of neuron n. Reads a.state unless codes are enough (see LifBackward).
template <Reset kReset, typename T>
LAMPYRIS_INLINE void lif_backward_neuron(const LifBackward<T>& a, int64_t n) {
  const NeuronConstants<T> c = a.at(n);
  T carry = a.membrane_out == MembraneOut::kLast && a.grad_membrane != nullptr ? a.grad_membrane[n]
                                                                               : T(0);
  const T* spikes = a.grad_spikes.data == nullptr ? nullptr : &a.grad_spikes.at(0, n);
  const T* x = a.grad_gain == nullptr ? nullptr : &a.x.at(0, n);
  T grad_decay = T(0), grad_threshold = T(0), grad_gain = T(0);
  for (int64_t t = a.steps - 1; t >= 0; --t) {
    const int64_t here = t * a.neurons + n;
    if (a.membrane_out == MembraneOut::kTrace && a.grad_membrane != nullptr) {
      carry += a.grad_membrane[here];
    }
    const int code = a.codes[t / kStepsPerByte * a.neurons + n] >>
                     (kCodeBits * static_cast<int>(t % kStepsPerByte));
    T grad_spike = spikes == nullptr ? T(0) : spikes[t * a.grad_spikes.step_stride];
    if (!a.detach_reset) {
      grad_spike +=
          kReset == Reset::kSoft ? -(c.threshold * carry) : (c.v_reset - a.state[here]) * carry;
    }
    const T grad_u = grad_charge(grad_spike, carry, code, c.inverse_width);
    if (a.grad_threshold != nullptr) {
      const T u = a.state[here];
      if (in_window(u, c.threshold, c.half_width)) grad_threshold -= grad_spike * c.inverse_width;
      if (kReset == Reset::kSoft && fires(u, c.threshold, a.inclusive)) grad_threshold -= carry;
    }
    if (a.grad_gain != nullptr) grad_gain += grad_u * x[t * a.x.step_stride];
    if (a.grad_decay != nullptr) {
      T v = a.v_init == nullptr ? T(0) : a.v_init[n];
      if (t > 0) {
        const T u = a.state[here - a.neurons];
        v = after_reset<kReset>(u, fires(u, c.threshold, a.inclusive), c.threshold, c.v_reset);
      }
      grad_decay += grad_u * (v - c.v_reset);
    }
    a.grad_x[here] = c.gain * grad_u;
    carry = c.decay * grad_u;
  }
  if (a.grad_v_init != nullptr) a.grad_v_init[n] = carry;
  if (a.grad_decay != nullptr) a.grad_decay[n] = grad_decay;
  if (a.grad_threshold != nullptr) a.grad_threshold[n] = grad_threshold;
  if (a.grad_gain != nullptr) a.grad_gain[n] = grad_gain;
}

}  // namespace lampyris
