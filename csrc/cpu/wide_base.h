// Wide<T> of 16 bytes by the compiler's vectors, for cpu/wide.h: any processor, float and double.
#pragma once

#include <cmath>

namespace lampyris {
namespace {

inline constexpr int64_t kWideBytes = 16;

typedef float FloatLanes __attribute__((vector_size(kWideBytes)));
typedef double DoubleLanes __attribute__((vector_size(kWideBytes)));
typedef int32_t Int32Lanes __attribute__((vector_size(kWideBytes)));
typedef int64_t Int64Lanes __attribute__((vector_size(kWideBytes)));

template <typename T>
struct WideMask {
  using Whole = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;
  using Lanes = std::conditional_t<sizeof(T) == 8, Int64Lanes, Int32Lanes>;
  static constexpr int64_t kCount = kWideBytes / static_cast<int64_t>(sizeof(T));
  Lanes bits;  // all ones or all zeros a lane

  LAMPYRIS_INLINE uint32_t word() const {
    uint32_t out = 0;
    for (int64_t i = 0; i < kCount; ++i) out |= static_cast<uint32_t>(bits[i] & 1) << i;
    return out;
  }
  LAMPYRIS_INLINE friend WideMask operator&(WideMask a, WideMask b) { return {a.bits & b.bits}; }
  LAMPYRIS_INLINE friend WideMask operator&(WideMask a, bool b) {
    return {a.bits & (b ? Whole{-1} : Whole{0})};
  }
  LAMPYRIS_INLINE friend WideMask operator|(WideMask a, WideMask b) { return {a.bits | b.bits}; }
  LAMPYRIS_INLINE friend WideMask operator!(WideMask a) { return {~a.bits}; }
};

template <typename T>
struct Wide {
  static constexpr int64_t kCount = WideMask<T>::kCount;
  using Lanes = std::conditional_t<sizeof(T) == 8, DoubleLanes, FloatLanes>;
  Lanes v;

  LAMPYRIS_INLINE Wide() : v(Lanes{}) {}
  LAMPYRIS_INLINE Wide(Lanes lanes) : v(lanes) {}
  LAMPYRIS_INLINE Wide(T value) : v(Lanes{} + value) {}

  template <typename X>
  LAMPYRIS_INLINE static Wide load(const X* from) {
    Wide out;
    for (int64_t i = 0; i < kCount; ++i) out.v[i] = widen(from[i]);
    return out;
  }
  template <typename X>
  LAMPYRIS_INLINE void store(X* to) const {
    for (int64_t i = 0; i < kCount; ++i) to[i] = narrow<X>(v[i]);
  }
  template <typename X>
  LAMPYRIS_INLINE void stream(X* to) const {
    store(to);
  }

  LAMPYRIS_INLINE friend Wide operator+(Wide a, Wide b) { return {a.v + b.v}; }
  LAMPYRIS_INLINE friend Wide operator-(Wide a, Wide b) { return {a.v - b.v}; }
  LAMPYRIS_INLINE friend Wide operator*(Wide a, Wide b) { return {a.v * b.v}; }
  LAMPYRIS_INLINE friend Wide operator/(Wide a, Wide b) { return {a.v / b.v}; }
  LAMPYRIS_INLINE friend Wide operator-(Wide a) { return {-a.v}; }
  LAMPYRIS_INLINE friend WideMask<T> operator<(Wide a, Wide b) { return {a.v < b.v}; }
  LAMPYRIS_INLINE friend WideMask<T> operator>(Wide a, Wide b) { return {a.v > b.v}; }
  LAMPYRIS_INLINE friend WideMask<T> operator>=(Wide a, Wide b) { return {a.v >= b.v}; }
  LAMPYRIS_INLINE friend WideMask<T> operator==(Wide a, Wide b) { return {a.v == b.v}; }
  LAMPYRIS_INLINE friend Wide select(WideMask<T> which, Wide yes, Wide no) {
    return {which.bits ? yes.v : no.v};
  }
  LAMPYRIS_INLINE friend Wide abs_of(Wide a) {
    for (int64_t i = 0; i < kCount; ++i) a.v[i] = lampyris::abs_of(T{a.v[i]});
    return a;
  }
  LAMPYRIS_INLINE friend Wide floor_of(Wide a) {
    for (int64_t i = 0; i < kCount; ++i) a.v[i] = lampyris::floor_of(T{a.v[i]});
    return a;
  }
  LAMPYRIS_INLINE friend Wide exp_negative(Wide a) {
    for (int64_t i = 0; i < kCount; ++i) a.v[i] = lampyris::exp_negative(T{a.v[i]});
    return a;
  }
};

// The codes of up to four steps of each lane.
template <typename T>
struct WideCodes {
  using Mask = WideMask<T>;
  using Whole = typename Mask::Whole;
  typename Mask::Lanes bits = {};

  LAMPYRIS_INLINE void add(int step, Mask window, Mask carry) {
    const int shift = kCodeBits * step;
    bits |= window.bits & (Whole{kCodeWindow} << shift);
    bits |= carry.bits & (Whole{kCodeCarry} << shift);
  }
  LAMPYRIS_INLINE Mask window(int step) const { return test(kCodeWindow << kCodeBits * step); }
  LAMPYRIS_INLINE Mask carry(int step) const { return test(kCodeCarry << kCodeBits * step); }
  LAMPYRIS_INLINE void store(uint8_t* to) const {
    for (int64_t i = 0; i < Mask::kCount; ++i) to[i] = static_cast<uint8_t>(bits[i]);
  }
  LAMPYRIS_INLINE static WideCodes load(const uint8_t* from) {
    WideCodes out;
    for (int64_t i = 0; i < Mask::kCount; ++i) out.bits[i] = from[i];
    return out;
  }

 private:
  LAMPYRIS_INLINE Mask test(Whole bit) const { return {(bits & bit) != 0}; }
};

LAMPYRIS_INLINE void stream_fence() {}

}  // namespace
}  // namespace lampyris
