#include "graph/simple_graph.h"

#include <algorithm>
#include <limits>

#include "core/error.h"

namespace lampyris {

namespace {

void check_edges(std::string_view what, const int64_t* source, const int64_t* target, int64_t edges,
                 int64_t nodes) {
  if (nodes < 0 || nodes > std::numeric_limits<int32_t>::max()) {
    fail("{}: num_nodes must be in [0, 2^31), got {}", what, nodes);
  }
  for (int row = 0; row < 2; ++row) {
    const int64_t* ends = row == 0 ? source : target;
    for (int64_t e = 0; e < edges; ++e) {
      if (ends[e] < 0 || ends[e] >= nodes) {
        fail("{}: edge_index[{}] must be in [0, {}), got {} at [{}]", what, row, nodes, ends[e], e);
      }
    }
  }
}

}  // namespace

SimpleGraph simple_graph(std::string_view what, const int64_t* source, const int64_t* target,
                         int64_t edges, int64_t nodes, bool directed) {
  check_edges(what, source, target, edges, nodes);
  std::vector<int64_t> start(static_cast<size_t>(nodes) + 1, 0);
  const auto each = [&](auto&& visit) {
    for (int64_t e = 0; e < edges; ++e) {
      if (source[e] == target[e]) continue;
      visit(source[e], target[e]);
      if (!directed) visit(target[e], source[e]);
    }
  };
  each([&](int64_t from, int64_t) { ++start[from + 1]; });
  for (int64_t i = 0; i < nodes; ++i) start[i + 1] += start[i];
  std::vector<int32_t> all(static_cast<size_t>(start[nodes]));
  std::vector<int64_t> next(start.begin(), start.end() - 1);
  each([&](int64_t from, int64_t to) { all[next[from]++] = static_cast<int32_t>(to); });

  SimpleGraph graph;
  graph.row_ptr.assign(1, 0);
  graph.row_ptr.reserve(static_cast<size_t>(nodes) + 1);
  graph.col.reserve(all.size());
  for (int64_t i = 0; i < nodes; ++i) {
    std::sort(all.begin() + start[i], all.begin() + start[i + 1]);
    std::unique_copy(all.begin() + start[i], all.begin() + start[i + 1],
                     std::back_inserter(graph.col));
    graph.row_ptr.push_back(static_cast<int64_t>(graph.col.size()));
  }
  return graph;
}

}  // namespace lampyris
