#include "ops/cuda_stream.h"
#include "ops/mincut_pool/mincut_pool_front.h"

namespace lampyris {

namespace {

// The device, its stream, and graph_ptr made safe on it.
class OnGraphs {
 public:
  OnGraphs(const Tensor& x, const Tensor& graph_ptr, const MincutShape& n)
      : device_(x),
        bounds_(empty(sizes_of(graph_ptr), ScalarType::Long, x)),
        task_ptr_(empty(sizes_of(graph_ptr), ScalarType::Long, x)) {
    on_.graphs = graph_ptr.size(0) - 1;
    on_.rows = mincut_task_rows(n.clusters, n.features);
    on_.graph_ptr = values<int64_t>(graph_ptr);
    on_.bounds = bounds_.mutable_data_ptr<int64_t>();
    on_.task_ptr = task_ptr_.mutable_data_ptr<int64_t>();
    on_.stream = device_.stream();
    mincut_bounds_cuda(on_, n.nodes);
  }

  const MincutCuda& on() const { return on_; }

 private:
  OnDevice device_;
  Tensor bounds_, task_ptr_;
  MincutCuda on_;
};

template <typename T>
T* room(const Tensor& t) {
  return t.mutable_data_ptr<T>();
}

template <typename T>
MincutResult forward(const MincutShape& n, const Tensor& x, const Tensor& logits,
                     const Tensor& row_ptr, const Tensor& col, const Maybe& edge_weight,
                     const Maybe& factor, const Tensor& graph_ptr, double temperature, bool hard,
                     bool variation) {
  const ScalarType type = x.scalar_type();
  const Sizes matrix = {n.nodes, n.clusters};
  const OnGraphs graphs(x, graph_ptr, n);
  const Tensor s = empty(matrix, type, x), y = empty(matrix, type, x);
  const Tensor degree = empty({n.nodes}, type, x);
  const Maybe soft = hard ? Maybe(empty(matrix, type, x)) : Maybe();
  const Maybe signs = variation ? Maybe(empty(matrix, type, x)) : Maybe();
  const Maybe terms = variation ? Maybe(empty(matrix, type, x)) : Maybe();

  MincutForward<T> a;
  static_cast<MincutGraph<T>&>(a) = graph_of<T>(n, row_ptr, col, edge_weight, factor);
  a.x = values<T>(x);
  a.logits = values<T>(logits);
  a.inverse_temperature = static_cast<T>(1.0 / temperature);
  a.s = room<T>(s);
  a.soft = hard ? data<T>(soft) : a.s;
  a.y = room<T>(y);
  a.signs = data<T>(signs);
  a.degree = room<T>(degree);

  const Sizes square = {n.graphs, n.clusters, n.clusters};
  const Tensor adj = empty(square, type, x), gram = empty(square, type, x);
  const Tensor pool = empty({n.graphs, n.clusters, n.features}, type, x);
  const Tensor columns = empty({n.graphs, kMincutColumns, n.clusters}, type, x);
  const Tensor totals = empty({n.graphs, kMincutTotals}, type, x);
  MincutParts<T> parts;
  for (const Tensor* t : {&adj, &gram, &pool, &columns, &totals}) {
    parts.add(room<T>(*t), product(sizes_of(*t)) / n.graphs);
  }
  const Tensor partial =
      empty({mincut_cuda_tasks(n.nodes, n.graphs, graphs.on().rows), parts.width()}, type, x);
  mincut_forward_cuda(a, graphs.on(), data<T>(terms), room<T>(partial), parts);
  return {pool, adj, gram, columns, totals, s, soft, y, signs, degree};
}

MincutResult mincut_pool(Tensor x, Tensor logits, Tensor row_ptr, Tensor col, Maybe edge_weight,
                         Maybe factor, Tensor graph_ptr, double temperature, bool hard,
                         bool variation, int64_t /*symmetric: for the backward*/) {
  const MincutShape n = check_mincut_pool(x, logits, row_ptr, col, edge_weight, factor, graph_ptr,
                                          temperature);
  const auto run = x.scalar_type() == ScalarType::Float ? &forward<float> : &forward<double>;
  return run(n, contiguous(x), contiguous(logits), contiguous(row_ptr), contiguous(col),
             contiguous_or_none(edge_weight), contiguous_or_none(factor), contiguous(graph_ptr),
             temperature, hard, variation);
}

// Shapes as in the schema; called by the backward in Python with contiguous tensors.
std::tuple<Tensor, Maybe> mincut_spread(Tensor s, Tensor row_ptr, Tensor col, Maybe edge_weight,
                                        Maybe factor, Tensor graph_ptr, bool variation) {
  const MincutShape n = check_mincut_pool(s, s, row_ptr, col, edge_weight, factor, graph_ptr, 1.0);
  const OnGraphs graphs(s, graph_ptr, n);
  const Tensor y = empty(sizes_of(s), s.scalar_type(), s);
  const Maybe signs = variation ? Maybe(empty(sizes_of(s), s.scalar_type(), s)) : Maybe();
  const auto run = [&]<typename T>(T) {
    const auto a = graph_of<T>(n, row_ptr, col, edge_weight, factor);
    T* const none = nullptr;
    mincut_spread_cuda(a, graphs.on(), values<T>(s), room<T>(y), data<T>(signs), none, none);
  };
  if (s.scalar_type() == ScalarType::Float) {
    run(float{});
  } else {
    run(double{});
  }
  return {y, signs};
}

MincutGradients mincut_grad(Tensor grad_pool, Tensor grad_adj, Tensor grad_columns,
                            Tensor grad_totals, Maybe grad_s, Tensor mix_y, Tensor mix_s,
                            Tensor mix_x, Maybe z, Maybe signs_back, Tensor x, Tensor s, Maybe soft,
                            Tensor y, Maybe signs, Tensor degree, Tensor row_ptr, Tensor col,
                            Maybe edge_weight, Maybe factor, Tensor graph_ptr, double temperature,
                            bool wants_x, bool wants_logits, bool wants_weight) {
  const MincutShape n =
      check_mincut_pool(x, s, row_ptr, col, edge_weight, factor, graph_ptr, temperature);
  const ScalarType type = x.scalar_type();
  const OnGraphs graphs(x, graph_ptr, n);
  const Maybe grad_x = wants_x ? Maybe(empty({n.nodes, n.features}, type, x)) : Maybe();
  const Maybe grad_logits = wants_logits ? Maybe(empty({n.nodes, n.clusters}, type, x)) : Maybe();
  // Edges that count as absent keep the gradient 0.
  const Maybe grad_weight =
      wants_weight ? Maybe(torch::stable::new_zeros(x, {n.edges}, type)) : Maybe();
  const Maybe u = wants_weight ? Maybe(empty({n.nodes, n.clusters}, type, x)) : Maybe();
  const auto run = [&]<typename T>(T) {
    MincutBackward<T> a;
    static_cast<MincutGraph<T>&>(a) = graph_of<T>(n, row_ptr, col, edge_weight, factor);
    a.x = values<T>(x);
    a.s = values<T>(s);
    a.soft = soft.has_value() ? values<T>(soft) : a.s;
    a.y = values<T>(y);
    a.signs = values<T>(signs);
    a.degree = values<T>(degree);
    a.inverse_temperature = static_cast<T>(1.0 / temperature);
    a.z = values<T>(z);
    a.signs_back = values<T>(signs_back);
    a.mix_y = values<T>(mix_y);
    a.mix_z = a.grad_adj = values<T>(grad_adj);
    a.mix_s = values<T>(mix_s);
    a.mix_x = values<T>(mix_x);
    a.grad_pool = values<T>(grad_pool);
    a.grad_columns = values<T>(grad_columns);
    a.grad_totals = values<T>(grad_totals);
    a.grad_s = values<T>(grad_s);
    a.grad_x = data<T>(grad_x);
    a.grad_logits = data<T>(grad_logits);
    a.grad_weight = data<T>(grad_weight);
    mincut_backward_cuda(a, graphs.on(), data<T>(u));
  };
  if (type == ScalarType::Float) {
    run(float{});
  } else {
    run(double{});
  }
  return {grad_x, grad_logits, grad_weight};
}

template <typename T>
Tensor lift_as(const MincutShape& n, const Tensor& x, const Tensor& s, const Tensor& graph_ptr) {
  const OnGraphs graphs(x, graph_ptr, n);
  const Tensor out = empty({n.nodes, n.features}, x.scalar_type(), x);
  MincutLift<T> a;
  a.clusters = n.clusters;
  a.features = n.features;
  a.s = values<T>(s);
  a.x = values<T>(x);
  a.out = room<T>(out);
  mincut_lift_cuda(a, graphs.on(), n.nodes);
  return out;
}

Tensor mincut_lift(Tensor x, Tensor s, Tensor graph_ptr) {
  const MincutShape n = check_mincut_lift(x, s, graph_ptr);
  const auto run = x.scalar_type() == ScalarType::Float ? &lift_as<float> : &lift_as<double>;
  return run(n, contiguous(x), contiguous(s), contiguous(graph_ptr));
}

template <typename T>
std::tuple<Tensor, Tensor> lift_backward_as(const MincutShape& n, const Tensor& grad,
                                            const Tensor& x, const Tensor& s,
                                            const Tensor& graph_ptr) {
  const ScalarType type = x.scalar_type();
  const OnGraphs graphs(x, graph_ptr, n);
  const Tensor x_back = contiguous(torch::stable::transpose(x, 1, 2));
  const Tensor grad_s = empty({n.nodes, n.clusters}, type, x);
  const Tensor grad_x = empty(sizes_of(x), type, x);
  const int64_t tasks = mincut_cuda_tasks(n.nodes, n.graphs, graphs.on().rows);
  const Tensor partial = empty({tasks, n.clusters * n.features}, type, x);
  MincutLift<T> a;
  a.clusters = n.clusters;
  a.features = n.features;
  a.s = values<T>(s);
  a.x_back = values<T>(x_back);
  a.grad = values<T>(grad);
  a.grad_s = room<T>(grad_s);
  a.grad_x = room<T>(grad_x);
  mincut_lift_grad_cuda(a, graphs.on(), n.nodes, room<T>(partial));
  return {grad_x, grad_s};
}

std::tuple<Tensor, Tensor> mincut_lift_backward(Tensor grad, Tensor x, Tensor s, Tensor graph_ptr) {
  const MincutShape n = check_mincut_lift(x, s, graph_ptr);
  const auto run =
      x.scalar_type() == ScalarType::Float ? &lift_backward_as<float> : &lift_backward_as<double>;
  return run(n, contiguous(grad), contiguous(x), contiguous(s), contiguous(graph_ptr));
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("mincut_pool", TORCH_BOX(&mincut_pool));
  m.impl("_mincut_spread", TORCH_BOX(&mincut_spread));
  m.impl("_mincut_grad", TORCH_BOX(&mincut_grad));
  m.impl("mincut_lift", TORCH_BOX(&mincut_lift));
  m.impl("_mincut_lift_backward", TORCH_BOX(&mincut_lift_backward));
}

}  // namespace lampyris
