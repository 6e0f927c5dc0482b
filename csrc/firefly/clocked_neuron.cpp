#include "firefly/clocked_neuron.h"

#include <algorithm>

#include "core/fixed_point.h"
#include "cpu/dispatch.h"

namespace lampyris::firefly {

struct NeuronClock {
  using Slot = ClockedNeuron::Slot;

  template <class Target>
  static LAMPYRIS_INLINE void run(ClockedNeuron* unit, const int32_t* sums,
                                  const int16_t* residual) {
    unit->shape_.parallelism == 16 ? step<16>(*unit, sums, residual)
                                   : step<32>(*unit, sums, residual);
  }

  template <int P>
  static LAMPYRIS_INLINE void step(ClockedNeuron& u, const int32_t* sums, const int16_t* residual) {
    const size_t n = u.slots_.size();
    const auto slot = [&](size_t age) __attribute__((always_inline)) -> Slot& {
      return u.slots_[(u.newest_ + age) % n];
    };
    Slot& oldest = slot(n - 1);
    u.has_output_ = oldest.valid;
    if (oldest.valid) finish<P>(u, oldest);
    if (u.shape_.winner)
      for (size_t level = 0; level + 2 < n; ++level) reduce<P>(slot(1 + level), level);
    Slot& read_before = slot(0);
    if (read_before.valid) u.shape_.ems ? add_ems<P>(u, read_before) : add_v1<P>(u, read_before);
    u.newest_ = (u.newest_ + n - 1) % n;
    Slot& now = slot(0);
    now.valid = sums != nullptr;
    if (sums) read<P>(u, now, sums, residual);
  }

  template <int P>
  static LAMPYRIS_INLINE void read(ClockedNeuron& u, Slot& s, const int32_t* sums,
                                   const int16_t* residual) {
    s.place = u.place_;
    const size_t at = static_cast<size_t>(s.place.pixel) * P;
    const bool first_pass = s.place.i == 0, first_step = s.place.t == 0;
    // v1 and the accumulator go on over all steps; a partial sum of ems starts anew in each.
    const bool clear = u.shape_.ems && !u.shape_.accumulate ? first_pass : first_pass && first_step;
    const int32_t keep_sum = clear ? 0 : -1, keep_v = first_step ? 0 : -1;
    const int32_t* psum = u.psum_.data() + at;
    const int32_t* v = u.shape_.ems ? u.membrane_.data() + at : psum;
    for (int p = 0; p < P; ++p) s.sum[static_cast<size_t>(p)] = sums[p];
    for (int p = 0; p < P; ++p) s.psum[static_cast<size_t>(p)] = psum[p] & keep_sum;
    for (int p = 0; p < P; ++p) s.v[static_cast<size_t>(p)] = v[p] & keep_v;
    for (int p = 0; p < P; ++p) s.residual[static_cast<size_t>(p)] = residual ? residual[p] : 0;
    u.advance();
  }

  template <int P>
  static LAMPYRIS_INLINE void add_v1(ClockedNeuron& u, Slot& s) {
    const NeuronShape& shape = u.shape_;
    const bool last = s.place.i + 1 == shape.ci_tiles;
    const int16_t* bias = u.bias_ + s.place.o * P;
    const int32_t with_bias = last ? -1 : 0;
    const bool halve = shape.leak == Leak::kEveryPass || (shape.leak == Leak::kHalfAfter && last);
    const int shift = halve ? 1 : 0;
    for (size_t p = 0; p < P; ++p) {
      const int32_t sum = s.psum[p] + s.sum[p] + (bias[p] & with_bias);
      s.v[p] = shift_floor(wrap(sum, kMembraneBits), shift);
    }
    if (shape.winner) s.maximum = s.v;
  }

