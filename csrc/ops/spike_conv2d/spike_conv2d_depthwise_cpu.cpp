#include "ops/spike_conv2d/spike_conv2d_depthwise.h"

#include <algorithm>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/float4.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampyris {

namespace {

constexpr int64_t kLanes = 16;

// The taps of one output pixel that lie inside the map, for 16 channels.
struct Pixel {
  const uint32_t* words;  // the word of these channels at tap (0, 0)
  int64_t next_row, next_pixel;
  const float* weight;  // [kh][kw][16] at tap (0, 0)
  int64_t kernel_height, kernel_width;
  int64_t first_row, last_row, first_column, last_column;
  int shift;  // of these channels in their word
};

// to += from where the bits are set.
template <class Target>
LAMPYRIS_INLINE void add_selected(Target, uint32_t bits, const float* from, float* to) {
  for (int v = 0; v < kLanes; v += 4) store4(to + v, load4(to + v) + select4(bits >> v, from + v));
}

template <class Target>
LAMPYRIS_INLINE void add_taps(Target, const Pixel& p, float* sums) {
  for (int64_t ky = p.first_row; ky < p.last_row; ++ky) {
    for (int64_t kx = p.first_column; kx < p.last_column; ++kx) {
      const uint32_t bits = p.words[ky * p.next_row + kx * p.next_pixel] >> p.shift;
      add_selected(Target{}, bits, p.weight + (ky * p.kernel_width + kx) * kLanes, sums);
    }
  }
}

#if defined(__x86_64__)
template <int kTaps>
LAMPYRIS_TARGET_AVX512 inline __m512 add_square(const Pixel& p, __m512 sum) {
  for (int ky = 0; ky < kTaps; ++ky) {
    for (int kx = 0; kx < kTaps; ++kx) {
      const uint32_t bits = p.words[ky * p.next_row + kx * p.next_pixel] >> p.shift;
      sum = _mm512_mask_add_ps(sum, static_cast<__mmask16>(bits), sum,
                               _mm512_loadu_ps(p.weight + (ky * kTaps + kx) * kLanes));
    }
  }
  return sum;
}

LAMPYRIS_TARGET_AVX512 inline void add_taps(Avx512, const Pixel& p, float* sums) {
  __m512 sum = _mm512_loadu_ps(sums);
  const int64_t taps = (p.last_row - p.first_row) * (p.last_column - p.first_column);
  if (taps == 9 && p.kernel_width == 3 && p.kernel_height == 3) {
    return _mm512_storeu_ps(sums, add_square<3>(p, sum));
  }
  for (int64_t ky = p.first_row; ky < p.last_row; ++ky) {
    for (int64_t kx = p.first_column; kx < p.last_column; ++kx) {
      const uint32_t bits = p.words[ky * p.next_row + kx * p.next_pixel] >> p.shift;
      const float* weight = p.weight + (ky * p.kernel_width + kx) * kLanes;
      sum = _mm512_mask_add_ps(sum, static_cast<__mmask16>(bits), sum, _mm512_loadu_ps(weight));
    }
  }
  _mm512_storeu_ps(sums, sum);
}

LAMPYRIS_TARGET_AVX512 inline void add_selected(Avx512, uint32_t bits, const float* from,
                                                float* to) {
  const __m512 sum = _mm512_loadu_ps(to);
  _mm512_storeu_ps(to, _mm512_mask_add_ps(sum, static_cast<__mmask16>(bits), sum,
                                          _mm512_loadu_ps(from)));
}
#endif

// Taps k in [first, last) whose pixel `at` + k lies in [0, size).
LAMPYRIS_INLINE void clip(int64_t at, int64_t size, int64_t taps, int64_t& first, int64_t& last) {
  first = std::clamp<int64_t>(-at, 0, taps);
  last = std::clamp<int64_t>(size - at, first, taps);
}

struct Forward {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeConv2d<float>& a, int64_t begin, int64_t end) {
    const SpikeConv2dShape& s = a.shape;
    std::vector<float> weight(static_cast<size_t>(s.taps() * kLanes));
    for (int64_t c = 0; c < s.in_channels; c += kLanes) {
      const int64_t channels = std::min(kLanes, s.in_channels - c);
      float bias[kLanes] = {};
      if (a.bias != nullptr) std::copy_n(a.bias + c, channels, bias);
      for (int64_t i = 0; i < channels; ++i) {
        for (int64_t tap = 0; tap < s.taps(); ++tap) {
          weight[static_cast<size_t>(tap * kLanes + i)] = a.weight[(c + i) * s.taps() + tap];
        }
      }
      for (int64_t r = begin; r < end; ++r) {
        row<Target>(a, r, c, channels, weight.data(), bias);
      }
    }
  }

