// One warp a plane word, one thread a packed word, one thread an unpacked value.
#include "ops/launch.cuh"
#include "ops/pack_spikes/pack_spikes.h"

namespace lampyris {

namespace {

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    pack_kernel(const T* values, const SpikeShape s, uint32_t* plane) {
  const int64_t k = global_thread() / kWarp;
  if (k >= s.rows * s.plane_words()) return;
  const int64_t element = k % s.plane_words() * kWarp + threadIdx.x % kWarp;
  const int64_t row = k / s.plane_words();
  const bool set = element < s.elements() && values[row * s.elements() + element] != T(0);
  const unsigned word = __ballot_sync(0xFFFFFFFFU, set);
  if (threadIdx.x % kWarp == 0) plane[k] = word;
}

__global__ void __launch_bounds__(kBlockThreads)
    repack_kernel(const uint32_t* plane, const SpikeShape s, uint32_t* words) {
  const int64_t k = global_thread();
  if (k >= s.rows * s.packed_words()) return;
  const int64_t width = s.words_per_line();
  const int64_t w = k % width, line = k / width;
  const int64_t i = line % s.inner, o = line / s.inner % s.outer, row = line / s.inner / s.outer;
  const uint32_t* bits = plane + row * s.plane_words();
  uint32_t word = 0;
  for (int64_t l = w * kWarp; l < s.length && l < (w + 1) * kWarp; ++l) {
    const int64_t bit = (o * s.length + l) * s.inner + i;
    word |= (bits[bit / kWarp] >> (bit % kWarp) & 1U) << (l % kWarp);
  }
  words[k] = word;
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads)
    unpack_kernel(const uint32_t* words, const SpikeShape s, T* values) {
  const int64_t e = global_thread();
  if (e >= s.rows * s.elements()) return;
  const int64_t i = e % s.inner, l = e / s.inner % s.length, line = e / s.inner / s.length;
  const uint32_t word = words[(line * s.inner + i) * s.words_per_line() + l / kWarp];
  values[e] = static_cast<T>(word >> (l % kWarp) & 1U);
}

template <typename T>
void pack(const T* values, const SpikeShape& s, uint32_t* plane, cudaStream_t stream) {
  const unsigned blocks = blocks_for(s.rows * s.plane_words() * kWarp);
  pack_kernel<<<blocks, kBlockThreads, 0, stream>>>(values, s, plane);
  check_launch("pack_spikes");
}

template <typename T>
void unpack(const uint32_t* words, const SpikeShape& s, T* values, cudaStream_t stream) {
  const unsigned blocks = blocks_for(s.rows * s.elements());
  unpack_kernel<<<blocks, kBlockThreads, 0, stream>>>(words, s, values);
  check_launch("unpack_spikes");
}

}  // namespace

void pack_plane_cuda(const float* v, const SpikeShape& s, uint32_t* plane, CUstream_st* stream) {
  pack(v, s, plane, stream);
}

void pack_plane_cuda(const double* v, const SpikeShape& s, uint32_t* plane, CUstream_st* stream) {
  pack(v, s, plane, stream);
}

void pack_plane_cuda(const uint8_t* v, const SpikeShape& s, uint32_t* plane, CUstream_st* stream) {
  pack(v, s, plane, stream);
}

void repack_plane_cuda(const uint32_t* plane, const SpikeShape& s, uint32_t* words,
                       CUstream_st* stream) {
  const unsigned blocks = blocks_for(s.rows * s.packed_words());
  repack_kernel<<<blocks, kBlockThreads, 0, stream>>>(plane, s, words);
  check_launch("pack_spikes");
}

void unpack_words_cuda(const uint32_t* words, const SpikeShape& s, float* v, CUstream_st* stream) {
  unpack(words, s, v, stream);
}

void unpack_words_cuda(const uint32_t* words, const SpikeShape& s, double* v, CUstream_st* stream) {
  unpack(words, s, v, stream);
}

void unpack_words_cuda(const uint32_t* words, const SpikeShape& s, uint8_t* v,
                       CUstream_st* stream) {
  unpack(words, s, v, stream);
}

}  // namespace lampyris