  template <int P>
  static LAMPYRIS_INLINE void add_ems(ClockedNeuron& u, Slot& s) {
    const NeuronShape& shape = u.shape_;
    const bool last = s.place.i + 1 == shape.ci_tiles;
    const int16_t* bias = u.bias_ + s.place.o * P;
    if (shape.accumulate) {
      const int32_t with_bias = last ? -1 : 0;
      for (size_t p = 0; p < P; ++p) s.psum[p] += s.sum[p] + (bias[p] & with_bias);
      return;
    }
    for (size_t p = 0; p < P; ++p) s.psum[p] = wrap(s.psum[p] + s.sum[p], kPsumBits);
    if (!last) return;
    int32_t clamped = 0, saturated = 0;
    for (size_t p = 0; p < P; ++p) {
      const int32_t wide = (s.psum[p] << shape.shift) + bias[p] + s.residual[p];
      s.sum[p] = sat16(wide);
      clamped += s.sum[p] != wide;
    }
    u.clamped_ += clamped;
    if (!shape.fires) return;
    const int before = shape.leak == Leak::kBefore ? shape.k : 0;
    const int after = shape.leak == Leak::kHalfAfter ? 1 : 0;
    for (size_t p = 0; p < P; ++p) {
      const int32_t wide = shift_floor(shift_floor(s.v[p], before) + s.sum[p], after);
      s.v[p] = sat18(wide);
      saturated += s.v[p] != wide;
    }
    u.saturated_ += saturated;
  }

  // Level of the maximum tree: lane p takes the larger of its pair.
  template <int P>
  static LAMPYRIS_INLINE void reduce(Slot& s, size_t level) {
    if (!s.valid) return;
    const size_t left = static_cast<size_t>(P) >> (level + 1);
    for (size_t p = 0; p < left; ++p) s.maximum[p] = std::max(s.maximum[p], s.maximum[p + left]);
  }

  template <int P>
  static LAMPYRIS_INLINE void finish(ClockedNeuron& u, Slot& s) {
    ClockedNeuron::Done& out = u.output_;
    const NeuronShape& shape = u.shape_;
    const size_t at = static_cast<size_t>(s.place.pixel) * P;
    out.place = s.place;
    out.last = s.place.i + 1 == shape.ci_tiles;
    int32_t* psum = u.psum_.data() + at;
    if (shape.ems && (!out.last || shape.accumulate)) std::copy_n(s.psum.data(), P, psum);
    out.current = shape.accumulate ? s.psum : s.sum;
    if (shape.ems && (!out.last || !shape.fires)) return;
    int32_t fires[P];
    const int32_t* threshold = u.threshold_ + s.place.o * P;
    const int32_t best = s.maximum[0] - 1;
    const int32_t enabled = out.last ? 1 : 0, keep = shape.winner ? -1 : 0;
    for (size_t p = 0; p < P; ++p)
      fires[p] = (s.v[p] > (shape.winner ? best : threshold[p])) & enabled;
    for (size_t p = 0; p < P; ++p) out.membrane[p] = s.v[p] & ((fires[p] - 1) | keep);
    for (size_t p = 0; p < P; ++p) out.compared[p] = s.v[p];
    uint32_t fired = 0;
    for (size_t p = 0; p < P; ++p) fired |= static_cast<uint32_t>(fires[p]) << p;
    out.fired = fired;
    std::copy_n(out.membrane.data(), P, shape.ems ? u.membrane_.data() + at : psum);
  }
};

ClockedNeuron::ClockedNeuron(const NeuronShape& shape, const int16_t* bias,
                             const int32_t* threshold)
    : shape_(shape), bias_(bias), threshold_(threshold) {
  slots_.resize(static_cast<size_t>(membrane_latency(shape.parallelism) - 1));
  const size_t words = static_cast<size_t>(int64_t{shape.pixels} * shape.parallelism);
  psum_.resize(words);
  if (shape.ems) membrane_.resize(words);
}

void ClockedNeuron::clock(const int32_t* sums, const int16_t* residual) {
  dispatch<NeuronClock>(this, sums, residual);
}

void ClockedNeuron::advance() {
  if (++place_.pixel < shape_.pixels) return;
  place_.pixel = 0;
  if (++place_.i < shape_.ci_tiles) return;
  place_.i = 0;
  if (++place_.t < shape_.steps) return;
  place_.t = 0;
  ++place_.o;
}

}  // namespace lampyris::firefly
