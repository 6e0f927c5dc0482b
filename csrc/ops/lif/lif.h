// Leaky integrate-and-fire neurons over T steps: arguments of the kernels. Neurons are numbered in
// the memory order of x[0]; T is the innermost loop and the membrane stays in registers or L1.
#pragma once

#include <cstdint>

#include "core/half.h"
#include "core/neuron.h"
#include "core/surrogate.h"

struct CUstream_st;

namespace lampyris {

// One value for every neuron, or values[(n / inner) % count] for neuron n (a channel, a full map).
template <typename T>
struct NeuronParameter {
  const T* values = nullptr;
  T value = T(0);
  int64_t count = 1;
  int64_t inner = 1;

  LAMPYRIS_INLINE T at(int64_t n) const {
    return values == nullptr ? value : values[(n / inner) % count];
  }
};

// Neuron n of step t is data[t * step_stride + (n / row) * row_stride + n % row]; a step stride of
// 0 is a current expanded over T.
template <typename T>
struct StepView {
  const T* data = nullptr;
  int64_t step_stride = 0;
  int64_t row_stride = 0;
  int64_t row = 1;

  LAMPYRIS_INLINE const T* at(int64_t t, int64_t n) const {
    return data + t * step_stride + (n / row) * row_stride + n % row;
  }
};

enum class MembraneOut { kNone, kLast, kTrace };

template <typename T>
struct LifRule {
  int64_t steps = 0;
  int64_t neurons = 0;
  NeuronParameter<T> decay, threshold, gain, width;
  T v_reset = T(0);
  Reset reset = Reset::kHard;
  Rounding rounding = Rounding::kNone;
  bool detach_reset = true;
  bool inclusive = false;

  LAMPYRIS_INLINE NeuronConstants<T> at(int64_t n) const {
    const T w = width.at(n);
    return {decay.at(n), threshold.at(n), gain.at(n), w / T(2), T(1) / w, v_reset};
  }
};

// X is the type of the currents and spikes; everything else is in Compute<X>.
template <typename X>
struct LifForward : LifRule<Compute<X>> {
  using T = Compute<X>;
  StepView<X> x;
  const T* v_init = nullptr;  // [N], null is 0
  X* spikes = nullptr;        // [T, N]
  uint32_t* plane = nullptr;  // [T, ceil(N / 32)] spike bits
  T* membrane = nullptr;      // [N] or [T, N]
  MembraneOut membrane_out = MembraneOut::kNone;
  uint8_t* codes = nullptr;  // [ceil(T / 4), N]: step t in bits 2 (t % 4) of row t / 4
  T* state = nullptr;        // [T, N] u of each step
  bool stream = false;       // write spikes past the caches
};

// From codes alone: rectangle, reset detached or not hard, no parameter gradients. Else from the
// state, with the codes as well after Rounding::kFloor (they know what was clipped).
template <typename X>
struct LifBackward : LifRule<Compute<X>> {
  using T = Compute<X>;
  StepView<X> grad_spikes;           // data null is 0
  const T* grad_membrane = nullptr;  // [N] or [T, N], null is 0
  MembraneOut membrane_out = MembraneOut::kNone;
  const uint8_t* codes = nullptr;
  X* grad_x = nullptr;       // [T, N]
  T* grad_v_init = nullptr;  // [N], may be null
  bool stream = false;       // write grad_x past the caches
  const T* state = nullptr;  // [T, N]
  Surrogate surrogate = Surrogate::kRectangle;
  const T* derivative = nullptr;  // [T, N] for Surrogate::kGiven
  StepView<X> x;
  const T* v_init = nullptr;
  T* grad_decay = nullptr;  // [N] each, null when not asked for
  T* grad_threshold = nullptr;
  T* grad_gain = nullptr;

  bool learns() const {
    return grad_decay != nullptr || grad_threshold != nullptr || grad_gain != nullptr;
  }
};

// Neurons that keep their membrane in L1 over all steps; ranges are cut there.
inline constexpr int64_t kLifBlock = 4096;

// Neurons [kLifBlock * begin, kLifBlock * end); X is float, double, BFloat16 or Float16.
template <typename X>
void lif_forward_blocks(const LifForward<X>& a, int64_t begin, int64_t end);
template <typename X>
void lif_backward_blocks(const LifBackward<X>& a, int64_t begin, int64_t end);

template <typename X>
void lif_forward_cuda(const LifForward<X>& a, CUstream_st* stream);
template <typename X>
void lif_backward_cuda(const LifBackward<X>& a, CUstream_st* stream);

}  // namespace lampyris
