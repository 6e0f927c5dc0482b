// fake_quantize on tensors, instantiated with a backend: a struct with static forward(a, out, x)
// and backward(a, grad, grad_x, sums, factor, grad_scale, grad_offset, x).
#pragma once

#include <tuple>

#include "ops/fake_quantize/fake_quantize.h"
#include "ops/tensor.h"

namespace lampyris {

// dim < 0: one scale for all of x; else scale [x.shape[dim]].
inline void check_fake_quantize(const Tensor& x, const Tensor& scale,
                                const std::optional<Tensor>& offset,
                                const std::optional<Tensor>& mask, int64_t dim, int64_t quant_min,
                                int64_t quant_max) {
  const char* op = "fake_quantize";
  if (x.scalar_type() != ScalarType::Float && x.scalar_type() != ScalarType::Double) {
    fail("{}: x must have dtype float32 or float64, got {}", op, dtype_text(x));
  }
  if (dim >= x.dim()) fail("{}: dim must be in [0, {}], got {}", op, x.dim() - 1, dim);
  const int64_t channels = dim < 0 ? 1 : x.size(dim);
  const auto per_channel = [&](const char* name, const Tensor& t) {
    if (t.numel() != channels || (dim >= 0 && t.dim() != 1)) {
      fail("{}: {} must have {}, got {}", op, name,
           dim < 0 ? "one element" : "shape [x.shape[dim]] = " + shape_text({channels}),
           shape_text(t));
    }
    check_dtype(op, name, t, x.scalar_type());
    check_device(op, name, t, x);
  };
  per_channel("scale", scale);
  if (offset) per_channel("offset", *offset);
  if (mask) {
    if (sizes_of(*mask) != sizes_of(x)) {
      fail("{}: mask must have shape {}, got {}", op, shape_text(x), shape_text(*mask));
    }
    check_dtype(op, "mask", *mask, ScalarType::Bool);
    check_device(op, "mask", *mask, x);
  }
  constexpr int64_t kExact = 1 << 24;  // integers that float32 holds
  if (quant_min >= quant_max || quant_min < -kExact || quant_max > kExact) {
    fail(
        "{}: quant_min and quant_max must satisfy -2^24 <= quant_min < quant_max <= 2^24, got {} "
        "and {}",
        op, quant_min, quant_max);
  }
}

template <typename T>
FakeQuantize<T> fake_quantize_arguments(const Tensor& x, const Tensor& scale,
                                        const std::optional<Tensor>& offset,
                                        const std::optional<Tensor>& mask, int64_t dim,
                                        int64_t quant_min, int64_t quant_max,
                                        std::vector<Tensor>& keep) {
  FakeQuantize<T> a;
  const auto pointer = [&](const Tensor& t) {
    keep.push_back(torch::stable::contiguous(t));
    return keep.back().const_data_ptr();
  };
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (dim < 0) {
      a.inner *= x.size(d);
    } else {
      (d < dim ? a.outer : d == dim ? a.channels : a.inner) *= x.size(d);
    }
  }
  a.x = static_cast<const T*>(pointer(x));
  a.scale = static_cast<const T*>(pointer(scale));
  if (offset) a.offset = static_cast<const T*>(pointer(*offset));
  if (mask) a.mask = static_cast<const uint8_t*>(pointer(*mask));
  a.low = static_cast<T>(quant_min);
  a.high = static_cast<T>(quant_max);
  return a;
}

template <class Backend, typename T>
Tensor fake_quantize_typed(const Tensor& x, const Tensor& scale,
                           const std::optional<Tensor>& offset, const std::optional<Tensor>& mask,
                           int64_t dim, int64_t quant_min, int64_t quant_max) {
  std::vector<Tensor> keep;
  const auto a =
      fake_quantize_arguments<T>(x, scale, offset, mask, dim, quant_min, quant_max, keep);
  const Tensor out = empty(sizes_of(x), x.scalar_type(), x);
  if (x.numel() > 0) Backend::forward(a, out.mutable_data_ptr<T>(), x);
  return out;
}

template <class Backend>
Tensor fake_quantize(Tensor x, Tensor scale, std::optional<Tensor> offset,
                     std::optional<Tensor> mask, int64_t dim, int64_t quant_min, int64_t quant_max,
                     double) {
  check_fake_quantize(x, scale, offset, mask, dim, quant_min, quant_max);
  return x.scalar_type() == ScalarType::Float
             ? fake_quantize_typed<Backend, float>(x, scale, offset, mask, dim, quant_min,
                                                   quant_max)
             : fake_quantize_typed<Backend, double>(x, scale, offset, mask, dim, quant_min,
                                                    quant_max);
}

using QuantizeGradients = std::tuple<Tensor, Tensor, std::optional<Tensor>>;

template <class Backend, typename T>
QuantizeGradients fake_quantize_backward_typed(const Tensor& grad, const Tensor& x,
                                               const Tensor& scale,
                                               const std::optional<Tensor>& offset,
                                               const std::optional<Tensor>& mask, int64_t dim,
                                               int64_t quant_min, int64_t quant_max,
                                               double factor) {
  std::vector<Tensor> keep;
  const auto a =
      fake_quantize_arguments<T>(x, scale, offset, mask, dim, quant_min, quant_max, keep);
  keep.push_back(torch::stable::contiguous(grad));
  const Tensor dense = keep.back();
  const ScalarType type = x.scalar_type();
  const Tensor grad_x = empty(sizes_of(x), type, x);
  const Tensor grad_scale = torch::stable::new_zeros(scale, sizes_of(scale));
  std::optional<Tensor> grad_offset;
  if (offset) grad_offset = torch::stable::new_zeros(*offset, sizes_of(*offset));
  if (x.numel() > 0) {
    const Tensor sums = empty({a.rows() * pieces_per_row(a), 2}, ScalarType::Double, x);
    Backend::backward(a, dense.template const_data_ptr<T>(), grad_x.template mutable_data_ptr<T>(),
                      sums.template mutable_data_ptr<double>(), factor,
                      grad_scale.template mutable_data_ptr<T>(), data<T>(grad_offset), x);
  }
  return {grad_x, grad_scale, grad_offset};
}

template <class Backend>
QuantizeGradients fake_quantize_backward(Tensor grad, Tensor x, Tensor scale,
                                         std::optional<Tensor> offset, std::optional<Tensor> mask,
                                         int64_t dim, int64_t quant_min, int64_t quant_max,
                                         double factor) {
  check_fake_quantize(x, scale, offset, mask, dim, quant_min, quant_max);
  return x.scalar_type() == ScalarType::Float
             ? fake_quantize_backward_typed<Backend, float>(grad, x, scale, offset, mask, dim,
                                                            quant_min, quant_max, factor)
             : fake_quantize_backward_typed<Backend, double>(grad, x, scale, offset, mask, dim,
                                                             quant_min, quant_max, factor);
}

}  // namespace lampyris
