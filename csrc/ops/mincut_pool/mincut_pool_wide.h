// The passes over tasks: sums forward, gradients, lifting; for a file of one width (cpu/wide.h).
#pragma once

#include <algorithm>
#include <vector>

#include "ops/mincut_pool/mincut_pool_rows.h"

namespace lampyris {
namespace {

constexpr int64_t kGradRows = 48;  // of a task at a time: four blocks of the largest product

// totals += (d |s|^2, d) of row i; columns += (s d, s).
template <typename T>
LAMPYRIS_INLINE void add_row(const T* s, int64_t clusters, T degree, T* columns, double* totals) {
  constexpr int64_t kCount = Wide<T>::kCount;
  const Wide<T> d(degree);
  Wide<T> squares;
  int64_t k = 0;
  for (; k + kCount <= clusters; k += kCount) {
    const Wide<T> share = Wide<T>::load(s + k);
    squares = madd(share, share, squares);
    madd(share, d, Wide<T>::load(columns + k)).store(columns + k);
    (Wide<T>::load(columns + clusters + k) + share).store(columns + clusters + k);
  }
  double sum = lane_sum(squares);
  for (; k < clusters; ++k) {
    sum += static_cast<double>(s[k]) * static_cast<double>(s[k]);
    columns[k] += degree * s[k];
    columns[clusters + k] += s[k];
  }
  totals[0] += static_cast<double>(degree) * sum;
  totals[1] += static_cast<double>(degree);
}

template <typename T>
LAMPYRIS_WIDE_TARGET void products_any(const MincutForward<T>& a, const MincutTask& task, T* sums) {
  const int64_t clusters = a.clusters, rows = task.end - task.begin;
  const MincutSums at{clusters, a.features};
  double totals[kMincutTotals] = {};
  T* const columns = sums + at.columns();
  std::fill(columns, sums + at.size(), T(0));
  for (int64_t i = task.begin; i < task.end; ++i) {
    T degree = 0;
    for (int64_t e = a.rows.row_ptr[i]; e < a.rows.row_ptr[i + 1]; ++e) degree += edge_entry(a, e);
    degree = degree * row_factor(a, i);
    a.degree[i] = degree;
    totals[2] += a.signs != nullptr ? spread_row<true>(a, a.s, i, a.y, a.signs)
                                    : spread_row<false>(a, a.s, i, a.y, a.signs);
    add_row(a.s + i * clusters, clusters, degree, columns, totals);
  }
  for (int64_t t = 0; t < kMincutTotals; ++t) sums[at.totals() + t] = static_cast<T>(totals[t]);
  const T* const s = a.s + task.begin * clusters;
  const GemmInput<T> transposed{s, 1, clusters};
  gemm(clusters, clusters, rows, transposed, a.y + task.begin * clusters, clusters, sums, clusters,
       false);
  gemm(clusters, clusters, rows, transposed, s, clusters, sums + at.gram(), clusters, false);
  gemm(clusters, a.features, rows, transposed, a.x + task.begin * a.features, a.features,
       sums + at.x(), a.features, false);
}

// Row i of the gradient of S but for the products.
template <typename T>
LAMPYRIS_INLINE void grad_start(const MincutBackward<T>& a, int64_t graph, int64_t i, T* out) {
  const int64_t clusters = a.clusters;
  const T* const columns = a.grad_columns + graph * kMincutColumns * clusters;
  const T* const totals = a.grad_totals + graph * kMincutTotals;
  const T* const s = a.s + i * clusters;
  const T degree = a.degree[i], twice = T(2) * totals[0] * degree;
  for (int64_t k = 0; k < clusters; ++k) {
    out[k] = degree * columns[k] + columns[clusters + k] + twice * s[k];
  }
  if (a.grad_s != nullptr) {
    for (int64_t k = 0; k < clusters; ++k) out[k] += a.grad_s[i * clusters + k];
  }
  if (a.signs != nullptr) {
    const T* const signs = a.signs + i * clusters;
    const T* const back = a.signs_back == nullptr ? signs : a.signs_back + i * clusters;
    for (int64_t k = 0; k < clusters; ++k) out[k] += totals[2] * (signs[k] + back[k]);
  }
}

template <typename T>
LAMPYRIS_INLINE double inner_product(const T* a, const T* b, int64_t count) {
  constexpr int64_t kCount = Wide<T>::kCount;
  Wide<T> sum;
  int64_t k = 0;
  for (; k + kCount <= count; k += kCount) {
    sum = madd(Wide<T>::load(a + k), Wide<T>::load(b + k), sum);
  }
  double total = lane_sum(sum);
  for (; k < count; ++k) total += static_cast<double>(a[k]) * static_cast<double>(b[k]);
  return total;
}

// Gradients of the weights of row i's edges: u = s_i^T grad_adj; factor is null here.
template <typename T>
LAMPYRIS_INLINE void grad_edges(const MincutBackward<T>& a, int64_t graph, int64_t i, const T* u) {
  const int64_t clusters = a.clusters;
  const T* const totals = a.grad_totals + graph * kMincutTotals;
  const T* const s = a.s + i * clusters;
  const double row =
      static_cast<double>(totals[0]) * inner_product(s, s, clusters) +
      inner_product(a.grad_columns + graph * kMincutColumns * clusters, s, clusters) +
      static_cast<double>(totals[1]);
  for (int64_t e = a.rows.row_ptr[i]; e < a.rows.row_ptr[i + 1]; ++e) {
    const T* const other = a.s + a.rows.col[e] * clusters;
    double grad = row + inner_product(u, other, clusters);
    if (a.signs != nullptr) {
      T apart = 0;
      for (int64_t k = 0; k < clusters; ++k) apart += abs_of(s[k] - other[k]);
      grad += static_cast<double>(totals[2] * apart);
    }
    a.grad_weight[e] = static_cast<T>(grad);
  }
}

template <typename T>
LAMPYRIS_WIDE_TARGET void grad_any(const MincutBackward<T>& a, const MincutTask& task) {
  const int64_t clusters = a.clusters, features = a.features, square = clusters * clusters;
  const int64_t g = task.graph;
  std::vector<T> edge_rows(static_cast<size_t>(a.grad_weight == nullptr ? 0 : kGradRows * clusters));
  for (int64_t i = task.begin; i < task.end; i += kGradRows) {
    const int64_t rows = std::min(kGradRows, task.end - i), at = i * clusters;
    const GemmInput<T> s{a.s + at, clusters, 1};
    if (a.grad_x != nullptr) {
      gemm(rows, features, clusters, s, a.grad_pool + g * clusters * features, features,
           a.grad_x + i * features, features, false);
    }
    if (a.grad_weight != nullptr) {
      gemm(rows, clusters, clusters, s, a.grad_adj + g * square, clusters, edge_rows.data(),
           clusters, false);
      for (int64_t r = 0; r < rows; ++r) grad_edges(a, g, i + r, edge_rows.data() + r * clusters);
    }
    if (a.grad_logits == nullptr) continue;
    T* const out = a.grad_logits + at;
    for (int64_t r = 0; r < rows; ++r) grad_start(a, g, i + r, out + r * clusters);
    gemm(rows, clusters, clusters, GemmInput<T>{a.y + at, clusters, 1}, a.mix_y + g * square,
         clusters, out, clusters, true);
    if (a.z != nullptr) {
      gemm(rows, clusters, clusters, GemmInput<T>{a.z + at, clusters, 1}, a.mix_z + g * square,
           clusters, out, clusters, true);
    }
    gemm(rows, clusters, clusters, s, a.mix_s + g * square, clusters, out, clusters, true);
    gemm(rows, clusters, features, GemmInput<T>{a.x + i * features, features, 1},
         a.mix_x + g * features * clusters, clusters, out, clusters, true);
    for (int64_t r = 0; r < rows; ++r) {
      const T* const soft = a.soft + at + r * clusters;
      T* const row = out + r * clusters;
      const T inner = static_cast<T>(inner_product(row, soft, clusters));
      for (int64_t k = 0; k < clusters; ++k) {
        row[k] = mincut_logit_gradient(soft[k], row[k], inner, a.inverse_temperature);
      }
    }
  }
}

template <typename T>
LAMPYRIS_WIDE_TARGET void lift_any(const MincutLift<T>& a, const MincutTask& task) {
  const int64_t rows = task.end - task.begin;
  gemm(rows, a.features, a.clusters, GemmInput<T>{a.s + task.begin * a.clusters, a.clusters, 1},
       a.x + task.graph * a.clusters * a.features, a.features, a.out + task.begin * a.features,
       a.features, false);
}

template <typename T>
LAMPYRIS_WIDE_TARGET void lift_grad_any(const MincutLift<T>& a, const MincutTask& task, T* sums) {
  const int64_t rows = task.end - task.begin, clusters = a.clusters, features = a.features;
  const T* const grad = a.grad + task.begin * features;
  if (a.grad_s != nullptr) {
    gemm(rows, clusters, features, GemmInput<T>{grad, features, 1},
         a.x_back + task.graph * features * clusters, clusters, a.grad_s + task.begin * clusters,
         clusters, false);
  }
  if (sums != nullptr) {
    gemm(clusters, features, rows, GemmInput<T>{a.s + task.begin * clusters, 1, clusters}, grad,
         features, sums, features, false);
  }
}

}  // namespace
}  // namespace lampyris