  template <class Target>
  LAMPYRIS_INLINE static void row(const SpikeConv2d<float>& a, int64_t r, int64_t c,
                                  int64_t channels, const float* weight, const float* bias) {
    const SpikeConv2dShape& s = a.shape;
    const int64_t width = s.words_per_pixel();
    const int64_t y = r % s.out_height() * s.stride - s.padding;
    Pixel p{nullptr, s.in_width * width, width, weight, s.kernel_height, s.kernel_width,
            0,       0,                  0,     0,      static_cast<int>(c % 32)};
    clip(y, s.in_height, s.kernel_height, p.first_row, p.last_row);
    const int64_t row = r / s.out_height() * s.in_height + y;
    for (int64_t ox = 0; ox < s.out_width(); ++ox) {
      const int64_t x = ox * s.stride - s.padding;
      clip(x, s.in_width, s.kernel_width, p.first_column, p.last_column);
      p.words = a.words + (row * s.in_width + x) * width + c / 32;
      float* out = a.out + (r * s.out_width() + ox) * s.out_channels + c;
      float edge[kLanes];
      float* sums = channels == kLanes ? out : edge;
      for (int64_t i = 0; i < kLanes; ++i) sums[i] = bias[i];
      add_taps(Target{}, p, sums);
      if (channels < kLanes) std::copy_n(edge, channels, out);
    }
  }
};

struct GradWeight {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeConv2dGradWeight<float>& a, int64_t begin,
                                  int64_t end) {
    const SpikeConv2dShape& s = a.shape;
    std::vector<float> sums;
    for (int64_t c = begin * kLanes; c < std::min(end * kLanes, s.in_channels); c += kLanes) {
      const int64_t channels = std::min(kLanes, s.in_channels - c);
      sums.assign(static_cast<size_t>(s.taps() * kLanes), 0.0F);
      for (int64_t r = 0; r < s.images * s.out_height(); ++r) {
        row<Target>(a, r, c, channels, sums.data());
      }
      for (int64_t i = 0; i < channels; ++i) {
        for (int64_t tap = 0; tap < s.taps(); ++tap) {
          a.grad_weight[(c + i) * s.taps() + tap] = sums[static_cast<size_t>(tap * kLanes + i)];
        }
      }
    }
  }

  template <class Target>
  LAMPYRIS_INLINE static void row(const SpikeConv2dGradWeight<float>& a, int64_t r, int64_t c,
                                  int64_t channels, float* sums) {
    const SpikeConv2dShape& s = a.shape;
    const int64_t width = s.words_per_pixel();
    const int64_t y = r % s.out_height() * s.stride - s.padding;
    int64_t first_row = 0, last_row = 0, first = 0, last = 0;
    clip(y, s.in_height, s.kernel_height, first_row, last_row);
    for (int64_t ox = 0; ox < s.out_width(); ++ox) {
      const int64_t x = ox * s.stride - s.padding;
      clip(x, s.in_width, s.kernel_width, first, last);
      float grad[kLanes] = {};
      std::copy_n(a.grad + (r * s.out_width() + ox) * s.out_channels + c, channels, grad);
      for (int64_t ky = first_row; ky < last_row; ++ky) {
        const int64_t row = r / s.out_height() * s.in_height + y + ky;
        for (int64_t kx = first; kx < last; ++kx) {
          const uint32_t word = a.words[(row * s.in_width + x + kx) * width + c / 32];
          add_selected(Target{}, word >> c % 32, grad,
                       sums + (ky * s.kernel_width + kx) * kLanes);
        }
      }
    }
  }
};

}  // namespace

void spike_conv2d_depthwise(const SpikeConv2d<float>& a, int64_t begin, int64_t end) {
  dispatch<Forward>(a, begin, end);
}

void spike_conv2d_grad_weight_depthwise(const SpikeConv2dGradWeight<float>& a, int64_t begin,
                                        int64_t end) {
  dispatch<GradWeight>(a, begin, end);
}

}  // namespace lampyris
