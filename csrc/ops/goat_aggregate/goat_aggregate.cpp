#include "ops/goat_aggregate/goat_aggregate_front.h"
#include "ops/goat_aggregate/goat_aggregate_team.h"

namespace lampyris {

namespace {

constexpr int64_t kGrainEdges = 1 << 13;

// Calls range(begin, end) on pieces of rows, about kGrainEdges rows and edges each.
template <class Range>
void over_rows(const Csr& csr, const Range& range) {
  const int64_t pieces = (csr.rows + csr.edges) / kGrainEdges + 1;
  torch::stable::parallel_for(0, pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) range(goat_cut(csr, k, pieces), goat_cut(csr, k + 1, pieces));
  });
}

template <typename T>
Tensor goat_order_typed(const Tensor& score, const Csr& csr, bool per_source, bool descending) {
  const Tensor order = empty({score.size(1), csr.edges}, ScalarType::Int, score);
  const Tensor scores = torch::stable::contiguous(score);
  GoatOrder<T> a{csr,        score.size(1), scores.const_data_ptr<T>(),
                 per_source, descending,    order.mutable_data_ptr<int32_t>()};
  if (!per_source) {
    over_rows(csr, [&](int64_t begin, int64_t end) { goat_order_rows(a, begin, end); });
    return order;
  }
  std::vector<int64_t> source_ptr(static_cast<size_t>(csr.sources + 1));
  std::vector<int32_t> places(static_cast<size_t>(csr.edges));
  goat_transpose(csr, source_ptr.data(), places.data());
  torch::stable::parallel_for(0, a.heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t h = begin; h < end; ++h) goat_order_head(a, source_ptr.data(), places.data(), h);
  });
  return order;
}

Tensor goat_order(Tensor score, Tensor row_ptr, Tensor col, bool per_source, bool descending) {
  if (score.dim() != 2) {
    fail("{}: score must have shape [{}, heads], got {}", kGoat, per_source ? "S" : "E",
         shape_text(score));
  }
  check_goat_float("score", score);
  std::vector<Tensor> keep;
  // Scores of edges do not say how many sources there are: the cell checks that.
  const int64_t sources = per_source ? score.size(0) : kGoatMostEdges - 1;
  const Csr csr = check_goat_csr(row_ptr, col, sources, score, keep);
  if (!per_source) {
    check_goat_shape("score", score, {csr.edges, score.size(1)}, "[E, heads]");
  }
  return score.scalar_type() == ScalarType::Float
             ? goat_order_typed<float>(score, csr, per_source, descending)
             : goat_order_typed<double>(score, csr, per_source, descending);
}

struct Cpu {
  template <typename T>
  static void forward(const GoatForward<T>& a, const std::optional<Tensor>&, const Tensor&) {
    for (int64_t head = 0; head < a.heads; ++head) {
      over_rows(a.csr, [&](int64_t begin, int64_t end) { goat_forward_rows(a, head, begin, end); });
    }
  }

  // What CUDA does, on one lane: for tests of the way of CUDA on any machine.
  template <typename T>
  static void steps_grad(const GoatStepsGrad<T>& a, const T* weight_t, const Tensor&) {
    std::vector<T> shared(static_cast<size_t>(goat_backward_shared(a.hidden)));
    with_goat_cell(a.cell, [&](auto cell) {
      for (int64_t i = 0; i < a.csr.rows * a.heads; ++i) {
        goat_steps_grad_row<decltype(cell)>(SerialTeam{}, a, weight_t, i % a.heads, i / a.heads,
                                            shared.data());
      }
    });
  }

