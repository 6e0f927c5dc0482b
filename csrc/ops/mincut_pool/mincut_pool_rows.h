// The passes over rows: softmax, and A S with the neighbours' shares in registers; for a file of one
// width (cpu/wide.h).
#pragma once

#include <algorithm>

#include "ops/mincut_pool/mincut_pool.h"
#include "ops/mincut_pool/mincut_pool_gemm.h"

namespace lampyris {
namespace {

constexpr int kRowVectors = 4;          // of one row of S, kept in registers over its edges

template <typename T>
LAMPYRIS_INLINE T edge_entry(const MincutGraph<T>& a, int64_t e) {
  const T weight = a.weight == nullptr ? T(1) : a.weight[e];
  return a.factor == nullptr ? weight : weight * a.factor[a.rows.col[e]];
}

template <typename T>
LAMPYRIS_INLINE T row_factor(const MincutGraph<T>& a, int64_t i) {
  return a.factor == nullptr ? T(1) : a.factor[i];
}

// kV vectors of row i of A S, the last of `tail` lanes when kPart; with kSigns also of the signs.
// Gives the row's sum of weight |s_i - s_j| over these columns.
template <int kV, bool kPart, bool kSigns, typename T>
LAMPYRIS_WIDE_TARGET double spread_vectors(const MincutGraph<T>& a, const T* s, int64_t i,
                                           int64_t column, int64_t tail, T* y, T* signs) {
  constexpr int64_t kCount = Wide<T>::kCount;
  const int64_t clusters = a.clusters, at = i * clusters + column;
  Wide<T> sum[kV], sign[kV], own[kV], variation;
  if constexpr (kSigns) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) {
      own[v] = v + 1 < kV ? Wide<T>::load(s + at + v * kCount)
                          : load_lanes<kPart>(s + at + v * kCount, tail);
    }
  }
  for (int64_t e = a.rows.row_ptr[i]; e < a.rows.row_ptr[i + 1]; ++e) {
    const T* const other = s + a.rows.col[e] * clusters + column;
    const Wide<T> entry(edge_entry(a, e));
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) {
      const Wide<T> lanes = v + 1 < kV ? Wide<T>::load(other + v * kCount)
                                       : load_lanes<kPart>(other + v * kCount, tail);
      sum[v] = madd(entry, lanes, sum[v]);
      if constexpr (kSigns) {
        const Wide<T> apart = own[v] - lanes;
        sign[v] = sign[v] + mincut_sign(entry, apart);
        variation = madd(entry, abs_of(apart), variation);
      }
    }
  }
  const Wide<T> factor(row_factor(a, i));
#pragma GCC unroll 4
  for (int v = 0; v < kV; ++v) {
    T* const to = y == nullptr ? nullptr : y + at + v * kCount;
    if (v + 1 < kV) {
      if (to != nullptr) (factor * sum[v]).store(to);
      if constexpr (kSigns) (factor * sign[v]).store(signs + at + v * kCount);
    } else {
      if (to != nullptr) store_lanes<kPart>(factor * sum[v], to, tail);
      if constexpr (kSigns) store_lanes<kPart>(factor * sign[v], signs + at + v * kCount, tail);
    }
  }
  return kSigns ? lane_sum(factor * variation) : 0.0;
}

template <bool kPart, bool kSigns, typename T>
LAMPYRIS_INLINE double spread_panel(int vectors, const MincutGraph<T>& a, const T* s, int64_t i,
                                    int64_t column, int64_t tail, T* y, T* signs) {
  switch (vectors) {
    case 1:
      return spread_vectors<1, kPart, kSigns>(a, s, i, column, tail, y, signs);
    case 2:
      return spread_vectors<2, kPart, kSigns>(a, s, i, column, tail, y, signs);
    case 3:
      return spread_vectors<3, kPart, kSigns>(a, s, i, column, tail, y, signs);
    default:
      return spread_vectors<kRowVectors, kPart, kSigns>(a, s, i, column, tail, y, signs);
  }
}

// Row i of A S (y may be null) and, unless null, of the signs.
template <bool kSigns, typename T>
LAMPYRIS_INLINE double spread_row(const MincutGraph<T>& a, const T* s, int64_t i, T* y, T* signs) {
  constexpr int64_t kCount = Wide<T>::kCount, kPanel = kRowVectors * kCount;
  double variation = 0;
  for (int64_t column = 0; column < a.clusters; column += kPanel) {
    const int64_t width = std::min(kPanel, a.clusters - column);
    const int vectors = static_cast<int>((width + kCount - 1) / kCount);
    const int64_t tail = width - (vectors - 1) * kCount;
    variation += tail == kCount
                     ? spread_panel<false, kSigns>(vectors, a, s, i, column, tail, y, signs)
                     : spread_panel<true, kSigns>(vectors, a, s, i, column, tail, y, signs);
  }
  return variation;
}

template <typename T>
LAMPYRIS_WIDE_TARGET void spread_any(const MincutGraph<T>& a, const T* s, T* y, T* signs, int64_t begin,
                                int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    if (signs != nullptr) {
      spread_row<true>(a, s, i, y, signs);
    } else {
      spread_row<false>(a, s, i, y, signs);
    }
  }
}

// mincut_softmax_row with the sum in lanes.
LAMPYRIS_INLINE void softmax_row(const float* logits, int64_t clusters, float inverse, float* soft) {
  using V = Wide<float>;
  constexpr int64_t kCount = V::kCount;
  const int64_t whole = clusters / kCount * kCount, tail = clusters - whole;
  float largest = logits[0];
  for (int64_t k = 0; k < clusters; ++k) largest = logits[k] > largest ? logits[k] : largest;
  V sum;
  for (int64_t k = 0; k < whole; k += kCount) {
    const V e = mincut_exponential(V::load(logits + k), V(largest), V(inverse));
    e.store(soft + k);
    sum = sum + e;
  }
  double total = lane_sum(sum);
  if (tail > 0) {
    float lanes[kCount] = {};
    mincut_exponential(load_part(logits + whole, tail), V(largest), V(inverse)).store(lanes);
    for (int64_t i = 0; i < tail; ++i) total += static_cast<double>(soft[whole + i] = lanes[i]);
  }
  const V scale(static_cast<float>(1.0 / total));
  for (int64_t k = 0; k < whole; k += kCount) (V::load(soft + k) * scale).store(soft + k);
  if (tail > 0) store_part(load_part(soft + whole, tail) * scale, soft + whole, tail);
}

LAMPYRIS_INLINE void softmax_row(const double* logits, int64_t clusters, double inverse,
                                 double* soft) {
  mincut_softmax_row(logits, clusters, inverse, soft);
}

template <typename T>
LAMPYRIS_WIDE_TARGET void softmax_any(const MincutForward<T>& a, int64_t begin, int64_t end) {
  const int64_t clusters = a.clusters;
  for (int64_t i = begin; i < end; ++i) {
    const T* const logits = a.logits + i * clusters;
    softmax_row(logits, clusters, a.inverse_temperature, a.soft + i * clusters);
    if (a.soft == a.s) continue;
    T* const s = a.s + i * clusters;
    std::fill(s, s + clusters, T(0));
    s[mincut_hardest(logits, clusters)] = T(1);
  }
}

}  // namespace
}  // namespace lampyris
