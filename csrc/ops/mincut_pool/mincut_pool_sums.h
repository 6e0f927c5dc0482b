// Running the tasks on torch's threads and adding up what they give.
#pragma once

#include <torch/csrc/stable/ops.h>

#include "ops/mincut_pool/mincut_pool_front.h"

namespace lampyris {

inline constexpr int64_t kGrainRows = 512;  // of what is done row by row

inline std::vector<MincutTask> tasks_of(const MincutShape& n, const Tensor& graph_ptr) {
  return mincut_tasks(values<int64_t>(graph_ptr), n.graphs,
                      mincut_task_rows(n.clusters, n.features));
}

template <class Range>
void over_tasks(const std::vector<MincutTask>& tasks, const Range& range) {
  torch::stable::parallel_for(0, static_cast<int64_t>(tasks.size()), 1,
                              [&](int64_t begin, int64_t end) {
                                for (int64_t t = begin; t < end; ++t) range(t);
                              });
}

// Adds the tasks' sums up by graph, in order and in double: out [B, width].
template <typename T>
std::vector<T> sums_of_graphs(const std::vector<MincutTask>& tasks, const std::vector<T>& partial,
                              int64_t graphs, int64_t width) {
  std::vector<T> out(static_cast<size_t>(graphs * width), T(0));
  std::vector<double> total(static_cast<size_t>(width));
  for (size_t t = 0; t < tasks.size();) {
    const int64_t graph = tasks[t].graph;
    std::fill(total.begin(), total.end(), 0.0);
    for (; t < tasks.size() && tasks[t].graph == graph; ++t) {
      const T* const row = partial.data() + static_cast<int64_t>(t) * width;
      for (int64_t i = 0; i < width; ++i) total[static_cast<size_t>(i)] += static_cast<double>(row[i]);
    }
    T* const to = out.data() + graph * width;
    for (int64_t i = 0; i < width; ++i) to[i] = static_cast<T>(total[static_cast<size_t>(i)]);
  }
  return out;
}

// Part [B, rest] of every graph's sums as a tensor.
template <typename T>
Tensor part_of(const std::vector<T>& sums, int64_t graphs, int64_t width, int64_t begin,
               const Sizes& shape, const Tensor& like) {
  const Tensor out = empty(shape, like.scalar_type(), like);
  const int64_t count = product(shape) / graphs;
  T* to = out.mutable_data_ptr<T>();
  for (int64_t g = 0; g < graphs; ++g, to += count) {
    std::copy_n(sums.data() + g * width + begin, count, to);
  }
  return out;
}

// to [columns, rows] = the transpose of from [rows, columns], added where `add`.
template <typename T>
void transpose_into(const T* from, int64_t rows, int64_t columns, T* to, bool add) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      T& out = to[c * rows + r];
      out = (add ? out : T(0)) + from[r * columns + c];
    }
  }
}

}  // namespace lampyris