// The functions of mincut_pool.h for one element type and instruction set.
#define LAMPYRIS_MINCUT_DEFINE(T, suffix)                                                         \
  void mincut_softmax_rows##suffix(const MincutForward<T>& a, int64_t begin, int64_t end) {       \
    softmax_any(a, begin, end);                                                                   \
  }                                                                                               \
  void mincut_spread_rows##suffix(const MincutGraph<T>& a, const T* s, T* y, T* signs,            \
                                  int64_t begin, int64_t end) {                                   \
    spread_any(a, s, y, signs, begin, end);                                                       \
  }                                                                                               \
  void mincut_products_task##suffix(const MincutForward<T>& a, const MincutTask& task, T* sums) { \
    products_any(a, task, sums);                                                                  \
  }                                                                                               \
  void mincut_grad_task##suffix(const MincutBackward<T>& a, const MincutTask& task) {             \
    grad_any(a, task);                                                                            \
  }                                                                                               \
  void mincut_lift_task##suffix(const MincutLift<T>& a, const MincutTask& task) {                 \
    lift_any(a, task);                                                                            \
  }                                                                                               \
  void mincut_lift_grad_task##suffix(const MincutLift<T>& a, const MincutTask& task, T* sums) {   \
    lift_grad_any(a, task, sums);                                                                 \
  }
