// tdbn_add on tensors, instantiated with a backend (see Cpu in tdbn_add.cpp for its functions).
#pragma once

#include <tuple>

#include "ops/lif/lif_front.h"
#include "ops/tdbn_add/tdbn_add.h"
#include "ops/tdbn_add/tdbn_add_channel.h"

namespace lampyris {

inline constexpr size_t kChannelDim = 1;  // of x[0] [B, C, H, W]

inline void check_tdbn(const Tensor& x, const std::optional<Tensor>& residual,
                       const std::optional<Tensor>& weight, const std::optional<Tensor>& bias) {
  const char* op = "tdbn_add";
  if (x.dim() != 5 || x.size(0) < 1 || x.size(2) < 1) {
    fail("{}: x must have shape [T, B, C, H, W] with T, C >= 1, got {}", op, shape_text(x));
  }
  if (x.scalar_type() != ScalarType::Float && x.scalar_type() != ScalarType::Double) {
    fail("{}: x must have dtype float32 or float64, got {}", op, dtype_text(x));
  }
  if (residual) {
    if (sizes_of(*residual) != sizes_of(x)) {
      fail("{}: residual must have x's shape {}, got {}", op, shape_text(x), shape_text(*residual));
    }
    check_dtype(op, "residual", *residual, x.scalar_type());
    check_device(op, "residual", *residual, x);
  }
  const auto per_channel = [&](const char* name, const std::optional<Tensor>& t) {
    if (!t) return;
    if (sizes_of(*t) != Sizes{x.size(2)}) {
      fail("{}: {} must have shape [C] = [{}], got {}", op, name, x.size(2), shape_text(*t));
    }
    check_dtype(op, name, *t, x.scalar_type());
    check_device(op, name, *t, x);
  };
  per_channel("weight", weight);
  per_channel("bias", bias);
}

// [2 C + 1] in float64: sums, or moments.
inline void check_per_channel(const char* name, const Tensor& t, const Tensor& x) {
  if (sizes_of(t) != Sizes{2 * x.size(2) + 1} || t.scalar_type() != ScalarType::Double ||
      !t.is_contiguous()) {
    fail("tdbn_add: {} must be float64 [2 C + 1] = [{}], got {} {}", name, 2 * x.size(2) + 1,
         dtype_text(t), shape_text(t));
  }
  check_device("tdbn_add", name, t, x);
}

inline ChannelOrder channel_order(const Layout& layout) {
  ChannelOrder order{std::max<int64_t>(layout.sizes[kChannelDim], 1), 1};
  for (size_t i = layout.order.size(); i-- > 0 && layout.order[i] != int{kChannelDim};) {
    order.inner *= layout.sizes[layout.order[i]];
  }
  return order;
}

// Whether the steps of a tensor [T, ...] lie in the layout (dimensions of size 1 aside).
inline bool lies_in(const Sizes& strides, const Layout& layout) {
  for (size_t d = 0; d < layout.sizes.size(); ++d) {
    if (layout.sizes[d] > 1 && strides[d + 1] != layout.strides[d]) return false;
  }
  return true;
}

// A tensor [T, ...] whose steps lie in the layout, in place or from a copy.
template <typename T>
Steps<T> dense_steps(const Tensor& t, const Layout& layout, std::vector<Tensor>& keep) {
  const Sizes strides = strides_of(t);
  const bool in_place = lies_in(strides, layout);
  keep.push_back(in_place ? t : copy_in_layout(t, layout, t.size(0), t.scalar_type()));
  return {keep.back().const_data_ptr<T>(), in_place ? strides[0] : layout.neurons()};
}

template <typename T>
Steps<T> dense_steps(const std::optional<Tensor>& t, const Layout& layout,
                     std::vector<Tensor>& keep) {
  return t ? dense_steps<T>(*t, layout, keep) : Steps<T>{};
}

template <typename T>
void fill_input(TdbnInput<T>& a, const Tensor& x, const Layout& layout, std::vector<Tensor>& keep) {
  a.steps = x.size(0);
  a.neurons = layout.neurons();
  a.order = channel_order(layout);
  a.x = dense_steps<T>(x, layout, keep);
}

template <typename T>
const T* channel_data(const std::optional<Tensor>& t, std::vector<Tensor>& keep) {
  if (!t) return nullptr;
  keep.push_back(torch::stable::contiguous(*t));
  return keep.back().const_data_ptr<T>();
}

inline Tensor steps_like(const Tensor& x, const Layout& layout) {
  return empty_strided(layout.output_sizes(x.size(0)), layout.output_strides(x.size(0)),
                       x.scalar_type(), x);
}

// Rows of [rows, C] for constants of a pass.
template <typename T>
T* channel_rows(const Tensor& x, int64_t rows, std::vector<Tensor>& keep) {
  keep.push_back(empty({rows, x.size(2)}, x.scalar_type(), x));
  return keep.back().mutable_data_ptr<T>();
}

template <class Backend, typename T>
Tensor tdbn_stats_typed(const Tensor& x) {
  const Layout layout = step_layout(x);
  std::vector<Tensor> keep;
  TdbnInput<T> a;
  fill_input(a, x, layout, keep);
  const Tensor sums = torch::stable::new_zeros(x, {2 * a.order.channels + 1}, ScalarType::Double);
  if (a.neurons > 0) Backend::stats(a, sums.mutable_data_ptr<double>(), x);
  return sums;
}

template <class Backend>
Tensor tdbn_stats(Tensor x) {
  check_tdbn(x, std::nullopt, std::nullopt, std::nullopt);
  return x.scalar_type() == ScalarType::Float ? tdbn_stats_typed<Backend, float>(x)
                                              : tdbn_stats_typed<Backend, double>(x);
}

inline void check_running(const char* name, const std::optional<Tensor>& t, int64_t channels) {
  if (!t) return;
  if (sizes_of(*t) != Sizes{channels} || !t->is_contiguous() ||
      (t->scalar_type() != ScalarType::Float && t->scalar_type() != ScalarType::Double)) {
    fail("tdbn_add: {} must be float32 or float64 [C] = [{}], got {} {}", name, channels,
         dtype_text(*t), shape_text(*t));
  }
}

// float64 [2 C + 1] from sums; moves the running statistics.
template <class Backend>
Tensor tdbn_moments(Tensor sums, std::optional<Tensor> running_mean,
                    std::optional<Tensor> running_var, double momentum, double eps) {
  const int64_t channels = (sums.numel() - 1) / 2;
  check_running("running_mean", running_mean, channels);
  check_running("running_var", running_var, channels);
  const Tensor out = empty(sizes_of(sums), ScalarType::Double, sums);
  const auto run = [&]<typename T>(T) {
    Backend::moments(sums.const_data_ptr<double>(), channels, momentum, eps, data<T>(running_mean),
                     data<T>(running_var), out.mutable_data_ptr<double>(), sums);
  };
  const auto& running = running_mean ? running_mean : running_var;
  if (running && running->scalar_type() == ScalarType::Double) {
    run(double());
  } else {
    run(float());
  }
  return out;
}

template <class Backend, typename T>
void fill_forward(TdbnForward<T>& a, const Tensor& x, const std::optional<Tensor>& residual,
                  const std::optional<Tensor>& weight, const std::optional<Tensor>& bias,
                  const Tensor& moments, const Layout& layout, std::vector<Tensor>& keep) {
  fill_input(a, x, layout, keep);
  a.residual = dense_steps<T>(residual, layout, keep);
  T* const rows = channel_rows<T>(x, 2, keep);
  a.scale = rows;
  a.shift = rows + a.order.channels;
  Backend::forward_constants(moments.const_data_ptr<double>(), channel_data<T>(weight, keep),
                             channel_data<T>(bias, keep), a.order.channels, rows,
                             rows + a.order.channels, x);
}

template <class Backend, typename T>
Tensor tdbn_add_typed(const Tensor& x, const std::optional<Tensor>& residual,
                      const std::optional<Tensor>& weight, const std::optional<Tensor>& bias,
                      const Tensor& moments) {
  const Layout layout = step_layout(x);
  std::vector<Tensor> keep;
  TdbnForward<T> a;
  fill_forward<Backend>(a, x, residual, weight, bias, moments, layout, keep);
  const Tensor stream = steps_like(x, layout);
  a.stream = stream.mutable_data_ptr<T>();
  if (a.neurons > 0) Backend::add(a, x);
  return stream;
}

template <class Backend>
Tensor tdbn_add(Tensor x, std::optional<Tensor> residual, std::optional<Tensor> weight,
                std::optional<Tensor> bias, Tensor moments, bool, std::string) {
  check_tdbn(x, residual, weight, bias);
  check_per_channel("moments", moments, x);
  return x.scalar_type() == ScalarType::Float
             ? tdbn_add_typed<Backend, float>(x, residual, weight, bias, moments)
             : tdbn_add_typed<Backend, double>(x, residual, weight, bias, moments);
}

// mean [C] in T, for the sums of the backward.
template <class Backend, typename T>
void fill_grad_sums(TdbnGradSums<T>& a, const Tensor& x, const Tensor& moments,
                    const Layout& layout, std::vector<Tensor>& keep) {
  fill_input(a, x, layout, keep);
  T* const mean = channel_rows<T>(x, 1, keep);
  Backend::means(moments.const_data_ptr<double>(), a.order.channels, mean, x);
  a.mean = mean;
}

template <class Backend, typename T>
Tensor tdbn_grad_sums_typed(const Tensor& grad, const Tensor& x, const Tensor& moments) {
  const Layout layout = step_layout(x);
  std::vector<Tensor> keep;
  TdbnGradSums<T> a;
  fill_grad_sums<Backend>(a, x, moments, layout, keep);
  const Tensor sums = torch::stable::new_zeros(x, {2 * a.order.channels}, ScalarType::Double);
  const Steps<T> dz = dense_steps<T>(grad, layout, keep);
  if (a.neurons > 0) Backend::grad_sums(a, dz, sums.mutable_data_ptr<double>(), x);
  return sums;
}

template <class Backend>
Tensor tdbn_grad_sums(Tensor grad, Tensor x, Tensor moments) {
  check_tdbn(x, grad, std::nullopt, std::nullopt);
  check_per_channel("moments", moments, x);
  return x.scalar_type() == ScalarType::Float
             ? tdbn_grad_sums_typed<Backend, float>(grad, x, moments)
             : tdbn_grad_sums_typed<Backend, double>(grad, x, moments);
}

// Writes the gradient of x, dense in the layout; `to` may be the memory of grad.
template <class Backend, typename T>
void tdbn_grad_into(const Tensor& to, const Tensor& grad, const Tensor& x,
                    const std::optional<Tensor>& weight, const Tensor& moments,
                    const std::optional<Tensor>& sums, const Layout& layout) {
  std::vector<Tensor> keep;
  TdbnBackward<T> a;
  fill_input(a, x, layout, keep);
  a.grad = dense_steps<T>(grad, layout, keep);
  T* const rows = channel_rows<T>(x, 4, keep);
  const int64_t channels = a.order.channels;
  T *const b = rows + channels, *const d = b + channels, *const mean = d + channels;
  a.a = rows;
  a.b = b;
  a.d = d;
  a.mean = mean;
  Backend::backward_constants(moments.const_data_ptr<double>(), channel_data<T>(weight, keep),
                              sums ? sums->const_data_ptr<double>() : nullptr, channels, rows, b, d,
                              mean, x);
  a.grad_x = to.mutable_data_ptr<T>();
  if (a.neurons > 0) Backend::grad(a, x);
}

template <class Backend>
void tdbn_grad_checked(const Tensor& to, const Tensor& grad, const Tensor& x,
                       const std::optional<Tensor>& weight, const Tensor& moments,
                       const std::optional<Tensor>& sums, const Layout& layout) {
  check_tdbn(x, grad, weight, std::nullopt);
  check_per_channel("moments", moments, x);
  if (x.scalar_type() == ScalarType::Float) {
    tdbn_grad_into<Backend, float>(to, grad, x, weight, moments, sums, layout);
  } else {
    tdbn_grad_into<Backend, double>(to, grad, x, weight, moments, sums, layout);
  }
}

template <class Backend>
Tensor tdbn_grad(Tensor grad, Tensor x, std::optional<Tensor> weight, Tensor moments,
                 std::optional<Tensor> sums) {
  const Layout layout = step_layout(x);
  const Tensor grad_x = steps_like(x, layout);
  tdbn_grad_checked<Backend>(grad_x, grad, x, weight, moments, sums, layout);
  return grad_x;
}

// grad, dense in its own order, becomes the gradient of x.
template <class Backend>
void tdbn_grad_in_place(Tensor grad, Tensor x, std::optional<Tensor> weight, Tensor moments,
                        std::optional<Tensor> sums) {
  const Layout layout = step_layout(grad);
  const Sizes strides = strides_of(grad);
  if (!lies_in(strides, layout) || (grad.size(0) > 1 && strides[0] != layout.neurons())) {
    fail("tdbn_add: grad must be dense with T outermost, got strides {}",
         shape_text(strides));
  }
  tdbn_grad_checked<Backend>(grad, grad, x, weight, moments, sums, layout);
}

}  // namespace lampyris
