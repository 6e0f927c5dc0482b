#include "graph/betweenness.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "cpu/parallel.h"

namespace lampyris {

namespace {

// Sources are summed in this many runs, whatever the threads, and the runs in their order.
constexpr int64_t kRuns = 64;
constexpr int32_t kUnseen = -1;

struct Search {
  explicit Search(const SimpleGraph& g)
      : graph(g),
        distance(g.nodes(), kUnseen),
        order(g.nodes() + 1),
        further(g.col.size() + 1),
        first(g.nodes() + 1),
        paths(g.nodes(), 0.0),
        share(g.nodes(), 0.0) {}

  // Distances and numbers of shortest paths from `source`; order[0..reached) rises in distance.
  // Free of branches: what is written behind the ends of order and further is written over.
  void forward(int32_t source) {
    for (int64_t i = 0; i < reached; ++i) {
      distance[order[i]] = kUnseen;
      paths[order[i]] = 0;
    }
    distance[source] = 0;
    paths[source] = 1;
    order[0] = source;
    reached = 1;
    bool finite = true;
    for (int64_t i = 0; i < reached; ++i) {
      const int32_t v = order[i];
      const int32_t beyond = distance[v] + 1;
      const double paths_here = paths[v];
      finite &= std::isfinite(paths_here);
      int64_t found = first[i];
      for (const int32_t w : graph.neighbours(v)) {
        const bool unseen = distance[w] == kUnseen;
        const int32_t at = unseen ? beyond : distance[w];
        distance[w] = at;
        order[reached] = w;
        reached += unseen;
        further[found] = w;
        found += at == beyond;
      }
      for (int64_t e = first[i]; e < found; ++e) paths[further[e]] += paths_here;
      first[i + 1] = found;
    }
    if (!finite) {
      fail("betweenness: shortest paths must be at most 1.8e308 for each pair, got more from {}",
           source);
    }
  }

  // Adds each node's dependency delta(v) = paths(v) * sum of share(w) over the nodes w one step
  // further, where share(w) = (1 + delta(w)) / paths(w).
  void backward(double* sum) {
    for (int64_t i = reached - 1; i > 0; --i) {
      const int32_t v = order[i];
      double shares = 0;
      for (int64_t e = first[i]; e < first[i + 1]; ++e) shares += share[further[e]];
      const double dependency = paths[v] * shares;
      share[v] = (1 + dependency) / paths[v];
      sum[v] += dependency;
    }
  }

  const SimpleGraph& graph;
  std::vector<int32_t> distance, order;
  std::vector<int32_t> further;  // of order[i], the neighbours one step further: from first[i] on
  std::vector<int64_t> first;
  std::vector<double> paths, share;
  int64_t reached = 0;
};

}  // namespace

void betweenness(const SimpleGraph& graph, double* out) {
  const int64_t nodes = graph.nodes();
  const int64_t runs = std::min(nodes, kRuns);
  std::vector<double> sums(static_cast<size_t>(runs * nodes), 0.0);
  parallel(0, runs, 1, [&](int64_t begin, int64_t end) {
    Search search(graph);
    for (int64_t run = begin; run < end; ++run) {
      for (int64_t s = run * nodes / runs; s < (run + 1) * nodes / runs; ++s) {
        search.forward(static_cast<int32_t>(s));
        search.backward(sums.data() + run * nodes);
      }
    }
  });
  std::fill_n(out, nodes, 0.0);
  for (int64_t run = 0; run < runs; ++run) {
    for (int64_t v = 0; v < nodes; ++v) out[v] += sums[run * nodes + v];
  }
}

}  // namespace lampyris
