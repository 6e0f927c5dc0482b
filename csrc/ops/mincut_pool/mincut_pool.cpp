#include "ops/mincut_pool/mincut_pool_sums.h"

namespace lampyris {

namespace {

template <typename T>
MincutResult forward(const MincutShape& n, const Tensor& x, const Tensor& logits, const Tensor& row_ptr,
                const Tensor& col, const Maybe& edge_weight, const Maybe& factor,
                const Tensor& graph_ptr, double temperature, bool hard, bool variation) {
  const ScalarType type = x.scalar_type();
  const Sizes matrix = {n.nodes, n.clusters};
  const Tensor s = empty(matrix, type, x), y = empty(matrix, type, x);
  const Tensor degree = empty({n.nodes}, type, x);
  const Maybe soft = hard ? Maybe(empty(matrix, type, x)) : Maybe();
  const Maybe signs = variation ? Maybe(empty(matrix, type, x)) : Maybe();

  MincutForward<T> a;
  static_cast<MincutGraph<T>&>(a) = graph_of<T>(n, row_ptr, col, edge_weight, factor);
  check_mincut_graph(a.rows, values<int64_t>(graph_ptr), n.graphs);
  a.x = values<T>(x);
  a.logits = values<T>(logits);
  a.inverse_temperature = static_cast<T>(1.0 / temperature);
  a.s = s.mutable_data_ptr<T>();
  a.soft = hard ? data<T>(soft) : a.s;
  a.y = y.mutable_data_ptr<T>();
  a.signs = data<T>(signs);
  a.degree = degree.mutable_data_ptr<T>();

  torch::stable::parallel_for(0, n.nodes, kGrainRows, [&](int64_t begin, int64_t end) {
    mincut_softmax_rows(a, begin, end);
  });
  const MincutSums at{n.clusters, n.features};
  const auto tasks = tasks_of(n, graph_ptr);
  std::vector<T> partial(tasks.size() * static_cast<size_t>(at.size()));
  over_tasks(tasks, [&](int64_t t) {
    mincut_products_task(a, tasks[static_cast<size_t>(t)], partial.data() + t * at.size());
  });
  const auto sums = sums_of_graphs(tasks, partial, n.graphs, at.size());
  const auto part = [&](int64_t begin, const Sizes& shape) {
    return part_of(sums, n.graphs, at.size(), begin, shape, x);
  };
  const Sizes square = {n.graphs, n.clusters, n.clusters};
  return {part(at.x(), {n.graphs, n.clusters, n.features}),
          part(0, square),
          part(at.gram(), square),
          part(at.columns(), {n.graphs, kMincutColumns, n.clusters}),
          part(at.totals(), {n.graphs, kMincutTotals}),
          s,
          soft,
          y,
          signs,
          degree};
}

MincutResult mincut_pool(Tensor x, Tensor logits, Tensor row_ptr, Tensor col, Maybe edge_weight,
                    Maybe factor, Tensor graph_ptr, double temperature, bool hard, bool variation,
                    int64_t /*symmetric: for the backward*/) {
  const MincutShape n = check_mincut_pool(x, logits, row_ptr, col, edge_weight, factor, graph_ptr,
                                          temperature);
  const auto run = x.scalar_type() == ScalarType::Float ? &forward<float> : &forward<double>;
  return run(n, contiguous(x), contiguous(logits), contiguous(row_ptr), contiguous(col),
             contiguous_or_none(edge_weight), contiguous_or_none(factor), contiguous(graph_ptr),
             temperature, hard, variation);
}

template <typename T>
MincutGradients backward(const MincutShape& n, const Gradients& grads, MincutBackward<T> a, const Tensor& x,
                  const Tensor& graph_ptr, int64_t symmetric, const std::vector<bool>& wants) {
  const ScalarType type = x.scalar_type();
  const int64_t square = n.clusters * n.clusters;
  a.grad_adj = values<T>(grads.adj);
  a.grad_pool = values<T>(grads.pool);
  a.grad_columns = values<T>(grads.columns);
  a.grad_totals = values<T>(grads.totals);
  a.grad_s = values<T>(grads.s);

  // A^T S and the signs of A^T, where A is not its own transpose.
  std::vector<T> z, signs_back;
  if (symmetric <= 0 && wants[1]) {
    const CsrBack back = turned_round(a.rows);
    if (symmetric == 0 || !mincut_is_symmetric(a.rows, back, a.weight)) {
      std::vector<T> weight;
      if (a.weight != nullptr) {
        for (const int64_t e : back.edge) weight.push_back(a.weight[e]);
      }
      MincutGraph<T> turned = a;
      turned.rows.row_ptr = back.row_ptr.data();
      turned.rows.col = back.col.data();
      turned.weight = a.weight == nullptr ? nullptr : weight.data();
      z.resize(static_cast<size_t>(n.nodes * n.clusters));
      if (a.signs != nullptr) signs_back.resize(z.size());
      torch::stable::parallel_for(0, n.nodes, kGrainRows, [&](int64_t begin, int64_t end) {
        mincut_spread_rows(turned, a.s, z.data(), a.signs ? signs_back.data() : nullptr, begin, end);
      });
      a.z = z.data();
      a.signs_back = a.signs == nullptr ? nullptr : signs_back.data();
    }
  }
  // dS = Y dP^T + Z dP + S (dG + dG^T) + X dPool^T + ...
  std::vector<T> mix_y(static_cast<size_t>(n.graphs * square)), mix_s(mix_y.size());
  std::vector<T> mix_x(static_cast<size_t>(n.graphs * n.features * n.clusters));
  for (int64_t g = 0; g < n.graphs; ++g) {
    const T* const adj = a.grad_adj + g * square;
    const T* const gram = values<T>(grads.gram) + g * square;
    if (a.z == nullptr) std::copy_n(adj, square, mix_y.data() + g * square);
    transpose_into(adj, n.clusters, n.clusters, mix_y.data() + g * square, a.z == nullptr);
    std::copy_n(gram, square, mix_s.data() + g * square);
    transpose_into(gram, n.clusters, n.clusters, mix_s.data() + g * square, true);
    const int64_t pool = g * n.clusters * n.features;
    transpose_into(a.grad_pool + pool, n.clusters, n.features, mix_x.data() + pool, false);
  }
  a.mix_y = mix_y.data();
  a.mix_z = a.grad_adj;
  a.mix_s = mix_s.data();
  a.mix_x = mix_x.data();

  const Maybe grad_x = wants[0] ? Maybe(empty({n.nodes, n.features}, type, x)) : Maybe();
  const Maybe grad_logits = wants[1] ? Maybe(empty({n.nodes, n.clusters}, type, x)) : Maybe();
  const Maybe grad_weight = wants[2] ? Maybe(empty({n.edges}, type, x)) : Maybe();
  a.grad_x = data<T>(grad_x);
  a.grad_logits = data<T>(grad_logits);
  a.grad_weight = data<T>(grad_weight);
  const auto tasks = tasks_of(n, graph_ptr);
  over_tasks(tasks, [&](int64_t t) { mincut_grad_task(a, tasks[static_cast<size_t>(t)]); });
  return {grad_x, grad_logits, grad_weight};
}

MincutGradients mincut_pool_backward(Tensor grad_pool, Tensor grad_adj, Tensor grad_gram,
                              Tensor grad_columns, Tensor grad_totals, Maybe grad_s, Tensor x,
                              Tensor s, Maybe soft, Tensor y, Maybe signs, Tensor degree,
                              Tensor row_ptr, Tensor col, Maybe edge_weight, Maybe factor,
                              Tensor graph_ptr, double temperature, int64_t symmetric, bool wants_x,
                              bool wants_logits, bool wants_weight) {
  const MincutShape n =
      check_mincut_pool(x, s, row_ptr, col, edge_weight, factor, graph_ptr, temperature);
  const Gradients grads{contiguous(grad_pool),    contiguous(grad_adj),    contiguous(grad_gram),
                        contiguous(grad_columns), contiguous(grad_totals), contiguous_or_none(grad_s)};
  x = contiguous(x), row_ptr = contiguous(row_ptr), col = contiguous(col);
  edge_weight = contiguous_or_none(edge_weight), graph_ptr = contiguous(graph_ptr);
  const std::vector<bool> wants = {wants_x, wants_logits, wants_weight};
  const auto run = [&]<typename T>(T) {
    MincutBackward<T> a;
    static_cast<MincutGraph<T>&>(a) = graph_of<T>(n, row_ptr, col, edge_weight, factor);
    check_mincut_graph(a.rows, values<int64_t>(graph_ptr), n.graphs);
    a.x = values<T>(x);
    a.s = values<T>(s);
    a.soft = soft.has_value() ? values<T>(soft) : a.s;
    a.y = values<T>(y);
    a.signs = values<T>(signs);
    a.degree = values<T>(degree);
    a.inverse_temperature = static_cast<T>(1.0 / temperature);
    return backward(n, grads, a, x, graph_ptr, symmetric, wants);
  };
  return x.scalar_type() == ScalarType::Float ? run(float{}) : run(double{});
}

// s [N, K] of a valid graph_ptr [B + 1]; gives [B, K] nodes.
Tensor column_quantiles(Tensor s, Tensor graph_ptr) {
  s = contiguous(s), graph_ptr = contiguous(graph_ptr);
  const int64_t graphs = graph_ptr.size(0) - 1, clusters = s.size(1), nodes = s.size(0);
  check_pointers("mincut_pool", "graph_ptr", values<int64_t>(graph_ptr), graphs, nodes);
  const Tensor place = empty({graphs, clusters}, ScalarType::Long, s);
  int64_t* const out = place.mutable_data_ptr<int64_t>();
  const auto run = [&]<typename T>(const T* share) {
    torch::stable::parallel_for(0, graphs * clusters, 1, [&](int64_t begin, int64_t end) {
      mincut_quantile_columns(share, clusters, values<int64_t>(graph_ptr), nodes, begin, end, out);
    });
  };
  if (s.scalar_type() == ScalarType::Float) {
    run(values<float>(s));
  } else {
    run(values<double>(s));
  }
  return place;
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // x [N, F], logits [N, K], row_ptr [N + 1], col [E], edge_weight [E], factor [N] (entry (i, j) is
  // weight factor[i] factor[j]), graph_ptr [B + 1]. Returns S^T X [B, K, F], S^T A S and S^T S
  // [B, K, K], (S^T d, S^T 1) [B, 2, K], totals [B, 3], s, soft (hard only), A S, signs (variation
  // only) [N, K], d [N].
  m.def(
      "mincut_pool(Tensor x, Tensor logits, Tensor row_ptr, Tensor col, Tensor? edge_weight, Tensor? "
      "factor, Tensor graph_ptr, float temperature, bool hard, bool variation, int symmetric) -> (Tensor, "
      "Tensor, Tensor, Tensor, Tensor, Tensor, Tensor?, Tensor, Tensor?, Tensor)");
  // symmetric: 1 trusts that A = A^T, 0 does not assume it, -1 looks. Gradients of x, logits and
  // edge_weight (factor None then), where wanted.
  m.def(
      "_mincut_pool_backward(Tensor grad_pool, Tensor grad_adj, Tensor grad_gram, Tensor "
      "grad_columns, Tensor grad_totals, Tensor? grad_s, Tensor x, Tensor s, Tensor? soft, Tensor y, "
      "Tensor? signs, Tensor degree, Tensor row_ptr, Tensor col, Tensor? edge_weight, Tensor? factor, "
      "Tensor graph_ptr, float temperature, int symmetric, bool wants_x, bool wants_logits, bool "
      "wants_weight) -> (Tensor?, Tensor?, Tensor?)");
  // What the backward on CUDA is made of: (A S, signs) of any rows, and the rest, which takes A^T S
  // and its signs (None when A = A^T) and the matrices that Y, S and X are multiplied by.
  m.def(
      "_mincut_spread(Tensor s, Tensor row_ptr, Tensor col, Tensor? edge_weight, Tensor? factor, Tensor "
      "graph_ptr, bool variation) -> (Tensor, Tensor?)");
  m.def(
      "_mincut_grad(Tensor grad_pool, Tensor grad_adj, Tensor grad_columns, Tensor grad_totals, Tensor? "
      "grad_s, Tensor mix_y, Tensor mix_s, Tensor mix_x, Tensor? z, Tensor? signs_back, Tensor x, Tensor "
      "s, Tensor? soft, Tensor y, Tensor? signs, Tensor degree, Tensor row_ptr, Tensor col, Tensor? "
      "edge_weight, Tensor? factor, Tensor graph_ptr, float temperature, bool wants_x, bool "
      "wants_logits, bool wants_weight) -> (Tensor?, Tensor?, Tensor?)");
  // The node [B, K] whose share has rank N / K from above in its graph and column.
  m.def("_column_quantiles(Tensor s, Tensor graph_ptr) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("mincut_pool", TORCH_BOX(&mincut_pool));
  m.impl("_mincut_pool_backward", TORCH_BOX(&mincut_pool_backward));
  m.impl("_column_quantiles", TORCH_BOX(&column_quantiles));
}

}  // namespace lampyris
