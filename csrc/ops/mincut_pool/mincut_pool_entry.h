// What one thread of the GPU does: an entry of [N, K], a row, or a sum. Indices are never trusted,
// since nobody has looked at their values there: what points outside counts as absent. Tests run
// these functions on the host against the passes of the CPU.
#pragma once

#include "ops/mincut_pool/mincut_pool.h"

namespace lampyris {

// bounds [B + 1]: graph_ptr made to rise within [0, nodes]; task_ptr [B + 1]: tasks of `rows` rows
// before a graph.
// Together the tasks are at most nodes / rows + graphs.
LAMPYRIS_INLINE void mincut_bounds(const int64_t* graph_ptr, int64_t graphs, int64_t nodes,
                                   int64_t rows, int64_t* bounds, int64_t* task_ptr) {
  int64_t last = 0, tasks = 0;
  for (int64_t g = 0; g <= graphs; ++g) {
    int64_t at = graph_ptr[g] < last ? last : graph_ptr[g];
    at = at > nodes ? nodes : at;
    if (g > 0) tasks += (at - last + rows - 1) / rows;
    if (g == 0) at = 0;
    bounds[g] = last = at;
    task_ptr[g] = tasks;
  }
}

// The part [begin, end) of rising pointers [0, parts] in which `item` lies; -1 when in none.
LAMPYRIS_INLINE int64_t mincut_part(const int64_t* bounds, int64_t parts, int64_t item) {
  if (item < bounds[0] || item >= bounds[parts]) return -1;
  int64_t low = 0, high = parts;  // bounds[low] <= item < bounds[high]
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    if (bounds[middle] <= item) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

// The edges of a row, cut to [0, edges].
struct MincutEdges {
  int64_t begin, end;

  LAMPYRIS_INLINE MincutEdges(const Csr& rows, int64_t i) {
    begin = rows.row_ptr[i] < 0 ? 0 : rows.row_ptr[i];
    end = rows.row_ptr[i + 1] > rows.edges ? rows.edges : rows.row_ptr[i + 1];
  }
};

// bounds [B + 1] of mincut_bounds.
struct MincutBounds {
  int64_t graphs;
  const int64_t* bounds;

  LAMPYRIS_INLINE int64_t graph(int64_t node) const { return mincut_part(bounds, graphs, node); }
};

// Whether column j is a node of the graph g (-1 for none).
LAMPYRIS_INLINE bool mincut_inside(const MincutBounds& on, int64_t g, int64_t j) {
  return g >= 0 && j >= on.bounds[g] && j < on.bounds[g + 1];
}

// Entry `at` of A S and, unless null, of the signs, of |s_i - s_j| by weight, and (column 0) of d.
template <typename T>
LAMPYRIS_INLINE void mincut_spread_entry(const MincutGraph<T>& a, const MincutBounds& on, const T* s,
                                         int64_t at, T* y, T* signs, T* terms, T* degree) {
  const int64_t clusters = a.clusters, i = at / clusters, k = at % clusters, g = on.graph(i);
  const T own = s[at];
  T sum = 0, sign = 0, term = 0, total = 0;
  const MincutEdges edges(a.rows, i);
  for (int64_t e = edges.begin; e < edges.end; ++e) {
    const int64_t j = a.rows.col[e];
    if (!mincut_inside(on, g, j)) continue;
    T entry = a.weight == nullptr ? T(1) : a.weight[e];
    if (a.factor != nullptr) entry *= a.factor[j];
    const T other = s[j * clusters + k];
    sum += entry * other;
    total += entry;
    if (signs != nullptr) {
      sign += mincut_sign(entry, own - other);
      term += entry * abs_of(own - other);
    }
  }
  const T factor = a.factor == nullptr ? T(1) : a.factor[i];
  y[at] = factor * sum;
  if (signs != nullptr) signs[at] = factor * sign;
  if (terms != nullptr) terms[at] = factor * term;
  if (degree != nullptr && k == 0) degree[i] = factor * total;
}

// Sum `at` of [B, width]: the tasks of its graph in order, to where it belongs.
template <typename T>
LAMPYRIS_INLINE void mincut_reduce_entry(const int64_t* task_ptr, const T* partial,
                                         const MincutParts<T>& parts, int64_t at) {
  const int64_t width = parts.width(), g = at / width, i = at % width;
  double sum = 0;
  for (int64_t t = task_ptr[g]; t < task_ptr[g + 1]; ++t) {
    sum += static_cast<double>(partial[t * width + i]);
  }
  int p = 0;
  while (i >= parts.begin[p + 1]) ++p;
  parts.data[p][g * (parts.begin[p + 1] - parts.begin[p]) + i - parts.begin[p]] =
      static_cast<T>(sum);
}

// Column c of row [depth] times matrix [depth, columns].
template <typename T>
LAMPYRIS_INLINE T mincut_row_times(const T* row, const T* matrix, int64_t depth, int64_t columns,
                                   int64_t c) {
  T sum = 0;
  for (int64_t l = 0; l < depth; ++l) sum += row[l] * matrix[l * columns + c];
  return sum;
}

// Entry `at` of [N, columns] of s x, x [B, K, columns].
template <typename T>
LAMPYRIS_INLINE T mincut_lift_entry(const MincutBounds& on, const T* s, const T* x, int64_t clusters,
                                    int64_t columns, int64_t at) {
  const int64_t i = at / columns, g = on.graph(i);
  if (g < 0) return T(0);
  return mincut_row_times(s + i * clusters, x + g * clusters * columns, clusters, columns,
                          at % columns);
}

// Entry `at` of the gradient of S.
template <typename T>
LAMPYRIS_INLINE T mincut_grad_entry(const MincutBackward<T>& a, const MincutBounds& on, int64_t at) {
  const int64_t clusters = a.clusters, i = at / clusters, k = at % clusters, row = i * clusters;
  const int64_t g = on.graph(i);
  T grad = a.grad_s == nullptr ? T(0) : a.grad_s[at];
  if (g < 0) return grad;
  const int64_t square = g * clusters * clusters;
  const T* const columns = a.grad_columns + g * kMincutColumns * clusters;
  const T* const totals = a.grad_totals + g * kMincutTotals;
  const T degree = a.degree[i];
  grad += degree * columns[k] + columns[clusters + k] + T(2) * totals[0] * degree * a.s[at];
  if (a.signs != nullptr) {
    grad += totals[2] * (a.signs[at] + (a.signs_back == nullptr ? a.signs : a.signs_back)[at]);
  }
  grad += mincut_row_times(a.y + row, a.mix_y + square, clusters, clusters, k);
  if (a.z != nullptr) grad += mincut_row_times(a.z + row, a.mix_z + square, clusters, clusters, k);
  grad += mincut_row_times(a.s + row, a.mix_s + square, clusters, clusters, k);
  grad += mincut_row_times(a.x + i * a.features, a.mix_x + g * clusters * a.features, a.features,
                           clusters, k);
  return grad;
}

// Row i of the gradient of S becomes that of the logits.
template <typename T>
LAMPYRIS_INLINE void mincut_grad_softmax_row(const MincutBackward<T>& a, int64_t i) {
  const int64_t clusters = a.clusters;
  const T* const soft = a.soft + i * clusters;
  T* const row = a.grad_logits + i * clusters;
  T inner = 0;
  for (int64_t k = 0; k < clusters; ++k) inner += soft[k] * row[k];
  for (int64_t k = 0; k < clusters; ++k) {
    row[k] = mincut_logit_gradient(soft[k], row[k], inner, a.inverse_temperature);
  }
}

// Gradients of the weights of row i's edges, u [N, K] = S grad_adj; absent edges are left alone.
template <typename T>
LAMPYRIS_INLINE void mincut_grad_edges_row(const MincutBackward<T>& a, const MincutBounds& on,
                                           const T* u, int64_t i) {
  const int64_t clusters = a.clusters, g = on.graph(i);
  if (g < 0) return;
  const T* const totals = a.grad_totals + g * kMincutTotals;
  const T* const columns = a.grad_columns + g * kMincutColumns * clusters;
  const T* const s = a.s + i * clusters;
  T row = totals[1];
  for (int64_t k = 0; k < clusters; ++k) row += (totals[0] * s[k] + columns[k]) * s[k];
  const MincutEdges edges(a.rows, i);
  for (int64_t e = edges.begin; e < edges.end; ++e) {
    const int64_t j = a.rows.col[e];
    if (!mincut_inside(on, g, j)) continue;
    const T* const other = a.s + j * clusters;
    T grad = row, apart = 0;
    for (int64_t k = 0; k < clusters; ++k) {
      grad += u[i * clusters + k] * other[k];
      apart += abs_of(s[k] - other[k]);
    }
    a.grad_weight[e] = a.signs == nullptr ? grad : grad + totals[2] * apart;
  }
}

}  // namespace lampyris
