#include "ops/cuda_stream.h"
#include "ops/pack_spikes/pack_spikes_front.h"

namespace lampyris {

namespace {

struct Cuda {
  template <typename T>
  static void pack_plane(const T* values, const SpikeShape& s, uint32_t* plane, const Tensor& x) {
    pack_plane_cuda(values, s, plane, OnDevice(x).stream());
  }

  static void repack(const uint32_t* plane, const SpikeShape& s, uint32_t* words, const Tensor& x) {
    repack_plane_cuda(plane, s, words, OnDevice(x).stream());
  }

  template <typename T>
  static void unpack(const uint32_t* words, const SpikeShape& s, T* values, const Tensor& x) {
    unpack_words_cuda(words, s, values, OnDevice(x).stream());
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("pack_spikes", TORCH_BOX(&pack_spikes<Cuda>));
  m.impl("unpack_spikes", TORCH_BOX(&unpack_spikes<Cuda>));
}

}  // namespace lampyris
