// The memory order of x[0] for operators that treat x [T, ...] as steps of N neurons. Outputs are
// dense in that order with T outermost, so that channels_last stays channels_last.
#pragma once

#include <algorithm>
#include <numeric>

#include "ops/tensor.h"

namespace lampyris {

struct Layout {
  Sizes sizes;             // of x[0]
  Sizes strides;           // dense, in the memory order
  std::vector<int> order;  // dims of x[0], outermost first

  int64_t neurons() const { return product(sizes); }

  // [steps, sizes...] and its strides; steps < 0 leaves T out.
  Sizes output_sizes(int64_t steps) const { return prefix(sizes, steps, steps); }
  Sizes output_strides(int64_t steps) const {
    return prefix(strides, steps, std::max<int64_t>(neurons(), 1));
  }

 private:
  static Sizes prefix(const Sizes& tail, int64_t steps, int64_t first) {
    Sizes out = tail;
    if (steps >= 0) out.insert(out.begin(), first);
    return out;
  }
};

inline Layout layout_in_order(Sizes sizes, std::vector<int> order) {
  Layout layout{std::move(sizes), {}, std::move(order)};
  layout.strides.assign(layout.sizes.size(), 1);
  int64_t stride = 1;
  for (size_t i = layout.order.size(); i-- > 0;) {
    layout.strides[layout.order[i]] = stride;
    stride *= std::max<int64_t>(layout.sizes[layout.order[i]], 1);
  }
  return layout;
}

inline std::vector<int> logical_order(size_t dims) {
  std::vector<int> order(dims);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

// Dims by falling stride; logical order when a dimension is expanded. The fake kernels repeat this
// rule (python/lampyris/ops/_layout.py).
inline Layout step_layout(const Tensor& x) {
  Sizes sizes = sizes_of(x), strides = strides_of(x);
  sizes.erase(sizes.begin());
  strides.erase(strides.begin());
  std::vector<int> order = logical_order(sizes.size());
  bool expanded = false;
  for (size_t d = 0; d < sizes.size(); ++d) expanded |= sizes[d] > 1 && strides[d] == 0;
  if (!expanded) {
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return strides[a] > strides[b]; });
  }
  return layout_in_order(std::move(sizes), std::move(order));
}

// Rows shorter than this are cheaper to copy than to gather.
inline constexpr int64_t kShortRow = 32;

struct StepStrides {
  int64_t step = 0, row_stride = 0, row = 1;
};

// How steps of `x` lie in memory if x[0] is in the layout's order with at most two levels (rows of
// consecutive elements at one distance); nullopt otherwise.
inline std::optional<StepStrides> step_strides(const Tensor& x, const Layout& layout) {
  const Sizes strides = strides_of(x);
  StepStrides s{strides[0], 0, 1};
  size_t i = layout.order.size();
  const auto size = [&](size_t k) { return layout.sizes[layout.order[k - 1]]; };
  const auto stride = [&](size_t k) { return strides[layout.order[k - 1] + 1]; };
  for (; i > 0 && (size(i) == 1 || stride(i) == s.row); --i) s.row *= size(i);
  s.row = std::max<int64_t>(s.row, 1);
  if (s.row < kShortRow && i > 0) return std::nullopt;
  int64_t expected = -1;
  for (; i > 0; --i) {
    if (size(i) == 1) continue;
    if (expected < 0) {
      s.row_stride = expected = stride(i);
    } else if (stride(i) != expected) {
      return std::nullopt;
    }
    expected *= size(i);
  }
  return s;
}

// A copy of `source` (broadcast to the sizes) with the layout's strides.
inline Tensor copy_in_layout(const Tensor& source, const Layout& layout, int64_t steps,
                             ScalarType type) {
  Tensor out =
      empty_strided(layout.output_sizes(steps), layout.output_strides(steps), type, source);
  torch::stable::copy_(out, source);
  return out;
}

// Whether a tensor of x[0]'s sizes has exactly the layout's strides (dimensions of size 1 aside).
inline bool is_in_layout(const Tensor& t, const Layout& layout) {
  const Sizes strides = strides_of(t);
  for (size_t d = 0; d < strides.size(); ++d) {
    if (layout.sizes[d] > 1 && strides[d] != layout.strides[d]) return false;
  }
  return true;
}

}  // namespace lampyris
