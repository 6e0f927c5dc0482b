// A warp a row and head. Bytes of a step: G H values of a neighbour, and kSaved H written (read
// twice on the way back, where 2 G H more are written at most); W_hh stays in the first cache.
#include "ops/goat_aggregate/goat_aggregate_team.h"
#include "ops/launch.cuh"

namespace lampyris {

namespace {

constexpr int64_t kSharedBytes = 48 << 10;  // that every device gives without asking
// Of a multiprocessor: 80 registers a thread, 128 in float64. Left to itself, ptxas takes fewer on
// sm_120 and spills.
template <typename T>
constexpr int kBlocks = sizeof(T) == 4 ? 3 : 2;

template <class Cell, typename T>
__global__ void __launch_bounds__(kBlockThreads, kBlocks<T>)
    forward_kernel(const GoatForward<T> a, const T* weight_t) {
  extern __shared__ double memory[];
  const int64_t i = global_thread() / kWarp;
  if (i >= a.csr.rows * a.heads) return;
  T* const mine =
      reinterpret_cast<T*>(memory) + threadIdx.x / kWarp * goat_forward_shared(a.hidden);
  goat_forward_row<Cell>(WarpTeam{}, a, weight_t, i % a.heads, i / a.heads, mine);
}

template <class Cell, typename T>
__global__ void __launch_bounds__(kBlockThreads, kBlocks<T>)
    steps_grad_kernel(const GoatStepsGrad<T> a, const T* weight_t) {
  extern __shared__ double memory[];
  const int64_t i = global_thread() / kWarp;
  if (i >= a.csr.rows * a.heads) return;
  T* const mine =
      reinterpret_cast<T*>(memory) + threadIdx.x / kWarp * goat_backward_shared(a.hidden);
  goat_steps_grad_row<Cell>(WarpTeam{}, a, weight_t, i % a.heads, i / a.heads, mine);
}

// Warps of a block: as many as share its memory.
struct Shape {
  unsigned blocks;
  int threads;
  size_t bytes;

  Shape(int64_t teams, int64_t bytes_each) {
    int64_t warps = kBlockThreads / kWarp;
    while (warps > 1 && warps * bytes_each > kSharedBytes) warps /= 2;
    threads = static_cast<int>(warps * kWarp);
    blocks = blocks_for(teams * kWarp, threads);
    bytes = static_cast<size_t>(warps * bytes_each);
    if (warps * bytes_each > kSharedBytes) {
      throw std::invalid_argument(
          "goat_aggregate: H must be smaller on CUDA: a row of H hidden units takes " +
          std::to_string(bytes_each) + " bytes of 49152");
    }
  }
};

template <typename T>
void forward(const GoatForward<T>& a, const T* weight_t, CUstream_st* stream) {
  const Shape shape(a.csr.rows * a.heads,
                    goat_forward_shared(a.hidden) * static_cast<int64_t>(sizeof(T)));
  with_goat_cell(a.cell, [&](auto cell) {
    forward_kernel<decltype(cell), T>
        <<<shape.blocks, shape.threads, shape.bytes, stream>>>(a, weight_t);
  });
  check_launch("goat_aggregate");
}

template <typename T>
void steps_grad(const GoatStepsGrad<T>& a, const T* weight_t, CUstream_st* stream) {
  const Shape shape(a.csr.rows * a.heads,
                    goat_backward_shared(a.hidden) * static_cast<int64_t>(sizeof(T)));
  with_goat_cell(a.cell, [&](auto cell) {
    steps_grad_kernel<decltype(cell), T>
        <<<shape.blocks, shape.threads, shape.bytes, stream>>>(a, weight_t);
  });
  check_launch("goat_aggregate");
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    softmax_kernel(const Csr csr, int64_t heads, const T* score, T* y) {
  const int64_t i = global_thread();
  if (i >= csr.rows * heads) return;
  const GoatRow range = goat_row(csr, i / heads);
  goat_softmax_row(score + i % heads, heads, range.begin, range.end, y + i % heads);
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    softmax_grad_kernel(const Csr csr, int64_t heads, const T* grad, const T* y, T* grad_score) {
  const int64_t i = global_thread();
  if (i >= csr.rows * heads) return;
  const GoatRow range = goat_row(csr, i / heads);
  goat_softmax_grad_row(grad + i % heads, y + i % heads, heads, range.begin, range.end,
                        grad_score + i % heads);
}

template <typename T>
void softmax(const Csr& csr, int64_t heads, const T* score, T* y, CUstream_st* stream) {
  if (csr.rows * heads == 0) return;
  softmax_kernel<<<blocks_for(csr.rows * heads), kBlockThreads, 0, stream>>>(csr, heads, score, y);
  check_launch("goat_aggregate");
}

template <typename T>
void softmax_grad(const Csr& csr, int64_t heads, const T* grad, const T* y, T* grad_score,
                  CUstream_st* stream) {
  if (csr.rows * heads == 0) return;
  softmax_grad_kernel<<<blocks_for(csr.rows * heads), kBlockThreads, 0, stream>>>(csr, heads, grad,
                                                                                  y, grad_score);
  check_launch("goat_aggregate");
}

}  // namespace

void goat_forward_cuda(const GoatForward<float>& a, const float* weight_t, CUstream_st* stream) {
  forward(a, weight_t, stream);
}

void goat_forward_cuda(const GoatForward<double>& a, const double* weight_t, CUstream_st* stream) {
  forward(a, weight_t, stream);
}

void goat_steps_grad_cuda(const GoatStepsGrad<float>& a, const float* weight_t,
                          CUstream_st* stream) {
  steps_grad(a, weight_t, stream);
}

void goat_steps_grad_cuda(const GoatStepsGrad<double>& a, const double* weight_t,
                          CUstream_st* stream) {
  steps_grad(a, weight_t, stream);
}

void goat_softmax_cuda(const Csr& csr, int64_t heads, const float* score, float* y,
                       CUstream_st* stream) {
  softmax(csr, heads, score, y, stream);
}

void goat_softmax_cuda(const Csr& csr, int64_t heads, const double* score, double* y,
                       CUstream_st* stream) {
  softmax(csr, heads, score, y, stream);
}

void goat_softmax_grad_cuda(const Csr& csr, int64_t heads, const float* grad, const float* y,
                            float* grad_score, CUstream_st* stream) {
  softmax_grad(csr, heads, grad, y, grad_score, stream);
}

void goat_softmax_grad_cuda(const Csr& csr, int64_t heads, const double* grad, const double* y,
                            double* grad_score, CUstream_st* stream) {
  softmax_grad(csr, heads, grad, y, grad_score, stream);
}

}  // namespace lampyris
