// One thread an entry of [N, K] for everything but the sums, which a block makes in tiles of 16 x
// 16 and tasks of mincut_task_rows(). Bytes of device memory in float32:
//   forward   4 E K (rows of S, from L2 where they fit) + 8 E + 4 N (7 K + F) + tiles' rereads
//   backward  4 N (4 K + 2 F), and as much again as the forward's spread when A is not symmetric
// What a thread does is in mincut_pool_entry.h, what a block does in mincut_pool_team.h.
#include "ops/launch.cuh"
#include "ops/mincut_pool/mincut_pool_entry.h"
#include "ops/mincut_pool/mincut_pool_team.h"

namespace lampyris {

namespace {

__global__ void bounds_kernel(const int64_t* graph_ptr, int64_t graphs, int64_t nodes, int64_t rows,
                              int64_t* bounds, int64_t* task_ptr) {
  mincut_bounds(graph_ptr, graphs, nodes, rows, bounds, task_ptr);
}

__device__ MincutBounds bounds_of(const MincutCuda& on) { return {on.graphs, on.bounds}; }

template <typename T>
__global__ void __launch_bounds__(kBlockThreads) softmax_kernel(const MincutForward<T> a) {
  const int64_t i = global_thread(), clusters = a.clusters;
  if (i >= a.rows.rows) return;
  const T* const logits = a.logits + i * clusters;
  mincut_softmax_row(logits, clusters, a.inverse_temperature, a.soft + i * clusters);
  if (a.soft == a.s) return;
  const int64_t hardest = mincut_hardest(logits, clusters);
  for (int64_t k = 0; k < clusters; ++k) a.s[i * clusters + k] = T(k == hardest ? 1 : 0);
}

// Five blocks of a multiprocessor, 48 registers a thread: ptxas alone stops at 40 and spills in
// float64.
template <typename T>
__global__ void __launch_bounds__(kBlockThreads, 5)
    spread_kernel(const MincutGraph<T> a, const MincutCuda on, const T* s, T* y, T* signs, T* terms,
                  T* degree) {
  const int64_t at = global_thread();
  if (at >= a.rows.rows * a.clusters) return;
  mincut_spread_entry(a, bounds_of(on), s, at, y, signs, terms, degree);
}

// Which rows a task has; false for a task that is not there, for all threads of the block.
struct TaskRows {
  int64_t task, begin, end;

