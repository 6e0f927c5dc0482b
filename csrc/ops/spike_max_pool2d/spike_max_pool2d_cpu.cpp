#include <algorithm>

#include "cpu/dispatch.h"
#include "ops/spike_max_pool2d/spike_max_pool2d.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampyris {

namespace {

struct PoolRows {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikePool& p, const uint32_t* in, uint32_t* out,
                                  int64_t begin, int64_t end) {
    const int64_t words = p.words(), line = p.width * words, columns = p.out_width();
    for (int64_t r = begin; r < end; ++r) {
      const int64_t image = r / p.out_height(), y = r % p.out_height() * p.stride;
      const uint32_t* source = in + (image * p.height + y) * line;
      uint32_t* to = out + r * columns * words;
      for (int64_t x = 0; x < columns; ++x) {
        for (int64_t w = 0; w < words; ++w) {
          to[x * words + w] = pool_word(source + x * p.stride * words + w, p);
        }
      }
    }
  }
};

// to[i] = bit i ? from[i] : 0, or added to it; `count` <= 32 values.
template <bool kAdd, class Target, typename T>
LAMPYRIS_INLINE void store_owned(Target, uint32_t owners, const T* from, int64_t count, T* to) {
  for (int64_t i = 0; i < count; ++i) {
    const T value = (owners >> i & 1U) != 0 ? from[i] : T(0);
    to[i] = kAdd ? to[i] + value : value;
  }
}

#if defined(__x86_64__)
template <bool kAdd>
LAMPYRIS_TARGET_AVX512 inline void store_owned(Avx512, uint32_t owners, const float* from,
                                               int64_t count, float* to) {
  const uint32_t valid = count == 32 ? ~0U : (1U << count) - 1;
  for (int half = 0; half < 2; ++half) {
    const auto lanes = static_cast<__mmask16>(valid >> (16 * half));
    const auto owned = static_cast<__mmask16>(owners >> (16 * half) & lanes);
    __m512 value = _mm512_maskz_loadu_ps(owned, from + 16 * half);
    if (kAdd) value = _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, to + 16 * half), value);
    _mm512_mask_storeu_ps(to + 16 * half, lanes, value);
  }
}
#endif

// Each element gathers from the windows that cover it, in scan order: no window writes to an
// element of another row.
template <typename T>
struct PoolGradRows {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikePool& p, const uint32_t* in, const T* grad_out,
                                  T* grad_in, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t image = r / p.height, y = r % p.height;
      for (int64_t x = 0; x < p.width; ++x) {
        pixel<Target>(p, in, grad_out, grad_in + (r * p.width + x) * p.channels, image, y, x);
      }
    }
  }

  template <class Target>
  LAMPYRIS_INLINE static void pixel(const SpikePool& p, const uint32_t* in, const T* grad_out,
                                    T* to, int64_t image, int64_t y, int64_t x) {
    const int64_t words = p.words(), rows = p.out_height(), columns = p.out_width();
    bool first = true;
    for (int64_t oy = p.first_window(y); oy < p.last_window(y, rows); ++oy) {
      for (int64_t ox = p.first_window(x); ox < p.last_window(x, columns); ++ox) {
        const uint32_t* corner =
            in + ((image * p.height + oy * p.stride) * p.width + ox * p.stride) * words;
        const T* from = grad_out + ((image * rows + oy) * columns + ox) * p.channels;
        for (int64_t w = 0; w < words; ++w) {
          const uint32_t owners =
              pool_owners(corner + w, p, y - oy * p.stride, x - ox * p.stride);
          const int64_t c = 32 * w, count = std::min<int64_t>(32, p.channels - c);
          if (first) {
            store_owned<false>(Target{}, owners, from + c, count, to + c);
          } else {
            store_owned<true>(Target{}, owners, from + c, count, to + c);
          }
        }
        first = false;
      }
    }
    if (first) std::fill_n(to, p.channels, T(0));
  }
};

}  // namespace

void spike_max_pool2d_rows(const SpikePool& p, const uint32_t* in, uint32_t* out, int64_t begin,
                           int64_t end) {
  dispatch<PoolRows>(p, in, out, begin, end);
}

void spike_max_pool2d_grad_rows(const SpikePool& p, const uint32_t* in, const float* grad_out,
                                float* grad_in, int64_t begin, int64_t end) {
  dispatch<PoolGradRows<float>>(p, in, grad_out, grad_in, begin, end);
}

void spike_max_pool2d_grad_rows(const SpikePool& p, const uint32_t* in, const double* grad_out,
                                double* grad_in, int64_t begin, int64_t end) {
  run_baseline<PoolGradRows<double>>(p, in, grad_out, grad_in, begin, end);
}

}  // namespace lampyris
