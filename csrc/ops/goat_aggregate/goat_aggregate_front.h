// What the CPU and the GPU check before they order neighbours and read them.
#pragma once

#include <string>
#include <vector>

#include "ops/goat_aggregate/goat_aggregate.h"
#include "ops/tensor.h"

namespace lampyris {

inline constexpr const char* kGoat = "goat_aggregate";

inline GoatCell parse_goat_cell(const std::string& cell) {
  if (cell == "lstm") return GoatCell::kLstm;
  if (cell == "gru") return GoatCell::kGru;
  if (cell == "scan") return GoatCell::kScan;
  if (cell == "lif") return GoatCell::kLif;
  fail("{}: cell must be one of lstm, gru, scan, lif, got '{}'", kGoat, cell);
}

inline void check_goat_shape(const char* name, const Tensor& t, const Sizes& want,
                             const char* meaning) {
  if (sizes_of(t) != want) {
    fail("{}: {} must have shape {} = {}, got {}", kGoat, name, meaning, shape_text(want),
         shape_text(t));
  }
}

// row_ptr [N + 1], col [E], int64, of `sources` nodes. `keep` holds what the pointers point to; the
// values are checked where they are on the CPU.
inline Csr check_goat_csr(const Tensor& row_ptr, const Tensor& col, int64_t sources,
                          const Tensor& like, std::vector<Tensor>& keep) {
  if (row_ptr.dim() != 1 || row_ptr.size(0) < 1) {
    fail("{}: row_ptr must have shape [N + 1], got {}", kGoat, shape_text(row_ptr));
  }
  if (col.dim() != 1) fail("{}: col must have shape [E], got {}", kGoat, shape_text(col));
  check_dtype(kGoat, "row_ptr", row_ptr, ScalarType::Long);
  check_dtype(kGoat, "col", col, ScalarType::Long);
  check_device(kGoat, "row_ptr", row_ptr, like);
  check_device(kGoat, "col", col, like);
  Csr csr;
  csr.rows = row_ptr.size(0) - 1;
  csr.edges = col.size(0);
  csr.sources = sources;
  if (std::max({csr.rows, csr.edges, csr.sources}) >= kGoatMostEdges) {
    fail("{}: nodes and edges must be fewer than {}, got {} rows, {} edges and {} sources", kGoat,
         kGoatMostEdges, csr.rows, csr.edges, csr.sources);
  }
  keep.push_back(torch::stable::contiguous(row_ptr));
  csr.row_ptr = keep.back().const_data_ptr<int64_t>();
  keep.push_back(torch::stable::contiguous(col));
  csr.col = keep.back().const_data_ptr<int64_t>();
  if (like.is_cpu()) check_csr(kGoat, csr);
  return csr;
}

inline void check_goat_float(const char* name, const Tensor& t) {
  if (t.scalar_type() != ScalarType::Float && t.scalar_type() != ScalarType::Double) {
    fail("{}: {} must have dtype float32 or float64, got {}", kGoat, name, dtype_text(t));
  }
}

template <typename T>
const T* goat_values(const Tensor& t, std::vector<Tensor>& keep) {
  keep.push_back(torch::stable::contiguous(t));
  return keep.back().const_data_ptr<T>();
}

// W_hh^T [heads, H, G H], which the teams read, or null.
template <typename T>
const T* transposed(const std::optional<Tensor>& weight_hh, std::vector<Tensor>& keep) {
  return weight_hh ? goat_values<T>(torch::stable::transpose(*weight_hh, 1, 2), keep) : nullptr;
}

// p [S, heads, G H], factor [E, heads], order [heads, E] int32, weight_hh [heads, G H, H], bias
// [heads, G H].
template <typename T>
GoatInput<T> check_goat(const Tensor& p, const std::optional<Tensor>& factor, const Tensor& order,
                        const Tensor& row_ptr, const Tensor& col,
                        const std::optional<Tensor>& weight_hh, const std::optional<Tensor>& bias,
                        const std::string& cell, bool early_exit, double decay, double threshold,
                        std::vector<Tensor>& keep) {
  GoatInput<T> a;
  a.cell = parse_goat_cell(cell);
  const int64_t gates = goat_gates(a.cell);
  const bool recurrent = a.cell == GoatCell::kLstm || a.cell == GoatCell::kGru;
  if (p.dim() != 3 || p.size(1) < 1 || p.size(2) < 1 || p.size(2) % gates != 0) {
    fail("{}: projected features must have shape [S, heads, {} H], got {}", kGoat, gates,
         shape_text(p));
  }
  a.csr = check_goat_csr(row_ptr, col, p.size(0), p, keep);
  a.heads = p.size(1);
  a.hidden = p.size(2) / gates;
  const auto values = [&](const char* name, const Tensor& t, const Sizes& want,
                          const char* meaning) {
    check_goat_shape(name, t, want, meaning);
    check_dtype(kGoat, name, t, p.scalar_type());
    check_device(kGoat, name, t, p);
    return goat_values<T>(t, keep);
  };
  a.p = goat_values<T>(p, keep);
  if (factor) a.factor = values("factor", *factor, {a.csr.edges, a.heads}, "[E, heads]");
  if (weight_hh.has_value() != recurrent) {
    fail("{}: weight_hh must {} for cell {}, got {}", kGoat,
         recurrent ? "be a tensor" : "be None", cell, recurrent ? "None" : "a tensor");
  }
  if (weight_hh) {
    a.weight = values("weight_hh", *weight_hh, {a.heads, gates * a.hidden, a.hidden},
                      "[heads, G H, H]");
  }
  if (bias) a.bias = values("bias", *bias, {a.heads, gates * a.hidden}, "[heads, G H]");
  check_goat_shape("order", order, {a.heads, a.csr.edges}, "[heads, E]");
  check_dtype(kGoat, "order", order, ScalarType::Int);
  check_device(kGoat, "order", order, p);
  a.order = goat_values<int32_t>(order, keep);
  if (p.is_cpu()) {
    bool inside = true;
    const auto edges = static_cast<uint64_t>(a.csr.edges);
    for (int64_t i = 0; i < a.heads * a.csr.edges; ++i) {
      inside &= static_cast<uint64_t>(a.order[i]) < edges;
    }
    if (!inside) fail("{}: order must be in [0, {}), got a place out of range", kGoat, a.csr.edges);
  }
  a.decay = static_cast<T>(decay);
  a.threshold = static_cast<T>(threshold);
  a.early_exit = early_exit;
  return a;
}

// What the forward saved: states [heads, E, saved, H] and steps [N, heads], no step beyond a row.
template <typename T>
void check_goat_saved(GoatBackward<T>& a, const Tensor& grad, const Tensor& states,
                      const Tensor& steps, std::vector<Tensor>& keep) {
  check_goat_shape("grad", grad, {a.csr.rows, a.heads, a.hidden}, "[N, heads, H]");
  check_goat_shape("states", states, {a.heads, a.csr.edges, goat_saved(a.cell), a.hidden},
                   "[heads, E, saved, H]");
  check_goat_shape("steps", steps, {a.csr.rows, a.heads}, "[N, heads]");
  check_dtype(kGoat, "states", states, grad.scalar_type());
  check_dtype(kGoat, "steps", steps, ScalarType::Int);
  check_device(kGoat, "states", states, grad);
  check_device(kGoat, "steps", steps, grad);
  a.grad = goat_values<T>(grad, keep);
  a.states = goat_values<T>(states, keep);
  a.steps = goat_values<int32_t>(steps, keep);
  if (!grad.is_cpu()) return;
  for (int64_t i = 0; i < a.csr.rows * a.heads; ++i) {
    if (a.steps[i] < 0 || a.steps[i] > a.csr.degree(i / a.heads)) {
      fail("{}: steps must be in [0, {}], got {} at [{}]", kGoat, a.csr.degree(i / a.heads),
           a.steps[i], i / a.heads);
    }
  }
}

// (out [N, heads, H], steps [N, heads], states or none).
template <class Backend, typename T>
std::tuple<Tensor, Tensor, std::optional<Tensor>> goat_forward_typed(
    const Tensor& p, const std::optional<Tensor>& factor, const Tensor& order,
    const Tensor& row_ptr, const Tensor& col, const std::optional<Tensor>& weight_hh,
    const std::optional<Tensor>& bias, const std::string& cell, bool early_exit, double decay,
    double threshold, bool save) {
  std::vector<Tensor> keep;
  GoatForward<T> a{check_goat<T>(p, factor, order, row_ptr, col, weight_hh, bias, cell, early_exit,
                                 decay, threshold, keep)};
  const Tensor out = empty({a.csr.rows, a.heads, a.hidden}, p.scalar_type(), p);
  const Tensor steps = empty({a.csr.rows, a.heads}, ScalarType::Int, p);
  std::optional<Tensor> states;
  if (save) {
    states = empty({a.heads, a.csr.edges, goat_saved(a.cell), a.hidden}, p.scalar_type(), p);
    a.states = states->mutable_data_ptr<T>();
  }
  a.out = out.mutable_data_ptr<T>();
  a.steps = steps.mutable_data_ptr<int32_t>();
  if (a.csr.rows > 0) Backend::forward(a, weight_hh, p);
  return {out, steps, states};
}

template <class Backend>
std::tuple<Tensor, Tensor, std::optional<Tensor>> goat_forward(
    Tensor p, std::optional<Tensor> factor, Tensor order, Tensor row_ptr, Tensor col,
    std::optional<Tensor> weight_hh, std::optional<Tensor> bias, std::string cell, bool early_exit,
    double decay, double threshold, bool save) {
  check_goat_float("projected features", p);
  const auto run = [&](auto typed) {
    return typed(p, factor, order, row_ptr, col, weight_hh, bias, cell, early_exit, decay,
                 threshold, save);
  };
  return p.scalar_type() == ScalarType::Float ? run(goat_forward_typed<Backend, float>)
                                              : run(goat_forward_typed<Backend, double>);
}

// (grad_in, grad_rec or none) [E, heads, G H] by place, zeros where nothing was read.
template <class Backend, typename T>
std::tuple<Tensor, std::optional<Tensor>> goat_steps_grad_typed(
    const Tensor& grad, const Tensor& p, const std::optional<Tensor>& factor, const Tensor& order,
    const Tensor& row_ptr, const Tensor& col, const std::optional<Tensor>& weight_hh,
    const std::optional<Tensor>& bias, const Tensor& states, const Tensor& steps,
    const std::string& cell, bool early_exit, double decay, double threshold) {
  std::vector<Tensor> keep;
  GoatStepsGrad<T> a{{check_goat<T>(p, factor, order, row_ptr, col, weight_hh, bias, cell,
                                    early_exit, decay, threshold, keep)}};
  check_goat_saved(a, grad, states, steps, keep);
  const Sizes sizes{a.csr.edges, a.heads, p.size(2)};
  const Tensor grad_in = torch::stable::new_zeros(p, sizes, p.scalar_type());
  a.grad_in = grad_in.mutable_data_ptr<T>();
  std::optional<Tensor> grad_rec;
  if (a.cell == GoatCell::kGru) {
    grad_rec = torch::stable::new_zeros(p, sizes, p.scalar_type());
    a.grad_rec = grad_rec->mutable_data_ptr<T>();
  }
  if (a.csr.rows > 0 && a.csr.edges > 0) {
    Backend::steps_grad(a, transposed<T>(weight_hh, keep), p);
  }
  return {grad_in, grad_rec};
}

template <class Backend>
std::tuple<Tensor, std::optional<Tensor>> goat_steps_grad(
    Tensor grad, Tensor p, std::optional<Tensor> factor, Tensor order, Tensor row_ptr, Tensor col,
    std::optional<Tensor> weight_hh, std::optional<Tensor> bias, Tensor states, Tensor steps,
    std::string cell, bool early_exit, double decay, double threshold) {
  check_goat_float("projected features", p);
  check_dtype(kGoat, "grad", grad, p.scalar_type());
  check_device(kGoat, "grad", grad, p);
  const auto run = [&](auto typed) {
    return typed(grad, p, factor, order, row_ptr, col, weight_hh, bias, states, steps, cell,
                 early_exit, decay, threshold);
  };
  return p.scalar_type() == ScalarType::Float ? run(goat_steps_grad_typed<Backend, float>)
                                              : run(goat_steps_grad_typed<Backend, double>);
}

template <class Backend>
Tensor goat_softmax(Tensor score, Tensor row_ptr) {
  if (score.dim() != 2) {
    fail("{}: score must have shape [E, heads], got {}", kGoat, shape_text(score));
  }
  check_goat_float("score", score);
  const Tensor y = empty(sizes_of(score), score.scalar_type(), score);
  const Tensor from = torch::stable::contiguous(score);
  const auto run = [&]<typename T>(T) {
    Backend::softmax(row_ptr, score.size(0), score.size(1), from.const_data_ptr<T>(),
                     y.mutable_data_ptr<T>(), score);
  };
  score.scalar_type() == ScalarType::Float ? run(float()) : run(double());
  return y;
}

template <class Backend>
Tensor goat_softmax_grad(Tensor grad, Tensor y, Tensor row_ptr) {
  if (y.dim() != 2) fail("{}: y must have shape [E, heads], got {}", kGoat, shape_text(y));
  check_goat_float("y", y);
  check_goat_shape("grad", grad, sizes_of(y), "[E, heads]");
  check_dtype(kGoat, "grad", grad, y.scalar_type());
  check_device(kGoat, "grad", grad, y);
  const Tensor out = empty(sizes_of(y), y.scalar_type(), y);
  const Tensor from = torch::stable::contiguous(grad), values = torch::stable::contiguous(y);
  const auto run = [&]<typename T>(T) {
    Backend::softmax_grad(row_ptr, y.size(0), y.size(1), from.const_data_ptr<T>(),
                          values.const_data_ptr<T>(), out.mutable_data_ptr<T>(), y);
  };
  y.scalar_type() == ScalarType::Float ? run(float()) : run(double());
  return out;
}

// row_ptr alone, for what reads rows of edges but no columns.
inline Csr check_goat_rows(const Tensor& row_ptr, int64_t edges, const Tensor& like,
                           std::vector<Tensor>& keep) {
  if (row_ptr.dim() != 1 || row_ptr.size(0) < 1) {
    fail("{}: row_ptr must have shape [N + 1], got {}", kGoat, shape_text(row_ptr));
  }
  check_dtype(kGoat, "row_ptr", row_ptr, ScalarType::Long);
  check_device(kGoat, "row_ptr", row_ptr, like);
  Csr csr;
  csr.rows = row_ptr.size(0) - 1;
  csr.edges = edges;
  keep.push_back(torch::stable::contiguous(row_ptr));
  csr.row_ptr = keep.back().const_data_ptr<int64_t>();
  if (like.is_cpu()) check_pointers(kGoat, "row_ptr", csr.row_ptr, csr.rows, edges);
  return csr;
}

}  // namespace lampyris
