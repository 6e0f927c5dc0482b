#include "firefly/neuron_unit.h"

#include <algorithm>
#include <cstring>

#include "core/fixed_point.h"
#include "cpu/dispatch.h"

namespace lampyris::firefly {

namespace {

constexpr int kVector = 16;  // lanes
typedef int32_t Wide __attribute__((vector_size(4 * kVector), aligned(4), may_alias));
typedef int16_t Narrow __attribute__((vector_size(2 * kVector), aligned(2), may_alias));

LAMPYRIS_INLINE void load(const int16_t* from, Wide& lanes) {
  lanes = __builtin_convertvector(*reinterpret_cast<const Narrow*>(from), Wide);
}

// Gcc cannot be trusted with loops over P lanes here: clamping alone cost 25 ns a vector.
template <bool kResidual, bool kStream>
LAMPYRIS_INLINE void currents(const CurrentJob& job) {
  const int p = job.parallelism, shift = job.shift;
  Wide clamped = {};
  for (int tile = 0; tile < job.tiles; ++tile) {
    for (int lane = 0; lane < p; lane += kVector) {
      const int32_t* sums = job.sums + tile * p + lane;
      const int16_t* residual = job.residual + (kResidual ? tile * job.residual_tile + lane : 0);
      int16_t* stream = job.stream + (kStream ? tile * job.stream_tile + lane : 0);
      int32_t* out = job.current + int64_t{tile} * job.width * p + lane;
      Wide bias;
      load(job.bias + tile * p + lane, bias);
      for (int x = 0; x < job.width; ++x, sums += job.lanes, out += p) {
        Wide wide = (*reinterpret_cast<const Wide*>(sums) << shift) + bias;
        if constexpr (kResidual) {
          Wide shortcut;
          load(residual, shortcut);
          wide += shortcut;
          residual += p;
        }
        Wide value = wide < kCurrentMin ? Wide{} + kCurrentMin : wide;
        value = value > kCurrentMax ? Wide{} + kCurrentMax : value;
        clamped -= value != wide;  // a true lane is -1
        *reinterpret_cast<Wide*>(out) = value;
        if constexpr (kStream) {
          *reinterpret_cast<Narrow*>(stream) = __builtin_convertvector(value, Narrow);
          stream += p;
        }
      }
    }
  }
  for (int i = 0; i < kVector; ++i) *job.clamped += clamped[i];
}

struct Currents {
  template <class Target>
  static LAMPYRIS_INLINE void run(const CurrentJob& job) {
    if (job.residual)
      job.stream ? currents<true, true>(job) : currents<true, false>(job);
    else
      job.stream ? currents<false, true>(job) : currents<false, false>(job);
  }
};

template <int P>
LAMPYRIS_INLINE void sums(const SumJob& job) {
  for (int tile = 0; tile < job.tiles; ++tile)
    for (int x = 0; x < job.width; ++x) {
      const int32_t* in = job.sums + int64_t{x} * job.lanes + tile * P;
      int32_t* out = job.total + (int64_t{tile} * job.width + x) * P;
      for (int p = 0; p < P; ++p) out[p] += in[p] + job.bias[tile * P + p];
    }
}

struct Sums {
  template <class Target>
  static LAMPYRIS_INLINE void run(const SumJob& job) {
    job.parallelism == 16 ? sums<16>(job) : sums<32>(job);
  }
};

// Sum of an adder of the membrane's width: v1 wraps there, ems clamps the result (limit).
template <Leak kLeak, Overflow kOverflow>
LAMPYRIS_INLINE int32_t charge(int32_t v, int32_t x, int k) {
  if constexpr (kLeak == Leak::kBefore) v = shift_floor(v, k);
  int32_t sum = v + x;
  if constexpr (kOverflow == Overflow::kWrap) sum = wrap(sum, kMembraneBits);
  return kLeak == Leak::kHalfAfter ? shift_floor(sum, 1) : sum;
}

template <Leak kLeak, Overflow kOverflow, int P>
LAMPYRIS_INLINE void neurons(const NeuronJob& job) {
  int64_t saturated = 0;
  const int k = job.k;
  for (int tile = 0; tile < job.tiles; ++tile) {
    const int32_t* threshold = job.threshold + tile * P;
    const int64_t first = int64_t{tile} * job.width * P;
    const int32_t* __restrict current = job.current + first;
    int32_t* __restrict membrane = job.membrane + first;
    uint8_t* __restrict fired = job.fired + first;
    for (int x = 0; x < job.width; ++x, current += P, membrane += P, fired += P) {
      int32_t clamps[P], fires[P];
      for (int p = 0; p < P; ++p) {
        const int32_t wide = charge<kLeak, kOverflow>(membrane[p], current[p], k);
        const int32_t v = sat18(wide);
        clamps[p] = v != wide;
        fires[p] = v > threshold[p];
        membrane[p] = fires[p] ? 0 : v;
      }
      int32_t count = 0;
      for (int p = 0; p < P; ++p) count += clamps[p];
      for (int p = 0; p < P; ++p) fired[p] = static_cast<uint8_t>(fires[p]);
      saturated += count;
    }
  }
  *job.saturated += saturated;
}

template <Overflow kOverflow, int P>
LAMPYRIS_INLINE void neurons_by_leak(const NeuronJob& job) {
  switch (job.leak) {
    case Leak::kHalfAfter:
      neurons<Leak::kHalfAfter, kOverflow, P>(job);
      break;
    case Leak::kBefore:
      neurons<Leak::kBefore, kOverflow, P>(job);
      break;
    default:
      neurons<Leak::kNone, kOverflow, P>(job);
      break;
  }
}

template <Overflow kOverflow>
struct Neurons {
  template <class Target>
  static LAMPYRIS_INLINE void run(const NeuronJob& job) {
    job.parallelism == 16 ? neurons_by_leak<kOverflow, 16>(job)
                          : neurons_by_leak<kOverflow, 32>(job);
  }
};

}  // namespace

void current_row(const CurrentJob& job) { dispatch<Currents>(job); }
void sum_row(const SumJob& job) { dispatch<Sums>(job); }

void neuron_row(const NeuronJob& job) {
  if (job.overflow == Overflow::kSaturate)
    dispatch<Neurons<Overflow::kSaturate>>(job);
  else
    dispatch<Neurons<Overflow::kWrap>>(job);
}

void winner_row(const NeuronJob& job) {
  const int p = job.parallelism;
  for (int64_t pixel = 0; pixel < int64_t{job.tiles} * job.width; ++pixel) {
    int32_t* v = job.membrane + pixel * p;
    const int32_t* x = job.current + pixel * p;
    for (int lane = 0; lane < p; ++lane) {
      v[lane] = wrap(v[lane] + x[lane], kMembraneBits);
      if (job.leak == Leak::kHalfAfter) v[lane] = shift_floor(v[lane], 1);
    }
    const int32_t best = *std::max_element(v, v + p);
    for (int lane = 0; lane < p; ++lane) job.fired[pixel * p + lane] = v[lane] > best - 1;
  }
}

void pack_row(const uint8_t* fired, int pixels, int parallelism, uint8_t* out) {
  constexpr uint64_t kGather = 0x0102040810204080;  // byte i (0 or 1) to bit 56 + i
  const int64_t bytes = int64_t{pixels} * parallelism / 8;
  for (int64_t i = 0; i < bytes; ++i) {
    uint64_t lanes;
    std::memcpy(&lanes, fired + 8 * i, sizeof(lanes));
    out[i] = static_cast<uint8_t>(lanes * kGather >> 56);
  }
}

}  // namespace lampyris::firefly
