// spike_max_pool2d on tensors, instantiated with a backend: a struct with static pool(p, in, out,
// like) and grad(p, in, grad_out, grad_in, like).
#pragma once

#include <tuple>

#include "ops/spike_max_pool2d/spike_max_pool2d.h"
#include "ops/tensor.h"

namespace lampyris {

// carrier [N, C, H, W], words [N, H, W, ceil(C / 32)].
inline SpikePool check_spike_max_pool2d(const Tensor& words, const Tensor& like, const Sizes& sizes,
                                        int64_t kernel, int64_t stride) {
  if (sizes.size() != 4) {
    fail("spike_max_pool2d: spikes must have shape [N, C, H, W], got {}", shape_text(sizes));
  }
  const Sizes want{sizes[0], sizes[2], sizes[3], (sizes[1] + 31) / 32};
  if (sizes_of(words) != want) {
    fail("spike_max_pool2d: words must have shape {}, got {}", shape_text(want),
         shape_text(words));
  }
  check_dtype("spike_max_pool2d", "words", words, ScalarType::Int);
  check_device("spike_max_pool2d", "words", words, like);
  if (kernel < 1) fail("spike_max_pool2d: kernel_size must be >= 1, got {}", kernel);
  if (stride < 1) fail("spike_max_pool2d: stride must be >= 1, got {}", stride);
  if (kernel > sizes[2] || kernel > sizes[3]) {
    fail("spike_max_pool2d: kernel_size must be <= H and W of {}, got {}", shape_text(sizes),
         kernel);
  }
  return {sizes[0], sizes[1], sizes[2], sizes[3], kernel, stride};
}

inline const uint32_t* word_data(const Tensor& words) {
  return reinterpret_cast<const uint32_t*>(words.const_data_ptr<int32_t>());
}

// (carrier, words)
template <class Backend>
std::tuple<Tensor, Tensor> spike_max_pool2d(Tensor words, Tensor carrier, int64_t kernel,
                                            int64_t stride) {
  const SpikePool p = check_spike_max_pool2d(words, carrier, sizes_of(carrier), kernel, stride);
  const int64_t rows = p.out_height(), columns = p.out_width();
  const Tensor out = empty({p.images, rows, columns, p.words()}, ScalarType::Int, words);
  const Tensor dense = torch::stable::contiguous(words);
  if (out.numel() > 0) {
    Backend::pool(p, word_data(dense), reinterpret_cast<uint32_t*>(out.mutable_data_ptr<int32_t>()),
                  words);
  }
  return {make_carrier({p.images, p.channels, rows, columns}, carrier.scalar_type(), carrier), out};
}

template <class Backend, typename T>
void spike_max_pool2d_grad(const SpikePool& p, const Tensor& words, const Tensor& grad_out,
                           const Tensor& grad_in) {
  Backend::grad(p, word_data(words), grad_out.const_data_ptr<T>(), grad_in.mutable_data_ptr<T>(),
                words);
}

// grad [N, C, H', W'] to [N, C, H, W] with channels_last strides.
template <class Backend>
Tensor spike_max_pool2d_backward(Tensor grad, Tensor words, int64_t kernel, int64_t stride) {
  if (grad.dim() != 4 || words.dim() != 4) {
    fail("_spike_max_pool2d_backward: grad must have shape [N, C, H', W'], got {}",
         shape_text(grad));
  }
  const Sizes sizes{words.size(0), grad.size(1), words.size(1), words.size(2)};
  const SpikePool p = check_spike_max_pool2d(words, grad, sizes, kernel, stride);
  const Sizes want{p.images, p.channels, p.out_height(), p.out_width()};
  if (sizes_of(grad) != want) {
    fail("_spike_max_pool2d_backward: grad must have shape {}, got {}", shape_text(want),
         shape_text(grad));
  }
  const ScalarType type = grad.scalar_type();
  if (type != ScalarType::Float && type != ScalarType::Double) {
    fail("_spike_max_pool2d_backward: grad must have dtype float32 or float64, got {}",
         dtype_text(grad));
  }
  const Tensor nhwc = torch::stable::contiguous(torch::stable::permute(grad, {0, 2, 3, 1}));
  const Tensor dense = torch::stable::contiguous(words);
  const Tensor grad_in =
      empty_strided(sizes, {p.height * p.width * p.channels, 1, p.width * p.channels, p.channels},
                    type, grad);
  if (grad_in.numel() == 0) return grad_in;
  if (type == ScalarType::Float) {
    spike_max_pool2d_grad<Backend, float>(p, dense, nhwc, grad_in);
  } else {
    spike_max_pool2d_grad<Backend, double>(p, dense, nhwc, grad_in);
  }
  return grad_in;
}

}  // namespace lampyris
