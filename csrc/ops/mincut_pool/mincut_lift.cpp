// Lifting: every node gets the features of its clusters.
#include "ops/mincut_pool/mincut_pool_sums.h"

namespace lampyris {

namespace {

template <typename T>
Tensor lift_as(const MincutShape& n, const Tensor& x, const Tensor& s, const Tensor& graph_ptr) {
  check_pointers("mincut_lift", "graph_ptr", values<int64_t>(graph_ptr), n.graphs, n.nodes);
  const Tensor out = empty({n.nodes, n.features}, x.scalar_type(), x);
  MincutLift<T> a;
  a.clusters = n.clusters;
  a.features = n.features;
  a.s = values<T>(s);
  a.x = values<T>(x);
  a.out = out.mutable_data_ptr<T>();
  const auto tasks = tasks_of(n, graph_ptr);
  over_tasks(tasks, [&](int64_t t) { mincut_lift_task(a, tasks[static_cast<size_t>(t)]); });
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
  check_pointers("mincut_lift", "graph_ptr", values<int64_t>(graph_ptr), n.graphs, n.nodes);
  const Tensor grad_s = empty({n.nodes, n.clusters}, x.scalar_type(), x);
  const int64_t pool = n.clusters * n.features;
  std::vector<T> x_back(static_cast<size_t>(n.graphs * pool));
  for (int64_t g = 0; g < n.graphs; ++g) {
    transpose_into(values<T>(x) + g * pool, n.clusters, n.features, x_back.data() + g * pool, false);
  }
  MincutLift<T> a;
  a.clusters = n.clusters;
  a.features = n.features;
  a.s = values<T>(s);
  a.x_back = x_back.data();
  a.grad = values<T>(grad);
  a.grad_s = grad_s.mutable_data_ptr<T>();
  const auto tasks = tasks_of(n, graph_ptr);
  std::vector<T> partial(tasks.size() * static_cast<size_t>(pool));
  over_tasks(tasks, [&](int64_t t) {
    mincut_lift_grad_task(a, tasks[static_cast<size_t>(t)], partial.data() + t * pool);
  });
  const auto sums = sums_of_graphs(tasks, partial, n.graphs, pool);
  return {part_of(sums, n.graphs, pool, 0, {n.graphs, n.clusters, n.features}, x), grad_s};
}

std::tuple<Tensor, Tensor> mincut_lift_backward(Tensor grad, Tensor x, Tensor s, Tensor graph_ptr) {
  const MincutShape n = check_mincut_lift(x, s, graph_ptr);
  const auto run =
      x.scalar_type() == ScalarType::Float ? &lift_backward_as<float> : &lift_backward_as<double>;
  return run(n, contiguous(grad), contiguous(x), contiguous(s), contiguous(graph_ptr));
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // x [B, K, F], s [N, K] -> [N, F]; and (gradient of x, gradient of s).
  m.def("mincut_lift(Tensor x, Tensor s, Tensor graph_ptr) -> Tensor");
  m.def("_mincut_lift_backward(Tensor grad, Tensor x, Tensor s, Tensor graph_ptr) -> (Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("mincut_lift", TORCH_BOX(&mincut_lift));
  m.impl("_mincut_lift_backward", TORCH_BOX(&mincut_lift_backward));
}

}  // namespace lampyris