  template <typename T>
  static void softmax(const Tensor& row_ptr, int64_t edges, int64_t heads, const T* score, T* y,
                      const Tensor& like) {
    std::vector<Tensor> keep;
    const Csr csr = check_goat_rows(row_ptr, edges, like, keep);
    over_rows(csr, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin * heads; i < end * heads; ++i) {
        goat_softmax_row(score + i % heads, heads, csr.row_ptr[i / heads],
                         csr.row_ptr[i / heads + 1], y + i % heads);
      }
    });
  }

  template <typename T>
  static void softmax_grad(const Tensor& row_ptr, int64_t edges, int64_t heads, const T* grad,
                           const T* y, T* grad_score, const Tensor& like) {
    std::vector<Tensor> keep;
    const Csr csr = check_goat_rows(row_ptr, edges, like, keep);
    over_rows(csr, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin * heads; i < end * heads; ++i) {
        goat_softmax_grad_row(grad + i % heads, y + i % heads, heads, csr.row_ptr[i / heads],
                              csr.row_ptr[i / heads + 1], grad_score + i % heads);
      }
    });
  }
};

// to[i] += the same place of parts 1 .. pieces - 1, in order.
template <typename T>
void add_parts(T* to, const T* parts, int64_t pieces, int64_t size) {
  torch::stable::parallel_for(0, size, kGrainEdges, [&](int64_t begin, int64_t end) {
    for (int64_t k = 0; k + 1 < pieces; ++k) {
      for (int64_t i = begin; i < end; ++i) to[i] += parts[k * size + i];
    }
  });
}

template <typename T>
Tensor from_double(const Tensor& like, const Sizes& sizes, const double* values) {
  const Tensor out = empty(sizes, like.scalar_type(), like);
  T* const to = out.mutable_data_ptr<T>();
  for (int64_t i = 0; i < product(sizes); ++i) to[i] = static_cast<T>(values[i]);
  return out;
}

using Grads = std::tuple<Tensor, std::optional<Tensor>, std::optional<Tensor>, std::optional<Tensor>>;

template <typename T>
Grads goat_backward_typed(const Tensor& grad, const Tensor& p, const std::optional<Tensor>& factor,
                          const Tensor& order, const Tensor& row_ptr, const Tensor& col,
                          const std::optional<Tensor>& weight_hh, const std::optional<Tensor>& bias,
                          const Tensor& states, const Tensor& steps, const std::string& cell,
                          bool early_exit, double decay, double threshold, bool wants_factor) {
  std::vector<Tensor> keep;
  GoatBackward<T> a{check_goat<T>(p, factor, order, row_ptr, col, weight_hh, bias, cell, early_exit,
                                  decay, threshold, keep)};
  check_goat_saved(a, grad, states, steps, keep);
  const int64_t width = a.width(goat_gates(a.cell)), chunks = goat_chunks(a.csr);
  const int64_t weights = weight_hh ? width * a.hidden : 0;
  const Tensor grad_p = torch::stable::new_zeros(p, sizes_of(p), p.scalar_type());
  std::optional<Tensor> grad_factor;
  if (wants_factor && factor) {
    grad_factor = empty(sizes_of(*factor), p.scalar_type(), p);
    a.grad_factor = grad_factor->mutable_data_ptr<T>();
  }
  // Chunk 0 adds to the result, the others to parts of their own.
  const int64_t size = product(sizes_of(p));
  const Tensor parts = torch::stable::new_zeros(p, {chunks - 1, size}, p.scalar_type());
  const Tensor sums =
      torch::stable::new_zeros(p, {chunks, a.heads * (weights + width)}, ScalarType::Double);
  T* const first = grad_p.mutable_data_ptr<T>();
  T* const others = parts.mutable_data_ptr<T>();
  double* const totals = sums.mutable_data_ptr<double>();
  torch::stable::parallel_for(0, chunks * a.heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t chunk = i / a.heads, head = i % a.heads;
      double* const mine = totals + chunk * a.heads * (weights + width);
      const GoatSums<T> own{chunk == 0 ? first : others + (chunk - 1) * size,
                            mine + head * weights, mine + a.heads * weights + head * width};
      goat_backward_rows(a, own, head, goat_cut(a.csr, chunk, chunks),
                         goat_cut(a.csr, chunk + 1, chunks));
    }
  });
  add_parts(first, others, chunks, size);
  add_parts(totals, totals + a.heads * (weights + width), chunks, a.heads * (weights + width));
  std::optional<Tensor> grad_weight, grad_bias;
  if (weight_hh) grad_weight = from_double<T>(p, sizes_of(*weight_hh), totals);
  if (bias) grad_bias = from_double<T>(p, sizes_of(*bias), totals + a.heads * weights);
  return {grad_p, grad_factor, grad_weight, grad_bias};
}

