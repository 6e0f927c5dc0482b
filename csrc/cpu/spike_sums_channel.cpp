// Depthwise sums: 32 channels of a pixel are one word, and the word is the mask of an addition.
#include <algorithm>

#include "cpu/dispatch.h"
#include "cpu/spike_sums_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampyris {

namespace {

typedef int16_t Sums __attribute__((vector_size(64)));

template <class Target>
LAMPYRIS_INLINE void masked_add(Target, Sums& sums, uint32_t mask, const int16_t* weights) {
  for (int i = 0; i < kChannelLanes; ++i) {
    sums[i] = static_cast<int16_t>(sums[i] + (mask >> i & 1U ? weights[i] : 0));
  }
}

#if defined(__x86_64__)
LAMPYRIS_TARGET_AVX512 inline void masked_add(Avx512, Sums& sums, uint32_t mask,
                                                       const int16_t* weights) {
  const __m512i now = reinterpret_cast<__m512i>(sums);
  sums = reinterpret_cast<Sums>(
      _mm512_mask_add_epi16(now, mask, now, _mm512_loadu_si512(weights)));
}
#endif

}  // namespace

struct ChannelSumsRows {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeTile* tile, const SpikeWeights* w, int64_t begin,
                                  int64_t end, int32_t* out, int64_t pitch) {
    const SpikeSums& s = w->shape();
    for (int64_t y = begin; y < end; ++y) {
      const int64_t top = y * s.stride - s.padding;
      const int64_t ky0 = std::max<int64_t>(0, -top);
      const int64_t ky1 = std::min(s.kernel_height, s.height - top);
      for (int64_t x = 0; x < s.out_width; ++x, out += pitch) {
        const int64_t left = x * s.stride - s.padding;
        const int64_t kx0 = std::max<int64_t>(0, -left);
        const int64_t kx1 = std::min(s.kernel_width, s.width - left);
        for (int64_t c = 0; c < s.channels; c += kChannelLanes) {
          Sums sums = {};
          for (int64_t ky = ky0; ky < ky1; ++ky) {
            const uint32_t* pixel =
                tile->image_ + ((top + ky) * s.width + left) * s.words + c / kChannelLanes;
            const int16_t* weights = w->rows() + ky * s.kernel_width * w->lanes() + c;
            for (int64_t kx = kx0; kx < kx1; ++kx) {
              masked_add(Target{}, sums, pixel[kx * s.words], weights + kx * w->lanes());
            }
          }
          const int64_t count = std::min(kChannelLanes, s.channels - c);
          if (count == kChannelLanes) {
            for (int i = 0; i < kChannelLanes; ++i) out[c + i] = sums[i];
          } else {
            for (int64_t i = 0; i < count; ++i) out[c + i] = sums[i];
          }
        }
      }
    }
  }
};

void channel_sums(const SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end,
                  int32_t* out, int64_t pitch) {
  dispatch<ChannelSumsRows>(&tile, &w, begin, end, out, pitch);
}

}  // namespace lampyris
