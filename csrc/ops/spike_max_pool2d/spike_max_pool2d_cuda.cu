// One thread a word of the result, one thread a value of the gradient.
#include "ops/launch.cuh"
#include "ops/spike_max_pool2d/spike_max_pool2d.h"

namespace lampyris {

namespace {

using Pool = SpikePoolOf<int>;

Pool narrow(const SpikePool& p) {
  const auto small = [](int64_t size) { return static_cast<int>(size); };
  return {small(p.images), small(p.channels), small(p.height),
          small(p.width),  small(p.kernel),   small(p.stride)};
}

// A pixel of maps [images, height, width].
struct Pixel {
  int image, y, x;

  __device__ Pixel(int pixel, int height, int width)
      : image(pixel / width / height), y(pixel / width % height), x(pixel % width) {}
};

__global__ void __launch_bounds__(kBlockThreads)
    pool_kernel(const Pool p, const uint32_t* in, uint32_t* out) {
  const int64_t k = global_thread();
  const int words = p.words();
  if (k >= int64_t{p.images} * p.out_height() * p.out_width() * words) return;
  const int w = static_cast<int>(k % words);
  const Pixel at(static_cast<int>(k / words), p.out_height(), p.out_width());
  const int64_t row = int64_t{at.image} * p.height + at.y * p.stride;
  out[k] = pool_word(in + (row * p.width + at.x * p.stride) * words + w, p);
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    grad_kernel(const Pool p, const uint32_t* in, const T* grad_out, T* grad_in) {
  const int64_t k = global_thread();
  if (k >= int64_t{p.images} * p.height * p.width * p.channels) return;
  const int c = static_cast<int>(k % p.channels), words = p.words();
  const Pixel at(static_cast<int>(k / p.channels), p.height, p.width);
  const int rows = p.out_height(), columns = p.out_width();
  const int bottom = p.last_window(at.y, rows), right = p.last_window(at.x, columns);
  const int left = p.first_window(at.x);
  T sum = T(0);
  for (int oy = p.first_window(at.y); oy < bottom; ++oy) {
    const int64_t row = int64_t{at.image} * p.height + oy * p.stride;
    const T* from = grad_out + (int64_t{at.image} * rows + oy) * columns * p.channels + c;
    for (int ox = left; ox < right; ++ox) {
      const uint32_t* corner = in + (row * p.width + ox * p.stride) * words + c / kWarp;
      const uint32_t owners = pool_owners(corner, p, at.y - oy * p.stride, at.x - ox * p.stride);
      if ((owners >> (c % kWarp) & 1U) != 0) sum += from[int64_t{ox} * p.channels];
    }
  }
  grad_in[k] = sum;
}

template <typename T>
void grad(const SpikePool& p, const uint32_t* in, const T* grad_out, T* grad_in,
          cudaStream_t stream) {
  const unsigned blocks = blocks_for(p.images * p.height * p.width * p.channels);
  grad_kernel<<<blocks, kBlockThreads, 0, stream>>>(narrow(p), in, grad_out, grad_in);
  check_launch("_spike_max_pool2d_backward");
}

}  // namespace

void spike_max_pool2d_cuda(const SpikePool& p, const uint32_t* in, uint32_t* out,
                           CUstream_st* stream) {
  const unsigned blocks = blocks_for(p.images * p.out_height() * p.out_width() * p.words());
  pool_kernel<<<blocks, kBlockThreads, 0, stream>>>(narrow(p), in, out);
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
