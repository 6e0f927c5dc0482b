// Ordered aggregation over compressed rows: the neighbours of a row sorted by a score of each head,
// then a recurrent cell (core/goat_cell.h) over them. Inputs are projected per node, before; nothing
// is padded to a degree. E edges, N rows, S sources, H hidden units and G gates of a head.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/csr.h"
#include "core/goat_cell.h"

struct CUstream_st;

namespace lampyris {

inline constexpr int64_t kGoatMostEdges = INT64_C(0x7FFFFFFF);  // places are int32

inline int64_t goat_gates(GoatCell cell) {
  int64_t gates = 0;
  with_goat_cell(cell, [&](auto kind) { gates = decltype(kind)::kGates; });
  return gates;
}

// Vectors of H saved of every step.
inline int64_t goat_saved(GoatCell cell) {
  int64_t saved = 0;
  with_goat_cell(cell, [&](auto kind) { saved = decltype(kind)::kSaved; });
  return saved;
}

// order [heads, E]: place order[h][row_ptr[i] + t] of col is what row i reads at step t. Ascending,
// or descending; equal scores by place; NaN last. score [E, heads], or keys [S, heads] when
// per_source.
template <typename T>
struct GoatOrder {
  Csr csr;
  int64_t heads = 1;
  const T* score = nullptr;
  bool per_source = false, descending = false;
  int32_t* order = nullptr;
};

// Rows [begin, end) of every head, scores per edge.
void goat_order_rows(const GoatOrder<float>& a, int64_t begin, int64_t end);
void goat_order_rows(const GoatOrder<double>& a, int64_t begin, int64_t end);

// The edges by source: places[source_ptr[j]..source_ptr[j + 1]) of col name source j, ascending.
// source_ptr [S + 1], places [E], both written.
void goat_transpose(const Csr& csr, int64_t* source_ptr, int32_t* places);

// Keys per source: one ranking of all sources, then every row filled in that order.
void goat_order_head(const GoatOrder<float>& a, const int64_t* source_ptr, const int32_t* places,
                     int64_t head);
void goat_order_head(const GoatOrder<double>& a, const int64_t* source_ptr, const int32_t* places,
                     int64_t head);

template <typename T>
struct GoatInput {
  Csr csr;
  GoatCell cell = GoatCell::kLstm;
  int64_t heads = 1, hidden = 1;
  const int32_t* order = nullptr;  // [heads, E]
  const T* p = nullptr;            // [S, heads, G H] projected features
  const T* factor = nullptr;       // [E, heads] of p, or null for 1
  const T* weight = nullptr;       // W_hh [heads, G H, H], or null
  const T* bias = nullptr;         // [heads, G H], or null
  T decay = 0, threshold = 0;      // of lif
  bool early_exit = false;

  LAMPYRIS_HD int64_t width(int64_t gates) const { return gates * hidden; }
};

template <typename T>
struct GoatForward : GoatInput<T> {
  T* out = nullptr;          // [N, heads, H]
  T* states = nullptr;       // [heads, E, kSaved, H] in order, or null
  int32_t* steps = nullptr;  // [N, heads] neighbours read
};

// Of one chunk of rows; several chunks run at a time. Sums are added to what is there.
template <typename T>
struct GoatBackward : GoatInput<T> {
  const T* grad = nullptr;         // [N, heads, H]
  const T* states = nullptr;       // as saved
  const int32_t* steps = nullptr;  // [N, heads]
  T* grad_factor = nullptr;        // [E, heads], written, or null
};

// A chunk's own sums of a head.
template <typename T>
struct GoatSums {
  T* grad_p = nullptr;            // [S, heads, G H]
  double* grad_weight = nullptr;  // [G H, H], or null
  double* grad_bias = nullptr;    // [G H]
};

// Rows [begin, end) of one head.
void goat_forward_rows(const GoatForward<float>& a, int64_t head, int64_t begin, int64_t end);
void goat_forward_rows(const GoatForward<double>& a, int64_t head, int64_t begin, int64_t end);
void goat_backward_rows(const GoatBackward<float>& a, const GoatSums<float>& sums, int64_t head,
                        int64_t begin, int64_t end);
void goat_backward_rows(const GoatBackward<double>& a, const GoatSums<double>& sums, int64_t head,
                        int64_t begin, int64_t end);

// First row of piece k of `pieces`, pieces of about equal numbers of rows and edges together.
int64_t goat_cut(const Csr& csr, int64_t k, int64_t pieces);

// Pieces of the backward, each with sums of its own: few enough that these take no more memory than
// the states of the edges, and the same at any number of threads.
int64_t goat_chunks(const Csr& csr);

// Softmax of score [E, heads] over every row, and its gradient from the result y.
template <typename T>
LAMPYRIS_HD inline void goat_softmax_row(const T* score, int64_t heads, int64_t begin, int64_t end,
                                      T* y) {
  if (begin == end) return;
  T largest = score[begin * heads], sum = 0;
  for (int64_t e = begin + 1; e < end; ++e) {
    largest = score[e * heads] > largest ? score[e * heads] : largest;
  }
  for (int64_t e = begin; e < end; ++e) {
    y[e * heads] = std::exp(score[e * heads] - largest);
    sum += y[e * heads];
  }
  for (int64_t e = begin; e < end; ++e) y[e * heads] /= sum;
}

template <typename T>
LAMPYRIS_HD inline void goat_softmax_grad_row(const T* grad, const T* y, int64_t heads, int64_t begin,
                                           int64_t end, T* grad_score) {
  T sum = 0;
  for (int64_t e = begin; e < end; ++e) sum += grad[e * heads] * y[e * heads];
  for (int64_t e = begin; e < end; ++e) {
    grad_score[e * heads] = y[e * heads] * (grad[e * heads] - sum);
  }
}

// CUDA. Edges out of range are not read: such an input counts as 0.
template <typename T>
struct GoatStepsGrad : GoatBackward<T> {
  T* grad_in = nullptr;   // [E, heads, G H], by place, gradient of factor p + bias
  T* grad_rec = nullptr;  // the same of W_hh h, where it differs (gru), or null
};
// weight_t [heads, H, G H] is W_hh transposed.
void goat_forward_cuda(const GoatForward<float>& a, const float* weight_t, CUstream_st* stream);
void goat_forward_cuda(const GoatForward<double>& a, const double* weight_t, CUstream_st* stream);
void goat_steps_grad_cuda(const GoatStepsGrad<float>& a, const float* weight_t,
                          CUstream_st* stream);
void goat_steps_grad_cuda(const GoatStepsGrad<double>& a, const double* weight_t,
                          CUstream_st* stream);
void goat_softmax_cuda(const Csr& csr, int64_t heads, const float* score, float* y,
                       CUstream_st* stream);
void goat_softmax_cuda(const Csr& csr, int64_t heads, const double* score, double* y,
                       CUstream_st* stream);
void goat_softmax_grad_cuda(const Csr& csr, int64_t heads, const float* grad, const float* y,
                            float* grad_score, CUstream_st* stream);
void goat_softmax_grad_cuda(const Csr& csr, int64_t heads, const double* grad, const double* y,
                            double* grad_score, CUstream_st* stream);

}  // namespace lampyris
