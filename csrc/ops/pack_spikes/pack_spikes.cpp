#include "ops/pack_spikes/pack_spikes_front.h"

namespace lampyris {

namespace {

constexpr int64_t kGrainWords = 1 << 12;

struct Cpu {
  template <typename T>
  static void pack_plane(const T* values, const SpikeShape& s, uint32_t* plane, const Tensor&) {
    torch::stable::parallel_for(
        0, s.rows * s.plane_words(), kGrainWords,
        [&](int64_t begin, int64_t end) { lampyris::pack_plane(values, s, plane, begin, end); });
  }

  static int64_t grain(const SpikeShape& s) {
    return std::max<int64_t>(1, kGrainWords / (s.inner * s.words_per_line()));
  }

  static void repack(const uint32_t* plane, const SpikeShape& s, uint32_t* words, const Tensor&) {
    torch::stable::parallel_for(0, s.rows * s.outer, grain(s), [&](int64_t begin, int64_t end) {
      repack_plane(plane, s, words, begin, end);
    });
  }

  template <typename T>
  static void unpack(const uint32_t* words, const SpikeShape& s, T* values, const Tensor&) {
    torch::stable::parallel_for(0, s.rows * s.outer, grain(s), [&](int64_t begin, int64_t end) {
      unpack_words(words, s, values, begin, end);
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // x [..., L, ...] with L at dim >= 0; returns (carrier of x's shape, words [..., ceil(L / 32)]).
  m.def("pack_spikes(Tensor x, int dim) -> (Tensor, Tensor)");
  m.def("unpack_spikes(Tensor carrier, Tensor words, int dim, ScalarType dtype) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("pack_spikes", TORCH_BOX(&pack_spikes<Cpu>));
  m.impl("unpack_spikes", TORCH_BOX(&unpack_spikes<Cpu>));
}

}  // namespace lampyris
