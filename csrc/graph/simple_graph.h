// A graph without self loops and repeated edges, as the measures of this room read it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lampyris {

struct SimpleGraph {
  std::vector<int64_t> row_ptr;  // [nodes + 1]
  std::vector<int32_t> col;      // the nodes that row i points to, rising

  int64_t nodes() const { return static_cast<int64_t>(row_ptr.size()) - 1; }
  std::span<const int32_t> neighbours(int64_t node) const {
    return {col.data() + row_ptr[node], col.data() + row_ptr[node + 1]};
  }
};

// Edges source[e] -> target[e]; undirected graphs get both directions of each. Self loops and
// repeated edges are left out. Throws std::invalid_argument "<what>: edge_index[..] must ..." when
// an end is not in [0, nodes) or the nodes do not fit int32.
SimpleGraph simple_graph(std::string_view what, const int64_t* source, const int64_t* target,
                         int64_t edges, int64_t nodes, bool directed);

}  // namespace lampyris
