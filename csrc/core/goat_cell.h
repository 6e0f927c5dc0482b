// One step of the cells that read a neighbourhood in order, and its gradient. CPU loops, CUDA kernels
// and tests call these functions; nothing else states the rules. T is a float, a double or a vector
// of hidden units (cpu/wide.h). Each gate has two arguments: `in`, what the neighbour sends
// (factor W_ih x + bias), and `rec`, what the state sends (W_hh h; 0 for cells without).
//
//   lstm  i, f, g, o    c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' = sigmoid(o) tanh(c')
//   gru   r, z, n       n = tanh(in_n + sigmoid(r) rec_n);  h' = n + sigmoid(z) (h - n)
//   scan  z, candidate  h' = h + sigmoid(z) (candidate - h)
//   lif   input         u = decay v + in;  spike where u > threshold;  v' = spike ? 0 : u;  h' = h + spike
//
// lstm and gru are torch.nn.LSTM and GRU (bias_hh = 0), in their order of gates; scan is minGRU (Feng
// et al. 2024); lif is core/neuron.h with a hard reset to 0, a rectangle surrogate of width 1 and no
// gradient through the reset.
#pragma once

#include "core/activation.h"
#include "core/half.h"
#include "core/neuron.h"

namespace lampyris {

enum class GoatCell { kLstm, kGru, kScan, kLif };

// h, and c of an LSTM or v of a neuron. What is saved of a step for the backward is the first kSaved
// of them; of a neuron it is u.
inline constexpr int kGoatStates = 2;
inline constexpr int kGoatMostGates = 4;

template <typename T>
struct GoatNeuron {
  T decay, threshold;
  bool early_exit;  // a neuron reads no more after its first spike
};

template <typename T>
LAMPYRIS_INLINE T sigmoid_slope(T value) {
  return value * (T(1) - value);
}

template <typename T>
LAMPYRIS_INLINE T tanh_slope(T value) {
  return T(1) - value * value;
}

struct GoatLstm {
  static constexpr GoatCell kCell = GoatCell::kLstm;
  static constexpr int kGates = 4, kSaved = 2;
  static constexpr bool kRecurrent = true;

  template <typename T>
  LAMPYRIS_INLINE static void step(const T* in, const T* rec, const GoatNeuron<T>&, T* state,
                                   T* saved) {
    const T i = sigmoid_of(in[0] + rec[0]), f = sigmoid_of(in[1] + rec[1]);
    const T g = tanh_of(in[2] + rec[2]), o = sigmoid_of(in[3] + rec[3]);
    saved[1] = state[1] = f * state[1] + i * g;
    saved[0] = state[0] = o * tanh_of(state[1]);
  }

  // `before`: the saved state one step earlier. `grad`: of the state after the step, and on return of
  // the state before it without what comes through rec. `now`: what this step saved.
  template <typename T>
  LAMPYRIS_INLINE static void grad(const T* in, const T* rec, const T* before, const T* now,
                                   const GoatNeuron<T>&, T* grad, T* grad_in, T* grad_rec) {
    const T i = sigmoid_of(in[0] + rec[0]), f = sigmoid_of(in[1] + rec[1]);
    const T g = tanh_of(in[2] + rec[2]), o = sigmoid_of(in[3] + rec[3]);
    const T squashed = tanh_of(now[1]);
    const T grad_c = grad[1] + grad[0] * (o * tanh_slope(squashed));
    grad_rec[0] = grad_in[0] = grad_c * g * sigmoid_slope(i);
    grad_rec[1] = grad_in[1] = grad_c * before[1] * sigmoid_slope(f);
    grad_rec[2] = grad_in[2] = grad_c * i * tanh_slope(g);
    grad_rec[3] = grad_in[3] = grad[0] * squashed * sigmoid_slope(o);
    grad[0] = T(0);
    grad[1] = grad_c * f;
  }
};

struct GoatGru {
  static constexpr GoatCell kCell = GoatCell::kGru;
  static constexpr int kGates = 3, kSaved = 1;
  static constexpr bool kRecurrent = true;

