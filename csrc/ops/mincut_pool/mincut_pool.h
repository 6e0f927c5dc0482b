// Soft clusters of graphs: S = softmax(logits), Y = A S, and for every graph the products
// S^T [Y | S | X] with a few sums, from which losses and pooled graphs are K x K arithmetic. Rows are
// worked in tasks of fixed length, each with its own sums, so that results do not depend on threads.
#pragma once

#include <cstdint>
#include <vector>

#include "core/csr.h"
#include "core/mincut.h"

struct CUstream_st;

namespace lampyris {

inline constexpr int64_t kMincutColumns = 2;  // S^T d and S^T 1
inline constexpr int64_t kMincutTotals = 3;   // sums of d |s|^2, of d, of weight |s_i - s_j|_1

// Rows [begin, end) of one graph.
struct MincutTask {
  int64_t graph, begin, end;
};

// Rows of a task: 512, and more in proportion where its sums, K (2 K + F) values, are more than its
// rows of S: so the sums of all tasks take no more memory than S.
LAMPYRIS_INLINE int64_t mincut_task_rows(int64_t clusters, int64_t features) {
  constexpr int64_t kRows = 512;
  return (2 * clusters + features + kRows - 1) / kRows * kRows;
}

std::vector<MincutTask> mincut_tasks(const int64_t* graph_ptr, int64_t graphs, int64_t rows);

// Entry (i, j) of A is weight * factor[i] * factor[j]; null means 1.
template <typename T>
struct MincutGraph {
  Csr rows;
  const T* weight = nullptr;  // [E]
  const T* factor = nullptr;  // [N]
  int64_t clusters = 0, features = 0;
};

// What one task adds up, in this order: S^T Y [K, K], S^T S [K, K], S^T X [K, F], columns [2, K],
// totals [3].
struct MincutSums {
  int64_t clusters, features;

  LAMPYRIS_INLINE int64_t gram() const { return clusters * clusters; }
  LAMPYRIS_INLINE int64_t x() const { return 2 * clusters * clusters; }
  LAMPYRIS_INLINE int64_t columns() const { return x() + clusters * features; }
  LAMPYRIS_INLINE int64_t totals() const { return columns() + kMincutColumns * clusters; }
  LAMPYRIS_INLINE int64_t size() const { return totals() + kMincutTotals; }
};

template <typename T>
struct MincutForward : MincutGraph<T> {
  const T* x = nullptr;       // [N, F]
  const T* logits = nullptr;  // [N, K]
  T inverse_temperature = 1;
  T* s = nullptr;       // [N, K], one-hot when `soft` is another buffer
  T* soft = nullptr;    // [N, K]; the same as s unless hard
  T* y = nullptr;       // [N, K] A S
  T* signs = nullptr;   // [N, K] sum of a_ij sign(s_i - s_j), or null
  T* degree = nullptr;  // [N] row sums of A
};

template <typename T>
struct MincutBackward : MincutGraph<T> {
  const T *x = nullptr, *s = nullptr, *soft = nullptr, *y = nullptr, *signs = nullptr,
          *degree = nullptr;
  T inverse_temperature = 1;
  const T* z = nullptr;         // [N, K] A^T S; null when A = A^T
  const T* signs_back = nullptr;  // the signs of A^T; null when A = A^T
  // Of every graph: what Y, Z, S and X are multiplied by, and the gradients of the sums.
  const T *mix_y = nullptr, *mix_z = nullptr, *mix_s = nullptr;  // [B, K, K]
  const T* mix_x = nullptr;      // [B, F, K]
  const T* grad_adj = nullptr;   // [B, K, K]
  const T* grad_pool = nullptr;  // [B, K, F]
  const T* grad_columns = nullptr;  // [B, 2, K]
  const T* grad_totals = nullptr;   // [B, 3]
  const T* grad_s = nullptr;        // [N, K] or null
  // Null when not wanted.
  T *grad_x = nullptr, *grad_logits = nullptr, *grad_weight = nullptr;
};

// Lifting: out [N, F] = s x, and the gradients.
template <typename T>
struct MincutLift {
  int64_t clusters = 0, features = 0;
  const T *s = nullptr, *x = nullptr, *x_back = nullptr;  // [N, K], [B, K, F], [B, F, K]
  const T* grad = nullptr;                                // [N, F]
  T *out = nullptr, *grad_s = nullptr, *grad_x = nullptr;  // grad_x: [tasks, K, F]
};

// Throws std::invalid_argument where row_ptr or graph_ptr is not a pointer array, or an edge leaves
// its graph.
void check_mincut_graph(const Csr& rows, const int64_t* graph_ptr, int64_t graphs);

// The graph with every edge turned round; `edge` says where each came from. Rows are sorted.
struct CsrBack {
  std::vector<int64_t> row_ptr, col, edge;
};
CsrBack turned_round(const Csr& rows);

// That A = A^T entry by entry. Exact for rows without repeated columns; repeated ones may read as
// different, never as equal when they are not.
bool mincut_is_symmetric(const Csr& rows, const CsrBack& back, const float* weight);
bool mincut_is_symmetric(const Csr& rows, const CsrBack& back, const double* weight);

#define LAMPYRIS_MINCUT_KERNELS(T, suffix)                                                      \
  void mincut_softmax_rows##suffix(const MincutForward<T>& a, int64_t begin, int64_t end);     \
  void mincut_spread_rows##suffix(const MincutGraph<T>& a, const T* s, T* y, T* signs,         \
                                  int64_t begin, int64_t end);                                 \
  void mincut_products_task##suffix(const MincutForward<T>& a, const MincutTask& task, T* sums); \
  void mincut_grad_task##suffix(const MincutBackward<T>& a, const MincutTask& task);           \
  void mincut_lift_task##suffix(const MincutLift<T>& a, const MincutTask& task);               \
  void mincut_lift_grad_task##suffix(const MincutLift<T>& a, const MincutTask& task, T* sums);
