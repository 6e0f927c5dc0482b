// Effective size: neighbours without the redundancy among them.
#pragma once

#include "graph/simple_graph.h"

namespace lampyris {

// out[v] = n - 2 q / n, n neighbours of v with q edges among them; NaN where n is 0. The graph holds
// both directions of each edge. Source: Borgatti, Structural holes, Connections 20, 1997.
void effective_size(const SimpleGraph& graph, double* out);

}  // namespace lampyris
