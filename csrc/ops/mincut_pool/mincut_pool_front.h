// What the CPU and the GPU check before they pool, and the sizes they work with.
#pragma once

#include <tuple>

#include "ops/mincut_pool/mincut_pool.h"
#include "ops/tensor.h"

namespace lampyris {

struct MincutShape {
  int64_t nodes, clusters, features, edges, graphs;
};

using Maybe = std::optional<Tensor>;
using torch::stable::contiguous;

inline Maybe contiguous_or_none(const Maybe& t) { return t.has_value() ? Maybe(contiguous(*t)) : Maybe(); }

template <typename T>
const T* values(const Tensor& t) {
  return t.const_data_ptr<T>();
}

template <typename T>
const T* values(const Maybe& t) {
  return t.has_value() ? t->const_data_ptr<T>() : nullptr;
}

template <typename T>
MincutGraph<T> graph_of(const MincutShape& n, const Tensor& row_ptr, const Tensor& col,
                        const Maybe& edge_weight, const Maybe& factor) {
  MincutGraph<T> graph;
  graph.rows = {n.nodes, n.edges, n.nodes, values<int64_t>(row_ptr), values<int64_t>(col)};
  graph.weight = values<T>(edge_weight);
  graph.factor = values<T>(factor);
  graph.clusters = n.clusters;
  graph.features = n.features;
  return graph;
}

// Products, s, soft, y, signs, degree; gradients of x, logits, edge_weight.
using MincutResult =
    std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Maybe, Tensor, Maybe, Tensor>;
using MincutGradients = std::tuple<Maybe, Maybe, Maybe>;

struct Gradients {
  Tensor pool, adj, gram, columns, totals;
  Maybe s;
};

inline void check_shape(const char* name, const Tensor& t, const Sizes& want, const char* letters) {
  if (sizes_of(t) != want) {
    fail("mincut_pool: {} must have shape {} = {}, got {}", name, letters, shape_text(want),
         shape_text(t));
  }
}

inline void check_pointer_tensor(const char* name, const Tensor& t, const char* letters,
                                 const Tensor& x) {
  if (t.dim() != 1 || t.size(0) < 1) {
    fail("mincut_pool: {} must have shape {}, got {}", name, letters, shape_text(t));
  }
  check_dtype("mincut_pool", name, t, ScalarType::Long);
  check_device("mincut_pool", name, t, x);
}

// Ranks, shapes, dtypes, devices and options of everything that mincut_pool is given.
inline MincutShape check_mincut_pool(const Tensor& x, const Tensor& logits, const Tensor& row_ptr,
                                     const Tensor& col, const std::optional<Tensor>& edge_weight,
                                     const std::optional<Tensor>& factor, const Tensor& graph_ptr,
                                     double temperature) {
  constexpr const char* kOp = "mincut_pool";
  if (x.dim() != 2) fail("mincut_pool: x must have shape [N, F], got {}", shape_text(x));
  if (logits.dim() != 2 || logits.size(0) != x.size(0) || logits.size(1) < 1) {
    fail("mincut_pool: logits must have shape [N, K] with N = {} and K >= 1, got {}", x.size(0),
         shape_text(logits));
  }
  const ScalarType type = x.scalar_type();
  if (type != ScalarType::Float && type != ScalarType::Double) {
    fail("mincut_pool: x must have dtype float32 or float64, got {}", dtype_text(x));
  }
  check_dtype(kOp, "logits", logits, type);
  check_device(kOp, "logits", logits, x);
  check_pointer_tensor("row_ptr", row_ptr, "[N + 1]", x);
  check_shape("row_ptr", row_ptr, {x.size(0) + 1}, "[N + 1]");
  check_pointer_tensor("graph_ptr", graph_ptr, "[B + 1] with B >= 1", x);
  if (graph_ptr.size(0) < 2) {
    fail("mincut_pool: graph_ptr must have shape [B + 1] with B >= 1, got {}",
         shape_text(graph_ptr));
  }
  if (col.dim() != 1) fail("mincut_pool: col must have shape [E], got {}", shape_text(col));
  check_dtype(kOp, "col", col, ScalarType::Long);
  check_device(kOp, "col", col, x);
  if (edge_weight.has_value()) {
    check_shape("edge_weight", *edge_weight, {col.size(0)}, "[E]");
    check_dtype(kOp, "edge_weight", *edge_weight, type);
    check_device(kOp, "edge_weight", *edge_weight, x);
  }
  if (factor.has_value()) {
    check_shape("factor", *factor, {x.size(0)}, "[N]");
    check_dtype(kOp, "factor", *factor, type);
    check_device(kOp, "factor", *factor, x);
  }
  if (!(temperature > 0)) fail("mincut_pool: temperature must be > 0, got {}", temperature);
  return {x.size(0), logits.size(1), x.size(1), col.size(0), graph_ptr.size(0) - 1};
}

inline MincutShape check_mincut_lift(const Tensor& x, const Tensor& s, const Tensor& graph_ptr) {
  constexpr const char* kOp = "mincut_lift";
  if (x.dim() != 3 || x.size(0) < 1 || x.size(1) < 1) {
    fail("mincut_lift: x must have shape [B, K, F] with B, K >= 1, got {}", shape_text(x));
  }
  if (s.dim() != 2 || s.size(1) != x.size(1)) {
    fail("mincut_lift: s must have shape [N, K] with K = {}, got {}", x.size(1), shape_text(s));
  }
  if (graph_ptr.dim() != 1 || graph_ptr.size(0) != x.size(0) + 1) {
    fail("mincut_lift: graph_ptr must have shape [B + 1] = [{}], got {}", x.size(0) + 1,
         shape_text(graph_ptr));
  }
  const ScalarType type = x.scalar_type();
  if (type != ScalarType::Float && type != ScalarType::Double) {
    fail("mincut_lift: x must have dtype float32 or float64, got {}", dtype_text(x));
  }
  check_dtype(kOp, "s", s, type);
  check_dtype(kOp, "graph_ptr", graph_ptr, ScalarType::Long);
  check_device(kOp, "s", s, x);
  check_device(kOp, "graph_ptr", graph_ptr, x);
  return {s.size(0), s.size(1), x.size(2), 0, x.size(0)};
}

}  // namespace lampyris