  __device__ bool find(const MincutCuda& on, int64_t k) {
    task = k;
    const int64_t g = mincut_part(on.task_ptr, on.graphs, k);
    if (g < 0) return false;
    begin = on.bounds[g] + (k - on.task_ptr[g]) * on.rows;
    end = begin + on.rows < on.bounds[g + 1] ? begin + on.rows : on.bounds[g + 1];
    return true;
  }
};

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    tile_kernel(const MincutProduct<T> p, const MincutCuda on, T* partial, int64_t width) {
  __shared__ T shared[kMincutShared];
  TaskRows rows;
  const int64_t tiles = p.tiles(), block = blockIdx.x;
  if (!rows.find(on, block / tiles)) return;
  mincut_sum_tile(CudaTeam{nullptr}, p, block % tiles, rows.begin, rows.end, shared,
                  partial + rows.task * width + p.offset);
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    totals_kernel(const MincutForward<T> a, const MincutCuda on, const T* terms, T* partial,
                  int64_t width, int64_t offset) {
  __shared__ double shared[kWarp];
  TaskRows rows;
  if (!rows.find(on, blockIdx.x)) return;
  mincut_sum_totals(CudaTeam{shared}, a.s, a.degree, terms, a.clusters, rows.begin, rows.end,
                    partial + rows.task * width + offset);
}

// The tasks of every graph in order.
template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    reduce_kernel(const MincutCuda on, const T* partial, const MincutParts<T> parts) {
  const int64_t at = global_thread();
  if (at < on.graphs * parts.width()) mincut_reduce_entry(on.task_ptr, partial, parts, at);
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    grad_s_kernel(const MincutBackward<T> a, const MincutCuda on) {
  const int64_t at = global_thread();
  if (at < a.rows.rows * a.clusters) a.grad_logits[at] = mincut_grad_entry(a, bounds_of(on), at);
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads) grad_softmax_kernel(const MincutBackward<T> a) {
  const int64_t i = global_thread();
  if (i < a.rows.rows) mincut_grad_softmax_row(a, i);
}

// out [N, columns] = s x of the node's graph, x [B, K, columns].
template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    lift_kernel(const MincutCuda on, const T* s, const T* x, int64_t nodes, int64_t clusters,
                int64_t columns, T* out) {
  const int64_t at = global_thread();
  if (at < nodes * columns) out[at] = mincut_lift_entry(bounds_of(on), s, x, clusters, columns, at);
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    grad_edges_kernel(const MincutBackward<T> a, const MincutCuda on, const T* u) {
  const int64_t i = global_thread();
  if (i < a.rows.rows) mincut_grad_edges_row(a, bounds_of(on), u, i);
}

template <typename T>
void product_cuda(const MincutProduct<T>& p, const MincutCuda& on, int64_t nodes, T* partial,
                  int64_t width) {
  const int64_t blocks = p.tiles() * mincut_cuda_tasks(nodes, on.graphs, on.rows);
  if (blocks == 0) return;
  tile_kernel<<<static_cast<unsigned>(blocks), kBlockThreads, 0, on.stream>>>(p, on, partial,
                                                                              width);
}

template <typename T>
void reduce_cuda(const MincutCuda& on, const T* partial, const MincutParts<T>& parts) {
  const int64_t sums = on.graphs * parts.width();
  if (sums == 0) return;
  reduce_kernel<<<blocks_for(sums), kBlockThreads, 0, on.stream>>>(on, partial, parts);
}

template <typename T>
void spread_any(const MincutGraph<T>& a, const MincutCuda& on, const T* s, T* y, T* signs, T* terms,
                T* degree) {
  const int64_t entries = a.rows.rows * a.clusters;
  if (entries == 0) return;
  spread_kernel<<<blocks_for(entries), kBlockThreads, 0, on.stream>>>(a, on, s, y, signs, terms,
                                                                      degree);
}

template <typename T>
void forward_any(const MincutForward<T>& a, const MincutCuda& on, T* terms, T* partial,
                 const MincutParts<T>& parts) {
  const int64_t nodes = a.rows.rows, clusters = a.clusters;
  const MincutSums at{clusters, a.features};
  if (nodes > 0) {
    softmax_kernel<<<blocks_for(nodes), kBlockThreads, 0, on.stream>>>(a);
    spread_any(a, on, a.s, a.y, a.signs, terms, a.degree);
  }
  const MincutProduct<T> products[] = {
      {a.s, a.y, clusters, clusters, 0},
      {a.s, a.s, clusters, clusters, at.gram()},
      {a.s, a.x, clusters, a.features, at.x()},
      {a.s, a.degree, clusters, 1, at.columns()},
      {a.s, nullptr, clusters, 1, at.columns() + clusters},
  };
  for (const auto& p : products) product_cuda(p, on, nodes, partial, at.size());
  totals_kernel<<<static_cast<unsigned>(mincut_cuda_tasks(nodes, on.graphs, on.rows)),
                  kBlockThreads, 0, on.stream>>>(a, on, terms, partial, at.size(), at.totals());
  reduce_cuda(on, partial, parts);
  check_launch("mincut_pool");
}

template <typename T>
void lift_any(const MincutCuda& on, const T* s, const T* x, int64_t nodes, int64_t clusters,
              int64_t columns, T* out) {
  if (nodes * columns == 0) return;
  lift_kernel<<<blocks_for(nodes * columns), kBlockThreads, 0, on.stream>>>(on, s, x, nodes,
                                                                            clusters, columns, out);
}

template <typename T>
void backward_any(const MincutBackward<T>& a, const MincutCuda& on, T* u) {
  const int64_t nodes = a.rows.rows, clusters = a.clusters;
  if (nodes == 0) return;
  if (a.grad_x != nullptr) {
    lift_any(on, a.s, a.grad_pool, nodes, clusters, a.features, a.grad_x);
  }
  if (a.grad_weight != nullptr) {
    lift_any(on, a.s, a.grad_adj, nodes, clusters, clusters, u);
    grad_edges_kernel<<<blocks_for(nodes), kBlockThreads, 0, on.stream>>>(a, on, u);
  }
  if (a.grad_logits != nullptr) {
    grad_s_kernel<<<blocks_for(nodes * clusters), kBlockThreads, 0, on.stream>>>(a, on);
    grad_softmax_kernel<<<blocks_for(nodes), kBlockThreads, 0, on.stream>>>(a);
  }
  check_launch("mincut_pool");
}

template <typename T>
void lift_grad_any(const MincutLift<T>& a, const MincutCuda& on, int64_t nodes, T* partial) {
  lift_any(on, a.grad, a.x_back, nodes, a.features, a.clusters, a.grad_s);
  const int64_t width = a.clusters * a.features;
  product_cuda(MincutProduct<T>{a.s, a.grad, a.clusters, a.features, 0}, on, nodes, partial, width);
  MincutParts<T> parts;
  parts.add(a.grad_x, width);
  reduce_cuda(on, partial, parts);
  check_launch("mincut_lift");
}

}  // namespace

void mincut_bounds_cuda(const MincutCuda& on, int64_t nodes) {
  bounds_kernel<<<1, 1, 0, on.stream>>>(on.graph_ptr, on.graphs, nodes, on.rows, on.bounds,
                                        on.task_ptr);
  check_launch("mincut_pool");
}

#define LAMPYRIS_MINCUT_INSTANTIATE(T)                                                            \
  void mincut_forward_cuda(const MincutForward<T>& a, const MincutCuda& on, T* terms, T* partial, \
                           const MincutParts<T>& parts) {                                         \
    forward_any(a, on, terms, partial, parts);                                                    \
  }                                                                                               \
  void mincut_spread_cuda(const MincutGraph<T>& a, const MincutCuda& on, const T* s, T* y,        \
                          T* signs, T* terms, T* degree) {                                        \
    spread_any(a, on, s, y, signs, terms, degree);                                                \
    check_launch("mincut_pool");                                                                  \
  }                                                                                               \
  void mincut_backward_cuda(const MincutBackward<T>& a, const MincutCuda& on, T* u) {             \
    backward_any(a, on, u);                                                                       \
  }                                                                                               \
  void mincut_lift_cuda(const MincutLift<T>& a, const MincutCuda& on, int64_t nodes) {            \
    lift_any(on, a.s, a.x, nodes, a.clusters, a.features, a.out);                                 \
    check_launch("mincut_lift");                                                                  \
  }                                                                                               \
  void mincut_lift_grad_cuda(const MincutLift<T>& a, const MincutCuda& on, int64_t nodes,         \
                             T* partial) {                                                        \
    lift_grad_any(a, on, nodes, partial);                                                         \
  }
LAMPYRIS_MINCUT_INSTANTIATE(float)
LAMPYRIS_MINCUT_INSTANTIATE(double)

}  // namespace lampyris