LAMPYRIS_MINCUT_KERNELS(float, )
LAMPYRIS_MINCUT_KERNELS(double, )
LAMPYRIS_MINCUT_KERNELS(float, _avx2)
LAMPYRIS_MINCUT_KERNELS(float, _avx512)

// For every graph and cluster the node whose share has rank N / K from above, `nodes` for a graph
// without any: places [begin, end) of place [B K].
void mincut_quantile_columns(const float* s, int64_t clusters, const int64_t* graph_ptr,
                            int64_t nodes, int64_t begin, int64_t end, int64_t* place);
void mincut_quantile_columns(const double* s, int64_t clusters, const int64_t* graph_ptr,
                            int64_t nodes, int64_t begin, int64_t end, int64_t* place);

// The GPU's: graph_ptr as it came, bounds and task_ptr [B + 1] made of it on the device, room for the
// sums of mincut_cuda_tasks() tasks.
struct MincutCuda {
  int64_t graphs = 0;
  int64_t rows = 0;  // of a task
  const int64_t* graph_ptr = nullptr;
  int64_t *bounds = nullptr, *task_ptr = nullptr;
  CUstream_st* stream = nullptr;
};

inline int64_t mincut_cuda_tasks(int64_t nodes, int64_t graphs, int64_t rows) {
  return nodes / rows + graphs;
}

// Where every graph's sums go: parts [begin[p], begin[p + 1]) of the task's sums to data[p] [B, part].
template <typename T>
struct MincutParts {
  static constexpr int kMost = 5;
  int count = 0;
  int64_t begin[kMost + 1] = {};
  T* data[kMost] = {};

  void add(T* to, int64_t length) {
    data[count] = to;
    begin[count + 1] = begin[count] + length;
    ++count;
  }
  LAMPYRIS_INLINE int64_t width() const { return begin[count]; }
};

void mincut_bounds_cuda(const MincutCuda& on, int64_t nodes);
#define LAMPYRIS_MINCUT_CUDA(T)                                                                  \
  /* terms [N, K], null like a.signs; partial [tasks, sums]; parts those of MincutSums. */        \
  void mincut_forward_cuda(const MincutForward<T>& a, const MincutCuda& on, T* terms, T* partial, \
                           const MincutParts<T>& parts);                                         \
  void mincut_spread_cuda(const MincutGraph<T>& a, const MincutCuda& on, const T* s, T* y,       \
                          T* signs, T* terms, T* degree);                                        \
  /* u [N, K] where a.grad_weight is wanted. */                                                  \
  void mincut_backward_cuda(const MincutBackward<T>& a, const MincutCuda& on, T* u);             \
  void mincut_lift_cuda(const MincutLift<T>& a, const MincutCuda& on, int64_t nodes);            \
  /* partial [tasks, K, F]; a.grad_x [B, K, F] */                                                \
  void mincut_lift_grad_cuda(const MincutLift<T>& a, const MincutCuda& on, int64_t nodes, T* partial);
LAMPYRIS_MINCUT_CUDA(float)
LAMPYRIS_MINCUT_CUDA(double)

}  // namespace lampyris