  template <typename T>
  LAMPYRIS_INLINE static void step(const T* in, const T* rec, const GoatNeuron<T>&, T* state,
                                   T* saved) {
    const T r = sigmoid_of(in[0] + rec[0]), z = sigmoid_of(in[1] + rec[1]);
    const T n = tanh_of(in[2] + r * rec[2]);
    saved[0] = state[0] = n + z * (state[0] - n);
  }

  template <typename T>
  LAMPYRIS_INLINE static void grad(const T* in, const T* rec, const T* before, const T*,
                                   const GoatNeuron<T>&, T* grad, T* grad_in, T* grad_rec) {
    const T r = sigmoid_of(in[0] + rec[0]), z = sigmoid_of(in[1] + rec[1]);
    const T n = tanh_of(in[2] + r * rec[2]);
    grad_in[2] = grad[0] * (T(1) - z) * tanh_slope(n);
    grad_rec[2] = grad_in[2] * r;
    grad_rec[0] = grad_in[0] = grad_in[2] * rec[2] * sigmoid_slope(r);
    grad_rec[1] = grad_in[1] = grad[0] * (before[0] - n) * sigmoid_slope(z);
    grad[0] = grad[0] * z;
  }
};

struct GoatScan {
  static constexpr GoatCell kCell = GoatCell::kScan;
  static constexpr int kGates = 2, kSaved = 1;
  static constexpr bool kRecurrent = false;

  template <typename T>
  LAMPYRIS_INLINE static void step(const T* in, const T*, const GoatNeuron<T>&, T* state,
                                   T* saved) {
    saved[0] = state[0] = state[0] + sigmoid_of(in[0]) * (in[1] - state[0]);
  }

  template <typename T>
  LAMPYRIS_INLINE static void grad(const T* in, const T*, const T* before, const T*,
                                   const GoatNeuron<T>&, T* grad, T* grad_in, T*) {
    const T z = sigmoid_of(in[0]);
    grad_in[0] = grad[0] * (in[1] - before[0]) * sigmoid_slope(z);
    grad_in[1] = grad[0] * z;
    grad[0] = grad[0] * (T(1) - z);
  }
};

struct GoatLif {
  static constexpr GoatCell kCell = GoatCell::kLif;
  static constexpr int kGates = 1, kSaved = 1;
  static constexpr bool kRecurrent = false;

  // A neuron that has stopped saves NaN: it never fires, its window is closed, so that no gradient
  // starts there.
  template <typename T>
  LAMPYRIS_INLINE static void step(const T* in, const T*, const GoatNeuron<T>& neuron, T* state,
                                   T* saved) {
    T u = charge_at_rest(state[1], in[0], neuron.decay, T(1));
    if (neuron.early_exit) {
      constexpr uint32_t kNan = 0x7FC00000U;
      u = select(state[0] > T(0), T(float_of(kNan)), u);
    }
    const MaskOf<T> spike = fires(u, neuron.threshold, false);
    saved[0] = u;
    state[0] = state[0] + select(spike, T(1), T(0));
    state[1] = after_reset<Reset::kHard>(u, spike, neuron.threshold, T(0));
  }

  template <typename T>
  LAMPYRIS_INLINE static void grad(const T*, const T*, const T*, const T* now,
                                   const GoatNeuron<T>& neuron, T* grad, T* grad_in, T*) {
    const MaskOf<T> spike = fires(now[0], neuron.threshold, false);
    const MaskOf<T> window = in_window(now[0], neuron.threshold, T(0.5F));
    grad_in[0] = grad_charge(grad[0], grad[1], window, !spike, T(1));
    grad[1] = neuron.decay * grad_in[0];
  }
};

// run(GoatLstm{}) or another of the four.
template <class Run>
void with_goat_cell(GoatCell cell, const Run& run) {
  switch (cell) {
    case GoatCell::kLstm:
      return run(GoatLstm{});
    case GoatCell::kGru:
      return run(GoatGru{});
    case GoatCell::kScan:
      return run(GoatScan{});
    case GoatCell::kLif:
      return run(GoatLif{});
  }
}

}  // namespace lampyris
