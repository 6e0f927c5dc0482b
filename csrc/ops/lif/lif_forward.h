// The forward of blocks of neurons, for lif_cpu.cpp and lif_floor_cpu.cpp (one rounding each).
#pragma once

#include <algorithm>

#include "cpu/bits.h"
#include "cpu/stream.h"
#include "ops/lif/lif.h"
#include "ops/lif/lif_block.h"
#include "ops/lif/lif_forward_run.h"

namespace lampyris {

template <typename T, Reset kReset, Rounding kRounding>
struct LifForwardBlocks {
  struct Scratch {
    alignas(64) T v[kLifBlock];
    alignas(64) uint8_t code[kLifBlock];
    ConstantsBlock<T> c;
    alignas(64) T x[kStepsPerByte][kLifLane];
    alignas(64) T s[kStepsPerByte][kLifLane];
    alignas(64) T u[kLifLane];
    alignas(64) T w[kLifLane];
  };

  template <class Target>
  LAMPYRIS_INLINE static void run(const LifForward<T>& a, int64_t begin, int64_t end) {
    Scratch m;
    std::fill_n(m.code, kLifBlock, uint8_t{0});
    for (int64_t block = begin; block < end; ++block) one_block<Target>(a, block * kLifBlock, m);
    stream_end(Target{});
  }

  template <class Target>
  LAMPYRIS_INLINE static void one_block(const LifForward<T>& a, int64_t first, Scratch& m) {
    const int64_t count = std::min(kLifBlock, a.neurons - first);
    m.c.load(a, first, count);
    load_block(m.v, a.v_init, first, count);
    const bool stream = streams_well(a.spikes, a.steps * a.neurons, a.neurons);
    const bool lean = a.state == nullptr && a.membrane_out != MembraneOut::kTrace;
    int64_t t = 0;
    for (; lean && t + kStepsPerByte <= a.steps; t += kStepsPerByte) {
      for (int64_t o = 0; o < count;) {
        const int64_t done = forward_run<kReset, kRounding>(Target{}, a, m.c, m.v, t, first, o,
                                                            count - o, stream);
        o += done;
        if (done > 0) continue;
        const int64_t lanes = std::min(kLifLane, count - o);
        if (a.inclusive) {
          lane<kStepsPerByte, true, Target>(a, t, first, o, lanes, stream, m);
        } else {
          lane<kStepsPerByte, false, Target>(a, t, first, o, lanes, stream, m);
        }
        o += lanes;
      }
    }
    for (; t < a.steps; ++t) {
      for (int64_t o = 0; o < count; o += kLifLane) {
        const int64_t lanes = std::min(kLifLane, count - o);
        if (a.inclusive) {
          lane<1, true, Target>(a, t, first, o, lanes, stream, m);
        } else {
          lane<1, false, Target>(a, t, first, o, lanes, stream, m);
        }
      }
    }
    if (a.membrane_out == MembraneOut::kLast) std::copy_n(m.v, count, a.membrane + first);
  }

  // kSteps steps from t on of one lane. Single steps also give u and the membrane.
  template <int kSteps, bool kInclusive, class Target>
  LAMPYRIS_INLINE static void lane(const LifForward<T>& a, int64_t t, int64_t first, int64_t o,
                                   int64_t count, bool stream, Scratch& m) {
    const int64_t n = first + o;
    const bool whole = count == kLifLane;
    const int64_t words = (a.neurons + 31) / 32;
    const LaneView<T> view(a.x, n, count);
    const T* x[kSteps];
    T* s[kSteps];
    for (int j = 0; j < kSteps; ++j) {
      x[j] = view.at(a.x, t + j, n, count, m.x[j]);
      s[j] = a.spikes != nullptr && whole && !stream ? a.spikes + (t + j) * a.neurons + n : m.s[j];
      prefetch_read(x[j]);
      if (!stream) prefetch_write(s[j]);
    }
    const int shift = kCodeBits * static_cast<int>(t % kStepsPerByte);
    steps<kSteps, kInclusive>(x, s, m.v + o, m.code + o, m, o, shift, a.v_reset);

    for (int j = 0; j < kSteps; ++j) {
      const int64_t row = (t + j) * a.neurons + n;
      if (a.plane != nullptr) pack<Target>(s[j], count, a.plane + (t + j) * words + n / 32);
      if (stream && whole) {
        stream_copy(Target{}, s[j], kLifLane, a.spikes + row);
      } else if (a.spikes != nullptr && !whole) {
        std::copy_n(s[j], count, a.spikes + row);
      }
    }
    if constexpr (kSteps == 1) {
      const int64_t row = t * a.neurons + n;
      if (a.state != nullptr) std::copy_n(m.u, count, a.state + row);
      if (a.membrane_out == MembraneOut::kTrace) std::copy_n(m.w, count, a.membrane + row);
    }
    if (a.codes != nullptr) {
      std::copy_n(m.code + o, count, a.codes + t / kStepsPerByte * a.neurons + n);
    }
  }

  template <int kSteps, bool kInclusive>
  LAMPYRIS_INLINE static void steps(const T* const* x, T* const* s, T* v, uint8_t* code, Scratch& m,
                                    int64_t o, int shift, T v_reset) {
    const T *decay = m.c.decay.lane(o), *threshold = m.c.threshold.lane(o);
    const T *gain = m.c.gain.lane(o), *half_width = m.c.half_width.lane(o);
#pragma GCC ivdep
    for (int64_t i = 0; i < kLifLane; ++i) {
      const NeuronConstants<T> c{decay[i], threshold[i], gain[i], half_width[i], T(0), v_reset};
      T state = v[i];
      int bits = kSteps == kStepsPerByte || shift == 0 ? 0 : code[i];
#pragma GCC unroll 4
      for (int j = 0; j < kSteps; ++j) {
        T u;
        bool spike, window, carry;
        neuron_step<kReset, kRounding>(x[j][i], c, kInclusive, state, u, spike, window, carry);
        s[j][i] = spike ? T(1) : T(0);
        if constexpr (kSteps == 1) {
          m.u[i] = u;
          m.w[i] = state;
        }
        const int step_code = (window ? kCodeWindow : 0) | (carry ? kCodeCarry : 0);
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
void start_lif(const LifForward<float>& a, int64_t begin, int64_t end) {
  dispatch<Body>(a, begin, end);
}

template <class Body>
void start_lif(const LifForward<double>& a, int64_t begin, int64_t end) {
  run_baseline<Body>(a, begin, end);
}

template <Rounding kRounding, typename T>
void lif_forward_rounded(const LifForward<T>& a, int64_t begin, int64_t end) {
  if (a.reset == Reset::kHard) {
    start_lif<LifForwardBlocks<T, Reset::kHard, kRounding>>(a, begin, end);
  } else {
    start_lif<LifForwardBlocks<T, Reset::kSoft, kRounding>>(a, begin, end);
  }
}

void lif_forward_floor(const LifForward<float>& a, int64_t begin, int64_t end);
void lif_forward_floor(const LifForward<double>& a, int64_t begin, int64_t end);

}  // namespace lampyris
