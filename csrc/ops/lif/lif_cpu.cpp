#include <algorithm>

#include "cpu/bits.h"
#include "ops/lif/lif.h"
#include "ops/lif/lif_block.h"

namespace lampyris {

namespace {

template <typename T, Reset kReset, Rounding kRounding>
struct Forward {
  template <class Target>
  LAMPYRIS_INLINE static void run(const LifForward<T>& a, int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) one_block<Target>(a, block * kLifBlock);
  }

  template <class Target>
  LAMPYRIS_INLINE static void one_block(const LifForward<T>& a, int64_t first) {
    const int64_t count = std::min(kLifBlock, a.neurons - first);
    const bool full = count == kLifBlock;
    const int64_t words = (a.neurons + 31) / 32;
    alignas(64) T v[kLifBlock], u[kLifBlock], spare[kLifBlock], input[kLifBlock];
    alignas(64) int32_t code[kLifBlock];
    ConstantsBlock<T> c;
    c.load(a, first, count);
    load_block(v, a.v_init, first, count);

    for (int64_t t = 0; t < a.steps; ++t) {
      const int shift = kCodeBits * static_cast<int>(t % kStepsPerByte);
      if (shift == 0) std::fill_n(code, kLifBlock, 0);
      const T* __restrict__ x = step_block(a.x, t, first, count, input);
      T* __restrict__ s = a.spikes != nullptr && full ? a.spikes + t * a.neurons + first : spare;
      step(v, x, c, u, s, code, shift, a.v_reset, a.inclusive);

      if (a.spikes != nullptr && !full) std::copy_n(s, count, a.spikes + t * a.neurons + first);
      if (a.plane != nullptr) pack<Target>(s, count, a.plane + t * words + first / 32);
      if (a.membrane_out == MembraneOut::kTrace) {
        std::copy_n(v, count, a.membrane + t * a.neurons + first);
      }
      if (a.state != nullptr) std::copy_n(u, count, a.state + t * a.neurons + first);
      if (a.codes != nullptr && (shift == kCodeBits * (kStepsPerByte - 1) || t + 1 == a.steps)) {
        store_codes(code, count, a.codes + t / kStepsPerByte * a.neurons + first);
      }
    }
    if (a.membrane_out == MembraneOut::kLast) std::copy_n(v, count, a.membrane + first);
  }

  LAMPYRIS_INLINE static void step(T* __restrict__ v, const T* __restrict__ x,
                                   const ConstantsBlock<T>& c, T* __restrict__ u,
                                   T* __restrict__ s, int32_t* __restrict__ code, int shift,
                                   T v_reset, bool inclusive) {
    for (int64_t i = 0; i < kLifBlock; ++i) {
      const auto next =
          neuron_step<kReset, kRounding>(v[i], x[i], c.at(i, v_reset), inclusive);
      v[i] = next.v;
      u[i] = next.u;
      s[i] = next.spike ? T(1) : T(0);
      code[i] |= next.code << shift;
    }
  }

  template <class Target>
  LAMPYRIS_INLINE static void pack(const T* s, int64_t count, uint32_t* words) {
    for (int64_t i = 0; i < count; i += 32) {
      const uint32_t keep = count - i >= 32 ? ~0U : (1U << (count - i)) - 1;
      words[i / 32] = pack_word(Target{}, s + i) & keep;
    }
  }

  LAMPYRIS_INLINE static void store_codes(const int32_t* __restrict__ code, int64_t count,
                                          uint8_t* __restrict__ out) {
    if (count == kLifBlock) {
      for (int64_t i = 0; i < kLifBlock; ++i) out[i] = static_cast<uint8_t>(code[i]);
    } else {
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<uint8_t>(code[i]);
    }
  }
};

template <typename T, Reset kReset>
void run_rounding(const LifForward<T>& a, int64_t begin, int64_t end) {
  if (a.rounding == Rounding::kFloor) {
    dispatch<Forward<T, kReset, Rounding::kFloor>>(a, begin, end);
  } else {
    dispatch<Forward<T, kReset, Rounding::kNone>>(a, begin, end);
  }
}

template <typename T>
void run_reset(const LifForward<T>& a, int64_t begin, int64_t end) {
  if (a.reset == Reset::kHard) {
    run_rounding<T, Reset::kHard>(a, begin, end);
  } else {
    run_rounding<T, Reset::kSoft>(a, begin, end);
  }
}

}  // namespace

void lif_forward_blocks(const LifForward<float>& a, int64_t begin, int64_t end) {
  run_reset(a, begin, end);
}

void lif_forward_blocks(const LifForward<double>& a, int64_t begin, int64_t end) {
  run_reset(a, begin, end);
}

}  // namespace lampyris
