// One thread a word of the result, one thread a value of the gradient.
#include "ops/launch.cuh"
#include "ops/spike_max_pool2d/spike_max_pool2d.h"

namespace lampyris {

namespace {

__global__ void __launch_bounds__(kBlockThreads)
    pool_kernel(const SpikePool p, const uint32_t* in, uint32_t* out) {
  const int64_t k = global_thread(), words = p.words();
  if (k >= p.images * p.out_height() * p.out_width() * words) return;
  const int64_t w = k % words, pixel = k / words;
  const int64_t x = pixel % p.out_width() * p.stride, row = pixel / p.out_width();
  const int64_t y = row % p.out_height() * p.stride, image = row / p.out_height();
  out[k] = pool_word(in + ((image * p.height + y) * p.width + x) * words + w, p);
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    grad_kernel(const SpikePool p, const uint32_t* in, const T* grad_out, T* grad_in) {
  const int64_t k = global_thread();
  if (k >= p.images * p.height * p.width * p.channels) return;
  const int64_t c = k % p.channels, pixel = k / p.channels;
  const int64_t x = pixel % p.width, row = pixel / p.width;
  const int64_t y = row % p.height, image = row / p.height;
  const int64_t rows = p.out_height(), columns = p.out_width();
  T sum = T(0);
  for (int64_t oy = p.first_window(y); oy < p.last_window(y, rows); ++oy) {
    for (int64_t ox = p.first_window(x); ox < p.last_window(x, columns); ++ox) {
      const uint32_t* corner =
          in + ((image * p.height + oy * p.stride) * p.width + ox * p.stride) * p.words() + c / 32;
      const uint32_t owners = pool_owners(corner, p, y - oy * p.stride, x - ox * p.stride);
      if ((owners >> (c % 32) & 1U) != 0) {
        sum += grad_out[((image * rows + oy) * columns + ox) * p.channels + c];
      }
    }
  }
  grad_in[k] = sum;
}

template <typename T>
void grad(const SpikePool& p, const uint32_t* in, const T* grad_out, T* grad_in,
          cudaStream_t stream) {
  const unsigned blocks = blocks_for(p.images * p.height * p.width * p.channels);
  grad_kernel<<<blocks, kBlockThreads, 0, stream>>>(p, in, grad_out, grad_in);
  check_launch("_spike_max_pool2d_backward");
}

}  // namespace

void spike_max_pool2d_cuda(const SpikePool& p, const uint32_t* in, uint32_t* out,
                           CUstream_st* stream) {
  const unsigned blocks = blocks_for(p.images * p.out_height() * p.out_width() * p.words());
  pool_kernel<<<blocks, kBlockThreads, 0, stream>>>(p, in, out);
  check_launch("spike_max_pool2d");
}

void spike_max_pool2d_grad_cuda(const SpikePool& p, const uint32_t* in, const float* grad_out,
                                float* grad_in, CUstream_st* stream) {
  grad(p, in, grad_out, grad_in, stream);
}

void spike_max_pool2d_grad_cuda(const SpikePool& p, const uint32_t* in, const double* grad_out,
                                double* grad_in, CUstream_st* stream) {
  grad(p, in, grad_out, grad_in, stream);
}

}  // namespace lampyris
