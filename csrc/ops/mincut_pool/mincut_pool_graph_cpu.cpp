// What mincut_pool asks of the graph itself: tasks, checks, turned-round edges, ranks.
#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "ops/mincut_pool/mincut_pool.h"

namespace lampyris {

std::vector<MincutTask> mincut_tasks(const int64_t* graph_ptr, int64_t graphs, int64_t rows) {
  std::vector<MincutTask> tasks;
  for (int64_t g = 0; g < graphs; ++g) {
    for (int64_t i = graph_ptr[g]; i < graph_ptr[g + 1]; i += rows) {
      tasks.push_back({g, i, std::min(i + rows, graph_ptr[g + 1])});
    }
  }
  return tasks;
}

void check_mincut_graph(const Csr& rows, const int64_t* graph_ptr, int64_t graphs) {
  check_pointers("mincut_pool", "row_ptr", rows.row_ptr, rows.rows, rows.edges);
  check_pointers("mincut_pool", "graph_ptr", graph_ptr, graphs, rows.rows);
  bool inside = true;
  for (int64_t g = 0; g < graphs; ++g) {
    const int64_t first = graph_ptr[g];
    const auto size = static_cast<uint64_t>(graph_ptr[g + 1] - first);
    for (int64_t e = rows.row_ptr[first]; e < rows.row_ptr[graph_ptr[g + 1]]; ++e) {
      inside &= static_cast<uint64_t>(rows.col[e]) - static_cast<uint64_t>(first) < size;
    }
  }
  if (inside) return;
  check_csr("mincut_pool", rows);
  for (int64_t g = 0; g < graphs; ++g) {
    const int64_t first = graph_ptr[g], last = graph_ptr[g + 1];
    for (int64_t e = rows.row_ptr[first]; e < rows.row_ptr[last]; ++e) {
      if (rows.col[e] < first || rows.col[e] >= last) {
        fail("mincut_pool: col must stay within its graph, nodes [{}, {}), got {} at [{}]", first,
             last, rows.col[e], e);
      }
    }
  }
}

CsrBack turned_round(const Csr& rows) {
  CsrBack back;
  back.row_ptr.assign(static_cast<size_t>(rows.rows) + 1, 0);
  back.col.resize(static_cast<size_t>(rows.edges));
  back.edge.resize(static_cast<size_t>(rows.edges));
  for (int64_t e = 0; e < rows.edges; ++e) ++back.row_ptr[static_cast<size_t>(rows.col[e]) + 1];
  std::partial_sum(back.row_ptr.begin(), back.row_ptr.end(), back.row_ptr.begin());
  std::vector<int64_t> next(back.row_ptr.begin(), back.row_ptr.end() - 1);
  for (int64_t i = 0; i < rows.rows; ++i) {
    for (int64_t e = rows.row_ptr[i]; e < rows.row_ptr[i + 1]; ++e) {
      const auto place = static_cast<size_t>(next[static_cast<size_t>(rows.col[e])]++);
      back.col[place] = i;
      back.edge[place] = e;
    }
  }
  return back;
}

namespace {

// Whether A and its turned-round edges, both with sorted rows, hold the same entries.
template <typename T>
bool same_entries(const Csr& rows, const int64_t* edge, const CsrBack& back, const T* weight) {
  if (!std::equal(back.row_ptr.begin(), back.row_ptr.end(), rows.row_ptr)) return false;
  if (!std::equal(back.col.begin(), back.col.end(), rows.col)) return false;
  for (int64_t e = 0; weight != nullptr && e < rows.edges; ++e) {
    const int64_t own = edge == nullptr ? e : edge[e];
    if (!(weight[own] == weight[back.edge[static_cast<size_t>(e)]])) return false;
  }
  return true;
}

template <typename T>
bool is_symmetric(const Csr& rows, const CsrBack& back, const T* weight) {
  bool sorted = true;
  for (int64_t i = 0; i < rows.rows; ++i) {
    for (int64_t e = rows.row_ptr[i] + 1; e < rows.row_ptr[i + 1]; ++e) {
      sorted &= rows.col[e - 1] <= rows.col[e];
    }
  }
  if (sorted) return same_entries(rows, nullptr, back, weight);
  const Csr turned{rows.rows, rows.edges, rows.sources, back.row_ptr.data(), back.col.data()};
  CsrBack twice = turned_round(turned);  // A with sorted rows
  for (int64_t& e : twice.edge) e = back.edge[static_cast<size_t>(e)];
  const Csr same{rows.rows, rows.edges, rows.sources, twice.row_ptr.data(), twice.col.data()};
  return same_entries(same, twice.edge.data(), back, weight);
}

template <typename T>
void quantile_columns(const T* s, int64_t clusters, const int64_t* graph_ptr, int64_t nodes,
                      int64_t begin, int64_t end, int64_t* place) {
  std::vector<int64_t> order;
  std::vector<T> column;
  for (int64_t c = begin; c < end; ++c) {
    const int64_t g = c / clusters, k = c % clusters;
    const int64_t first = graph_ptr[g], size = graph_ptr[g + 1] - first;
    place[c] = nodes;
    if (size == 0) continue;
    column.resize(static_cast<size_t>(size));
    order.resize(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i) column[static_cast<size_t>(i)] = s[(first + i) * clusters + k];
    std::iota(order.begin(), order.end(), int64_t{0});
    // From above; NaN before all, equals in order of nodes: a strict order of any values.
    const auto before = [&](int64_t a, int64_t b) {
      const T x = column[static_cast<size_t>(a)], y = column[static_cast<size_t>(b)];
      const bool nan_x = x != x, nan_y = y != y;
      if (nan_x != nan_y) return nan_x;
      return x > y || (!(x < y) && a < b);
    };
    const int64_t rank = std::min(size / clusters, size - 1);
    std::nth_element(order.begin(), order.begin() + rank, order.end(), before);
    place[c] = first + order[static_cast<size_t>(rank)];
  }
}

}  // namespace

bool mincut_is_symmetric(const Csr& rows, const CsrBack& back, const float* weight) {
  return is_symmetric(rows, back, weight);
}

bool mincut_is_symmetric(const Csr& rows, const CsrBack& back, const double* weight) {
  return is_symmetric(rows, back, weight);
}

void mincut_quantile_columns(const float* s, int64_t clusters, const int64_t* graph_ptr,
                            int64_t nodes, int64_t begin, int64_t end, int64_t* place) {
  quantile_columns(s, clusters, graph_ptr, nodes, begin, end, place);
}

void mincut_quantile_columns(const double* s, int64_t clusters, const int64_t* graph_ptr,
                            int64_t nodes, int64_t begin, int64_t end, int64_t* place) {
  quantile_columns(s, clusters, graph_ptr, nodes, begin, end, place);
}

}  // namespace lampyris
