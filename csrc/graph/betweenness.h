// Betweenness: through how many shortest paths of other pairs does a node lie.
#pragma once

#include "graph/simple_graph.h"

namespace lampyris {

// out[v] = sum over ordered pairs s != t, both other than v, of (shortest paths from s to t through
// v) / (shortest paths from s to t). Exact but for rounding in double: all sources, one breadth-first
// search each, on the threads of cpu/parallel.h; equal bits for any number of threads. An undirected
// pair counts twice. Throws std::invalid_argument when a count of paths exceeds double (1.8e308).
// Source: Brandes, A faster algorithm for betweenness centrality, J. Math. Sociology 25, 2001.
void betweenness(const SimpleGraph& graph, double* out);

}  // namespace lampyris
