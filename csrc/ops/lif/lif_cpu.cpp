#include <algorithm>

#include "cpu/bits.h"
#include "ops/lif/lif.h"
#include "ops/lif/lif_block.h"

namespace lampyris {

namespace {

// kFull also writes u and the membrane of each step.
template <typename T, Reset kReset, Rounding kRounding, bool kFull>
struct Forward {
  struct Scratch {
    alignas(64) T v[kLifBlock];
    alignas(64) T x[kStepsPerByte][kLifBlock];
    alignas(64) T s[kStepsPerByte][kLifBlock];
    alignas(64) T u[kStepsPerByte][kLifBlock];
    alignas(64) T w[kStepsPerByte][kLifBlock];
    alignas(64) uint8_t code[kLifBlock];
    ConstantsBlock<T> c;
  };

  template <class Target>
  LAMPYRIS_INLINE static void run(const LifForward<T>& a, int64_t begin, int64_t end) {
    Scratch m;
    for (int64_t block = begin; block < end; ++block) one_block<Target>(a, block * kLifBlock, m);
  }

  template <class Target>
  LAMPYRIS_INLINE static void one_block(const LifForward<T>& a, int64_t first, Scratch& m) {
    const int64_t count = std::min(kLifBlock, a.neurons - first);
    m.c.load(a, first, count);
    load_block(m.v, a.v_init, first, count);
    int64_t t = 0;
    for (; t + kStepsPerByte <= a.steps; t += kStepsPerByte) {
      group<kStepsPerByte, Target>(a, t, first, count, m);
    }
    for (; t < a.steps; ++t) group<1, Target>(a, t, first, count, m);
    if (a.membrane_out == MembraneOut::kLast) std::copy_n(m.v, count, a.membrane + first);
  }

  // kSteps steps from t on, in place where the block is whole, else through the scratch.
  template <int kSteps, class Target>
  LAMPYRIS_INLINE static void group(const LifForward<T>& a, int64_t t, int64_t first,
                                    int64_t count, Scratch& m) {
    const bool whole = count == kLifBlock;
    const int64_t words = (a.neurons + 31) / 32;
    T* const spikes = whole ? a.spikes : nullptr;
    T* const state = kFull && whole ? a.state : nullptr;
    T* const trace = kFull && whole && a.membrane_out == MembraneOut::kTrace ? a.membrane : nullptr;
    uint8_t* codes = a.codes == nullptr ? nullptr : a.codes + t / kStepsPerByte * a.neurons + first;
    const T* x[kSteps];
    T *s[kSteps], *u[kSteps], *w[kSteps];
    for (int j = 0; j < kSteps; ++j) {
      const int64_t row = (t + j) * a.neurons + first;
      x[j] = step_block(a.x, t + j, first, count, m.x[j]);
      s[j] = spikes != nullptr ? spikes + row : m.s[j];
      u[j] = state != nullptr ? state + row : m.u[j];
      w[j] = trace != nullptr ? trace + row : m.w[j];
    }
    const int shift = kCodeBits * static_cast<int>(t % kStepsPerByte);
    steps<kSteps>(x, s, u, w, m.v, whole && codes != nullptr ? codes : m.code, m.c, shift,
                  a.v_reset, a.inclusive);

    for (int j = 0; j < kSteps; ++j) {
      const int64_t row = (t + j) * a.neurons + first;
      if (a.plane != nullptr) pack<Target>(s[j], count, a.plane + (t + j) * words + first / 32);
      if (whole) continue;
      if (a.spikes != nullptr) std::copy_n(s[j], count, a.spikes + row);
      if (kFull && a.state != nullptr) std::copy_n(u[j], count, a.state + row);
      if (kFull && a.membrane_out == MembraneOut::kTrace) std::copy_n(w[j], count, a.membrane + row);
    }
    if (!whole && codes != nullptr) std::copy_n(m.code, count, codes);
  }

  template <int kSteps>
  LAMPYRIS_INLINE static void steps(const T* const* x, T* const* s, T* const* u, T* const* w, T* v,
                                    uint8_t* code, const ConstantsBlock<T>& c, int shift, T v_reset,
                                    bool inclusive) {
#pragma GCC ivdep
    for (int64_t i = 0; i < kLifBlock; ++i) {
      const NeuronConstants<T> constants = c.at(i, v_reset);
      T state = v[i];
      int bits = kSteps == kStepsPerByte || shift == 0 ? 0 : code[i];
#pragma GCC unroll 4
      for (int j = 0; j < kSteps; ++j) {
        T charged;
        bool spike;
        int step_code;
        neuron_step<kReset, kRounding>(x[j][i], constants, inclusive, state, charged, spike,
                                       step_code);
        s[j][i] = spike ? T(1) : T(0);
        if constexpr (kFull) {
          u[j][i] = charged;
          w[j][i] = state;
        }
        bits |= step_code << (shift + kCodeBits * j);
      }
      v[i] = state;
      code[i] = static_cast<uint8_t>(bits);
    }
  }

  template <class Target>
  LAMPYRIS_INLINE static void pack(const T* s, int64_t count, uint32_t* words) {
    for (int64_t i = 0; i < count; i += 32) {
      const uint32_t keep = count - i >= 32 ? ~0U : (1U << (count - i)) - 1;
      words[i / 32] = pack_word(Target{}, s + i) & keep;
    }
  }
};

// float64 is for gradient checks: baseline only.
template <class Body>
void start(const LifForward<float>& a, int64_t begin, int64_t end) {
  dispatch<Body>(a, begin, end);
}

template <class Body>
void start(const LifForward<double>& a, int64_t begin, int64_t end) {
  run_baseline<Body>(a, begin, end);
}

template <Reset kReset, Rounding kRounding, typename T>
void run_kind(const LifForward<T>& a, int64_t begin, int64_t end) {
  if (a.state != nullptr || a.membrane_out == MembraneOut::kTrace) {
    start<Forward<T, kReset, kRounding, true>>(a, begin, end);
  } else {
    start<Forward<T, kReset, kRounding, false>>(a, begin, end);
  }
}

template <typename T>
void run_rule(const LifForward<T>& a, int64_t begin, int64_t end) {
  const bool hard = a.reset == Reset::kHard, floor = a.rounding == Rounding::kFloor;
  if (hard && floor) return run_kind<Reset::kHard, Rounding::kFloor>(a, begin, end);
  if (hard) return run_kind<Reset::kHard, Rounding::kNone>(a, begin, end);
  if (floor) return run_kind<Reset::kSoft, Rounding::kFloor>(a, begin, end);
  run_kind<Reset::kSoft, Rounding::kNone>(a, begin, end);
}

}  // namespace

void lif_forward_blocks(const LifForward<float>& a, int64_t begin, int64_t end) {
  run_rule(a, begin, end);
}

void lif_forward_blocks(const LifForward<double>& a, int64_t begin, int64_t end) {
  run_rule(a, begin, end);
}

}  // namespace lampyris
