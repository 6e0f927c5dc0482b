#include <algorithm>

#include "cpu/dispatch.h"
#include "ops/lif/lif.h"
#include "ops/lif/lif_block.h"
#include "ops/lif/lif_neuron.h"

namespace lampyris {

namespace {

// Reset detached, or soft: the codes are enough. kThroughReset: a soft reset that is not detached.
template <typename T, bool kThroughReset>
struct BackwardFromCodes {
  struct Scratch {
    alignas(64) T carry[kLifBlock];
    alignas(64) T zero[kLifBlock];
    alignas(64) T g[kStepsPerByte][kLifBlock];
    alignas(64) T m[kStepsPerByte][kLifBlock];
    alignas(64) T out[kStepsPerByte][kLifBlock];
    alignas(64) uint8_t code[kLifBlock];
    ConstantsBlock<T> c;
  };

  template <class Target>
  LAMPYRIS_INLINE static void run(const LifBackward<T>& a, int64_t begin, int64_t end) {
    Scratch m;
    std::fill_n(m.zero, kLifBlock, T(0));
    std::fill_n(m.code, kLifBlock, uint8_t{0});
    for (int64_t block = begin; block < end; ++block) one_block(a, block * kLifBlock, m);
  }

  LAMPYRIS_INLINE static void one_block(const LifBackward<T>& a, int64_t first, Scratch& m) {
    const int64_t count = std::min(kLifBlock, a.neurons - first);
    const bool last = a.membrane_out == MembraneOut::kLast;
    m.c.load(a, first, count);
    load_block(m.carry, last ? a.grad_membrane : nullptr, first, count);
    int64_t t = a.steps;
    for (; t % kStepsPerByte != 0; --t) group<1>(a, t - 1, first, count, m);
    for (; t > 0; t -= kStepsPerByte) group<kStepsPerByte>(a, t - kStepsPerByte, first, count, m);
    if (a.grad_v_init != nullptr) std::copy_n(m.carry, count, a.grad_v_init + first);
  }

  template <int kSteps>
  LAMPYRIS_INLINE static void group(const LifBackward<T>& a, int64_t t, int64_t first,
                                    int64_t count, Scratch& m) {
    const bool whole = count == kLifBlock;
    const bool trace = a.membrane_out == MembraneOut::kTrace && a.grad_membrane != nullptr;
    const StepView<T> membrane{a.grad_membrane, a.neurons, 0, a.neurons};
    const T *g[kSteps], *grad_v[kSteps];
    T* out[kSteps];
    for (int j = 0; j < kSteps; ++j) {
      g[j] = a.grad_spikes.data == nullptr ? m.zero
                                           : step_block(a.grad_spikes, t + j, first, count, m.g[j]);
      grad_v[j] = trace ? step_block(membrane, t + j, first, count, m.m[j]) : m.zero;
      out[j] = whole ? a.grad_x + (t + j) * a.neurons + first : m.out[j];
    }
    const uint8_t* code = a.codes + t / kStepsPerByte * a.neurons + first;
    if (!whole) {
      std::copy_n(code, count, m.code);
      code = m.code;
    }
    steps<kSteps>(g, grad_v, out, code, m, kCodeBits * static_cast<int>(t % kStepsPerByte));
    for (int j = 0; j < kSteps && !whole; ++j) {
      std::copy_n(out[j], count, a.grad_x + (t + j) * a.neurons + first);
    }
  }

  template <int kSteps>
  LAMPYRIS_INLINE static void steps(const T* const* g, const T* const* grad_v, T* const* out,
                                    const uint8_t* code, Scratch& m, int shift) {
#pragma GCC ivdep
    for (int64_t i = 0; i < kLifBlock; ++i) {
      const int bits = code[i] >> shift;
      T carry = m.carry[i];
#pragma GCC unroll 4
      for (int j = kSteps - 1; j >= 0; --j) {
        carry += grad_v[j][i];
        T grad_spike = g[j][i];
        if constexpr (kThroughReset) grad_spike -= m.c.threshold[i] * carry;
        const T grad_u =
            grad_charge(grad_spike, carry, bits >> (kCodeBits * j), m.c.inverse_width[i]);
        out[j][i] = m.c.gain[i] * grad_u;
        carry = m.c.decay[i] * grad_u;
      }
      m.carry[i] = carry;
    }
  }
};

// Everything else reads u of each step: parameter gradients, a hard reset that is not detached.
template <typename T, Reset kReset>
struct BackwardFromState {
  template <class Target>
  LAMPYRIS_INLINE static void run(const LifBackward<T>& a, int64_t begin, int64_t end) {
    const int64_t last = std::min(end * kLifBlock, a.neurons);
    for (int64_t n = begin * kLifBlock; n < last; ++n) lif_backward_neuron<kReset>(a, n);
  }
};

// float64 is for gradient checks: baseline only.
template <class Body>
void start(const LifBackward<float>& a, int64_t begin, int64_t end) {
  dispatch<Body>(a, begin, end);
}

template <class Body>
void start(const LifBackward<double>& a, int64_t begin, int64_t end) {
  run_baseline<Body>(a, begin, end);
}

template <typename T>
void run_backward(const LifBackward<T>& a, int64_t begin, int64_t end) {
  const bool soft = a.reset == Reset::kSoft;
  if (a.state != nullptr && soft) return start<BackwardFromState<T, Reset::kSoft>>(a, begin, end);
  if (a.state != nullptr) return start<BackwardFromState<T, Reset::kHard>>(a, begin, end);
  if (soft && !a.detach_reset) return start<BackwardFromCodes<T, true>>(a, begin, end);
  start<BackwardFromCodes<T, false>>(a, begin, end);
}

}  // namespace

void lif_backward_blocks(const LifBackward<float>& a, int64_t begin, int64_t end) {
  run_backward(a, begin, end);
}

void lif_backward_blocks(const LifBackward<double>& a, int64_t begin, int64_t end) {
  run_backward(a, begin, end);
}

}  // namespace lampyris
