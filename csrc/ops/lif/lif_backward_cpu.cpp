#include <algorithm>

#include "cpu/dispatch.h"
#include "ops/lif/lif.h"
#include "ops/lif/lif_block.h"
#include "ops/lif/lif_neuron.h"

namespace lampyris {

namespace {

// Reset detached, or soft: the codes are enough.
template <typename T>
struct BackwardFromCodes {
  template <class Target>
  LAMPYRIS_INLINE static void run(const LifBackward<T>& a, int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) one_block(a, block * kLifBlock);
  }

  LAMPYRIS_INLINE static void one_block(const LifBackward<T>& a, int64_t first) {
    const int64_t count = std::min(kLifBlock, a.neurons - first);
    const bool full = count == kLifBlock;
    const bool through_reset = a.reset == Reset::kSoft && !a.detach_reset;
    alignas(64) T carry[kLifBlock], zero[kLifBlock], input[kLifBlock], spare[kLifBlock];
    alignas(64) uint8_t code_spare[kLifBlock] = {};
    ConstantsBlock<T> c;
    c.load(a, first, count);
    std::fill_n(zero, kLifBlock, T(0));
    load_block(carry, a.membrane_out == MembraneOut::kLast ? a.grad_membrane : nullptr, first,
               count);

    for (int64_t t = a.steps - 1; t >= 0; --t) {
      const int shift = kCodeBits * static_cast<int>(t % kStepsPerByte);
      if (a.membrane_out == MembraneOut::kTrace && a.grad_membrane != nullptr) {
        const T* grad_v = a.grad_membrane + t * a.neurons + first;
        for (int64_t i = 0; i < count; ++i) carry[i] += grad_v[i];
      }
      const T* g = a.grad_spikes.data == nullptr
                       ? zero
                       : step_block(a.grad_spikes, t, first, count, input);
      const uint8_t* code = a.codes + t / kStepsPerByte * a.neurons + first;
      if (!full) {
        std::copy_n(code, count, code_spare);
        code = code_spare;
      }
      T* out = full ? a.grad_x + t * a.neurons + first : spare;
      if (through_reset) {
        for (int64_t i = 0; i < kLifBlock; ++i) input[i] = g[i] - c.threshold[i] * carry[i];
        g = input;
      }
      step(g, code, shift, c, carry, out);
      if (!full) std::copy_n(out, count, a.grad_x + t * a.neurons + first);
    }
    if (a.grad_v_init != nullptr) std::copy_n(carry, count, a.grad_v_init + first);
  }

  LAMPYRIS_INLINE static void step(const T* __restrict__ g, const uint8_t* __restrict__ code,
                                   int shift, const ConstantsBlock<T>& c, T* __restrict__ carry,
                                   T* __restrict__ out) {
    for (int64_t i = 0; i < kLifBlock; ++i) {
      const T grad_u = grad_charge(g[i], carry[i], code[i] >> shift, c.inverse_width[i]);
      out[i] = c.gain[i] * grad_u;
      carry[i] = c.decay[i] * grad_u;
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

template <typename T>
void run_backward(const LifBackward<T>& a, int64_t begin, int64_t end) {
  if (a.state == nullptr) {
    dispatch<BackwardFromCodes<T>>(a, begin, end);
  } else if (a.reset == Reset::kHard) {
    dispatch<BackwardFromState<T, Reset::kHard>>(a, begin, end);
  } else {
    dispatch<BackwardFromState<T, Reset::kSoft>>(a, begin, end);
  }
}

}  // namespace

void lif_backward_blocks(const LifBackward<float>& a, int64_t begin, int64_t end) {
  run_backward(a, begin, end);
}

void lif_backward_blocks(const LifBackward<double>& a, int64_t begin, int64_t end) {
  run_backward(a, begin, end);
}

}  // namespace lampyris
