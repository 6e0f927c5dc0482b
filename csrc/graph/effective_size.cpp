#include "graph/effective_size.h"

#include <limits>

#include "cpu/parallel.h"

namespace lampyris {

namespace {

// A range has marks of its own for all nodes, so ranges are few.
constexpr int64_t kRanges = 64;

}  // namespace

void effective_size(const SimpleGraph& graph, double* out) {
  const int64_t grain = graph.nodes() / kRanges + 1;
  parallel(0, graph.nodes(), grain, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> marked_by(static_cast<size_t>(graph.nodes()), -1);
    for (int64_t v = begin; v < end; ++v) {
      const auto neighbours = graph.neighbours(v);
      for (const int32_t u : neighbours) marked_by[u] = v;
      int64_t ends = 0;  // twice the edges among the neighbours
      for (const int32_t u : neighbours) {
        for (const int32_t w : graph.neighbours(u)) ends += marked_by[w] == v;
      }
      const auto n = static_cast<double>(neighbours.size());
      out[v] = neighbours.empty() ? std::numeric_limits<double>::quiet_NaN()
                                  : n - static_cast<double>(ends) / n;
    }
  });
}

}  // namespace lampyris
