// magnitude_mask and nm_mask on tensors, instantiated with a backend: a struct with static
// scope(segments, prune, x) and nm(weight, mask, shape, n, m, x).
#pragma once

#include <cmath>

#include "ops/magnitude_mask/magnitude_mask.h"
#include "ops/tensor.h"

namespace lampyris {

inline void check_magnitude_mask(const std::vector<Tensor>& weights, double sparsity,
                                 const std::string& scope) {
  const char* op = "magnitude_mask";
  if (scope != "global" && scope != "layer") {
    fail("{}: scope must be one of 'global', 'layer', got '{}'", op, scope);
  }
  if (!(sparsity >= 0 && sparsity <= 1)) {
    fail("{}: sparsity must be in [0, 1], got {}", op, sparsity);
  }
  int64_t elements = 0;
  for (const Tensor& w : weights) {
    check_dtype(op, "weights", w, ScalarType::Float);
    check_device(op, "weights", w, weights[0]);
    elements += w.numel();
  }
  if (elements >= kMaxScope) {
    fail("{}: weights must have fewer than 2^32 elements, got {}", op, elements);
  }
}

template <class Backend>
std::vector<Tensor> magnitude_mask(std::vector<Tensor> weights, double sparsity,
                                   std::string scope) {
  check_magnitude_mask(weights, sparsity, scope);
  std::vector<Tensor> masks, keep;
  std::vector<MaskSegment> segments;
  int64_t first = 0;
  for (const Tensor& w : weights) {
    keep.push_back(torch::stable::contiguous(w));
    masks.push_back(empty(sizes_of(w), ScalarType::Bool, w));
    if (scope == "layer") first = 0;
    segments.push_back({keep.back().template const_data_ptr<float>(),
                        static_cast<uint8_t*>(masks.back().mutable_data_ptr()), w.numel(), first});
    first += w.numel();
  }
  const auto run = [&](const MaskSegment* begin, int64_t count) {
    int64_t elements = 0;
    for (int64_t s = 0; s < count; ++s) elements += begin[s].count;
    if (elements == 0) return;
    const auto prune =
        static_cast<int64_t>(std::nearbyint(sparsity * static_cast<double>(elements)));
    Backend::scope(begin, count, prune, weights[0]);
  };
  if (scope == "global") {
    run(segments.data(), static_cast<int64_t>(segments.size()));
  } else {
    for (const MaskSegment& segment : segments) run(&segment, 1);
  }
  return masks;
}

inline void check_nm_mask(const Tensor& weight, int64_t n, int64_t m, int64_t dim) {
  check_dtype("nm_mask", "weight", weight, ScalarType::Float);
  if (dim < 0 || dim >= weight.dim()) {
    fail("nm_mask: dim must be in [0, {}], got {}", weight.dim() - 1, dim);
  }
  constexpr int64_t kMaxGroup = 64;
  if (m < 1 || m > kMaxGroup || n < 0 || n > m) {
    fail("nm_mask: n and m must satisfy 0 <= n <= m <= {}, got {} and {}", kMaxGroup, n, m);
  }
  if (weight.size(dim) % m != 0) {
    fail("nm_mask: weight.shape[dim] must be a multiple of m = {}, got {}", m, weight.size(dim));
  }
}

template <class Backend>
Tensor nm_mask(Tensor weight, int64_t n, int64_t m, int64_t dim) {
  check_nm_mask(weight, n, m, dim);
  NmShape s{1, weight.size(dim), 1};
  for (int64_t d = 0; d < weight.dim(); ++d) {
    if (d != dim) (d < dim ? s.outer : s.inner) *= weight.size(d);
  }
  const Tensor dense = torch::stable::contiguous(weight);
  const Tensor mask = empty(sizes_of(weight), ScalarType::Bool, weight);
  if (weight.numel() > 0) {
    Backend::nm(dense.template const_data_ptr<float>(),
                static_cast<uint8_t*>(mask.mutable_data_ptr()), s, static_cast<int>(n),
                static_cast<int>(m), weight);
  }
  return mask;
}

}  // namespace lampyris
