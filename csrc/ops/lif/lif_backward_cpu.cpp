#include <algorithm>

#include "cpu/dispatch.h"
#include "cpu/stream.h"
#include "ops/lif/lif.h"
#include "ops/lif/lif_backward_run.h"
#include "ops/lif/lif_block.h"
#include "ops/lif/lif_neuron.h"

namespace lampyris {

namespace {

// Reset detached, or soft: the codes are enough. kThroughReset: a soft reset that is not detached.
template <typename T, bool kThroughReset>
struct BackwardFromCodes {
  struct Scratch {
    alignas(64) T carry[kLifBlock];
    ConstantsBlock<T> c;
    alignas(64) T zero[kLifLane];
    alignas(64) T g[kStepsPerByte][kLifLane];
    alignas(64) T m[kStepsPerByte][kLifLane];
    alignas(64) T out[kStepsPerByte][kLifLane];
    alignas(64) uint8_t code[kLifLane];
  };

  template <class Target>
  LAMPYRIS_INLINE static void run(const LifBackward<T>& a, int64_t begin, int64_t end) {
    Scratch m;
    std::fill_n(m.zero, kLifLane, T(0));
    std::fill_n(m.code, kLifLane, uint8_t{0});
    for (int64_t block = begin; block < end; ++block) one_block<Target>(a, block * kLifBlock, m);
    stream_end(Target{});
  }

  template <class Target>
  LAMPYRIS_INLINE static void one_block(const LifBackward<T>& a, int64_t first, Scratch& m) {
    const int64_t count = std::min(kLifBlock, a.neurons - first);
    const bool last = a.membrane_out == MembraneOut::kLast;
    m.c.load(a, first, count);
    load_block(m.carry, last ? a.grad_membrane : nullptr, first, count);
    const bool stream =
        !a.read_next && streams_well(a.grad_x, a.steps * a.neurons, a.neurons);
    int64_t t = a.steps;
    for (; t % kStepsPerByte != 0; --t) {
      for (int64_t o = 0; o < count; o += kLifLane) {
        lane<1, Target>(a, t - 1, first, o, std::min(kLifLane, count - o), stream, m);
      }
    }
    for (; t > 0; t -= kStepsPerByte) {
      const int64_t earliest = t - kStepsPerByte;
      for (int64_t o = 0; o < count;) {
        const int64_t done = backward_run<kThroughReset>(Target{}, a, m.c, m.carry, earliest, first,
                                                         o, count - o, stream);
        o += done;
        if (done > 0) continue;
        const int64_t lanes = std::min(kLifLane, count - o);
        lane<kStepsPerByte, Target>(a, earliest, first, o, lanes, stream, m);
        o += lanes;
      }
    }
    if (a.grad_v_init != nullptr) std::copy_n(m.carry, count, a.grad_v_init + first);
  }

  template <int kSteps, class Target>
  LAMPYRIS_INLINE static void lane(const LifBackward<T>& a, int64_t t, int64_t first, int64_t o,
                                   int64_t count, bool stream, Scratch& m) {
    const int64_t n = first + o;
    const bool whole = count == kLifLane;
    const bool trace = a.membrane_out == MembraneOut::kTrace && a.grad_membrane != nullptr;
    const StepView<T> membrane{a.grad_membrane, a.neurons, 0, a.neurons};
    const LaneView<T> spikes_lane(a.grad_spikes, n, count), membrane_lane(membrane, n, count);
    const T *g[kSteps], *grad_v[kSteps];
    T* out[kSteps];
    for (int j = 0; j < kSteps; ++j) {
      g[j] = a.grad_spikes.data == nullptr ? m.zero
                                           : spikes_lane.at(a.grad_spikes, t + j, n, count, m.g[j]);
      grad_v[j] = trace ? membrane_lane.at(membrane, t + j, n, count, m.m[j]) : m.zero;
      out[j] = whole && !stream ? a.grad_x + (t + j) * a.neurons + n : m.out[j];
      prefetch_read(g[j]);
      if (!stream) prefetch_write(out[j]);
    }
    const uint8_t* code = a.codes + t / kStepsPerByte * a.neurons + n;
    if (!whole) {
      std::copy_n(code, count, m.code);
      code = m.code;
    }
    steps<kSteps>(g, grad_v, out, code, m, o, kCodeBits * static_cast<int>(t % kStepsPerByte));
    for (int j = 0; j < kSteps; ++j) {
      T* to = a.grad_x + (t + j) * a.neurons + n;
      if (!whole) std::copy_n(out[j], count, to);
      if (whole && stream) stream_copy(Target{}, out[j], kLifLane, to);
    }
  }

  template <int kSteps>
  LAMPYRIS_INLINE static void steps(const T* const* g, const T* const* grad_v, T* const* out,
                                    const uint8_t* code, Scratch& m, int64_t o, int shift) {
    T* const carries = m.carry + o;
    const T *decay = m.c.decay.lane(o), *threshold = m.c.threshold.lane(o);
    const T *gain = m.c.gain.lane(o), *inverse_width = m.c.inverse_width.lane(o);
#pragma GCC ivdep
    for (int64_t i = 0; i < kLifLane; ++i) {
      const int bits = code[i] >> shift;
      T carry = carries[i];
#pragma GCC unroll 4
      for (int j = kSteps - 1; j >= 0; --j) {
        carry += grad_v[j][i];
        T grad_spike = g[j][i];
        if constexpr (kThroughReset) grad_spike -= threshold[i] * carry;
        const T grad_u = grad_charge(grad_spike, carry, bits >> (kCodeBits * j), inverse_width[i]);
        out[j][i] = gain[i] * grad_u;
        carry = decay[i] * grad_u;
      }
      carries[i] = carry;
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