Grads goat_backward(Tensor grad, Tensor p, std::optional<Tensor> factor, Tensor order,
                    Tensor row_ptr, Tensor col, std::optional<Tensor> weight_hh,
                    std::optional<Tensor> bias, Tensor states, Tensor steps, std::string cell,
                    bool early_exit, double decay, double threshold, bool wants_factor) {
  check_goat_float("projected features", p);
  check_dtype(kGoat, "grad", grad, p.scalar_type());
  const auto run = [&](auto typed) {
    return typed(grad, p, factor, order, row_ptr, col, weight_hh, bias, states, steps, cell,
                 early_exit, decay, threshold, wants_factor);
  };
  return p.scalar_type() == ScalarType::Float ? run(goat_backward_typed<float>)
                                              : run(goat_backward_typed<double>);
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // score [E, heads], or [S, heads] per source; returns places in col, int32 [heads, E].
  m.def(
      "_goat_order(Tensor score, Tensor row_ptr, Tensor col, bool per_source, bool descending) -> "
      "Tensor");
  // p [S, heads, G H], factor [E, heads], weight_hh [heads, G H, H], bias [heads, G H]; returns (out
  // [N, heads, H], steps int32 [N, heads], states [heads, E, saved, H] if save).
  m.def(
      "goat_aggregate(Tensor p, Tensor? factor, Tensor order, Tensor row_ptr, Tensor col, Tensor? "
      "weight_hh, Tensor? bias, str cell, bool early_exit, float decay, float threshold, bool save) "
      "-> (Tensor, Tensor, Tensor?)");
  // Gradients of p, factor, weight_hh and bias.
  m.def(
      "_goat_aggregate_backward(Tensor grad, Tensor p, Tensor? factor, Tensor order, Tensor row_ptr, "
      "Tensor col, Tensor? weight_hh, Tensor? bias, Tensor states, Tensor steps, str cell, bool "
      "early_exit, float decay, float threshold, bool wants_factor) -> (Tensor, Tensor?, Tensor?, "
      "Tensor?)");
  // CUDA: gradients of every step's input and of W_hh h where that differs (gru), [E, heads, G H] by
  // place; the sums over them are torch's.
  m.def(
      "_goat_steps_grad(Tensor grad, Tensor p, Tensor? factor, Tensor order, Tensor row_ptr, Tensor "
      "col, Tensor? weight_hh, Tensor? bias, Tensor states, Tensor steps, str cell, bool early_exit, "
      "float decay, float threshold) -> (Tensor, Tensor?)");
  // Softmax of score [E, heads] over rows.
  m.def("_goat_softmax(Tensor score, Tensor row_ptr) -> Tensor");
  m.def("_goat_softmax_backward(Tensor grad, Tensor y, Tensor row_ptr) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("_goat_order", TORCH_BOX(&goat_order));
  m.impl("goat_aggregate", TORCH_BOX(&goat_forward<Cpu>));
  m.impl("_goat_aggregate_backward", TORCH_BOX(&goat_backward));
  m.impl("_goat_steps_grad", TORCH_BOX(&goat_steps_grad<Cpu>));
  m.impl("_goat_softmax", TORCH_BOX(&goat_softmax<Cpu>));
  m.impl("_goat_softmax_backward", TORCH_BOX(&goat_softmax_grad<Cpu>));
}

}  // namespace lampyris
