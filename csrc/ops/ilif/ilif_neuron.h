// One I-LIF neuron over all steps: the whole CUDA kernel, and what the CPU's blocks are tested
// against.
#pragma once

#include "ops/ilif/ilif.h"
#include "ops/lif/lif_neuron.h"

namespace lampyris {

template <typename X>
LAMPYRIS_INLINE void ilif_forward_neuron(const LifForward<X>& a, int64_t n) {
  using T = Compute<X>;
  const NeuronConstants<T> c = a.at(n);
  const X* x = a.x.at(0, n);
  T v = a.v_init == nullptr ? T(0) : a.v_init[n];
  int code = 0;
  for (int64_t t = 0; t < a.steps; ++t) {
    T u, count;
    bool window;
    counting_step(widen(x[t * a.x.step_stride]), c, v, u, count, window);
    a.spikes[t * a.neurons + n] = narrow<X>(count);
    if (a.state != nullptr) a.state[t * a.neurons + n] = u;
    if (a.codes != nullptr) {
      const int place = static_cast<int>(t % kStepsPerByte);
      code |= (kCodeCarry | (window ? kCodeWindow : 0)) << (kCodeBits * place);
      if (place == kStepsPerByte - 1 || t + 1 == a.steps) {
        a.codes[t / kStepsPerByte * a.neurons + n] = static_cast<uint8_t>(code);
        code = 0;
      }
    }
  }
  if (a.membrane_out == MembraneOut::kLast) a.membrane[n] = v;
}

template <typename X>
LAMPYRIS_INLINE void ilif_backward_neuron(const LifBackward<X>& a, int64_t n) {
  using T = Compute<X>;
  const NeuronConstants<T> c = a.at(n);
  const X* counts = a.grad_spikes.data == nullptr ? nullptr : a.grad_spikes.at(0, n);
  T carry = last_gradient(a, n), grad_decay = T(0), grad_threshold = T(0), grad_gain = T(0);
  for (int64_t t = a.steps - 1; t >= 0; --t) {
    const int64_t here = t * a.neurons + n;
    const T grad_count = counts == nullptr ? T(0) : widen(counts[t * a.grad_spikes.step_stride]);
    const CountGradients<T> grad = count_gradients(grad_count, carry, a.state[here], c);
    T v = a.v_init == nullptr ? T(0) : a.v_init[n];
    if (t > 0) {
      v = a.state[here - a.neurons];
      v = v - c.threshold * count_of(v, c.threshold, c.half_width);
    }
    grad_threshold += grad.threshold;
    grad_decay += grad.u * v;
    grad_gain += grad.u * widen(*a.x.at(t, n));
    a.grad_x[here] = narrow<X>(c.gain * grad.u);
    carry = c.decay * grad.u;
  }
  if (a.grad_v_init != nullptr) a.grad_v_init[n] = carry;
  if (a.grad_decay != nullptr) a.grad_decay[n] = grad_decay;
  if (a.grad_threshold != nullptr) a.grad_threshold[n] = grad_threshold;
  if (a.grad_gain != nullptr) a.grad_gain[n] = grad_gain;
}

}  // namespace lampyris
