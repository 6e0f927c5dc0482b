#include "ops/spike_conv2d/spike_conv2d_depthwise.h"

#include <algorithm>
#include <cstring>
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

template <class Target>
LAMPYRIS_INLINE void inner_row(Target, Pixel p, int64_t pixels, int64_t next_words,
                               const float* bias, float* out, int64_t next_out) {
  p.first_column = 0;
  p.last_column = p.kernel_width;
  for (int64_t x = 0; x < pixels; ++x, p.words += next_words, out += next_out) {
    std::copy_n(bias, kLanes, out);
    add_taps(Target{}, p, out);
  }
}

// The gradients of `pixels` outputs to the sums of all taps.
template <class Target>
LAMPYRIS_INLINE void inner_row_grad(Target, Pixel p, int64_t pixels, int64_t next_words,
                                    const float* grad, int64_t next_grad, float* sums) {
  for (int64_t x = 0; x < pixels; ++x, p.words += next_words, grad += next_grad) {
    for (int64_t tap = 0; tap < 9; ++tap) {
      const uint32_t bits = p.words[tap / 3 * p.next_row + tap % 3 * p.next_pixel] >> p.shift;
      add_selected(Target{}, bits, grad, sums + tap * kLanes);
    }
  }
}

#if defined(__x86_64__)
LAMPYRIS_TARGET_AVX512 inline void add_taps(Avx512, const Pixel& p, float* sums) {
  __m512 sum = _mm512_loadu_ps(sums);
  for (int64_t ky = p.first_row; ky < p.last_row; ++ky) {
    for (int64_t kx = p.first_column; kx < p.last_column; ++kx) {
      const uint32_t bits = p.words[ky * p.next_row + kx * p.next_pixel] >> p.shift;
      const float* weight = p.weight + (ky * p.kernel_width + kx) * kLanes;
      sum = _mm512_mask_add_ps(sum, static_cast<__mmask16>(bits), sum, _mm512_loadu_ps(weight));
    }
  }
  _mm512_storeu_ps(sums, sum);
}

// `pixels` outputs of 16 channels whose 3 x 3 taps all lie inside; the weights stay in registers.
LAMPYRIS_TARGET_AVX512 inline void inner_row(Avx512, const Pixel& p, int64_t pixels,
                                             int64_t next_words, const float* bias, float* out,
                                             int64_t next_out) {
  __m512 weight[9];
  for (int tap = 0; tap < 9; ++tap) weight[tap] = _mm512_loadu_ps(p.weight + tap * kLanes);
  const __m512 start = _mm512_loadu_ps(bias);
  // Half words, little-endian.
  const char* at = reinterpret_cast<const char*>(p.words) + p.shift / 8;
  const int64_t row = p.next_row * 4, pixel = p.next_pixel * 4;
  for (int64_t x = 0; x < pixels; ++x, at += 4 * next_words, out += next_out) {
    __m512 sum = start;
    for (int ky = 0; ky < 3; ++ky) {
      for (int kx = 0; kx < 3; ++kx) {
        uint16_t bits;
        std::memcpy(&bits, at + ky * row + kx * pixel, sizeof(bits));
        sum = _mm512_mask_add_ps(sum, bits, sum, weight[3 * ky + kx]);
      }
    }
    _mm512_storeu_ps(out, sum);
  }
}

LAMPYRIS_TARGET_AVX512 inline void inner_row_grad(Avx512, const Pixel& p, int64_t pixels,
                                                  int64_t next_words, const float* grad,
                                                  int64_t next_grad, float* sums) {
  __m512 sum[9];
  for (int tap = 0; tap < 9; ++tap) sum[tap] = _mm512_loadu_ps(sums + tap * kLanes);
  const char* at = reinterpret_cast<const char*>(p.words) + p.shift / 8;
  const int64_t row = p.next_row * 4, pixel = p.next_pixel * 4;
  for (int64_t x = 0; x < pixels; ++x, at += 4 * next_words, grad += next_grad) {
    const __m512 value = _mm512_loadu_ps(grad);
    for (int ky = 0; ky < 3; ++ky) {
      for (int kx = 0; kx < 3; ++kx) {
        uint16_t bits;
        std::memcpy(&bits, at + ky * row + kx * pixel, sizeof(bits));
        sum[3 * ky + kx] = _mm512_mask_add_ps(sum[3 * ky + kx], bits, sum[3 * ky + kx], value);
      }
    }
  }
  for (int tap = 0; tap < 9; ++tap) _mm512_storeu_ps(sums + tap * kLanes, sum[tap]);
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

// Output columns [left, right) whose 3 x 3 taps all lie inside, of rows where they do.
LAMPYRIS_INLINE void inner_columns(const SpikeConv2dShape& s, int64_t rows, int64_t channels,
                                   int64_t& left, int64_t& right) {
  left = right = s.out_width();
  if (channels < kLanes || s.kernel_height != 3 || s.kernel_width != 3 || rows != 3) return;
  left = std::min((s.padding + s.stride - 1) / s.stride, s.out_width());
  right = std::clamp((s.in_width + s.padding - 3) / s.stride + 1, left, s.out_width());
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
    const auto words = [&](int64_t ox) __attribute__((always_inline)) {
      return a.words + (row * s.in_width + ox * s.stride - s.padding) * width + c / 32;
    };
    float* const out = a.out + r * s.out_width() * s.out_channels + c;
    int64_t left = 0, right = 0;
    inner_columns(s, p.last_row - p.first_row, channels, left, right);
    if (left < right) {
      p.words = words(left);
      inner_row(Target{}, p, right - left, s.stride * width, bias, out + left * s.out_channels,
                s.out_channels);
    }
    for (int64_t ox = 0; ox < s.out_width(); ++ox) {
      if (ox == left && left < right) ox = right;
      if (ox >= s.out_width()) break;
      clip(ox * s.stride - s.padding, s.in_width, s.kernel_width, p.first_column, p.last_column);
      p.words = words(ox);
      float sums[kLanes];
      std::copy_n(bias, kLanes, sums);
      add_taps(Target{}, p, sums);
      std::copy_n(sums, channels, out + ox * s.out_channels);
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
    const int64_t next_row = s.in_width * width;
    int64_t first_row = 0, last_row = 0, first = 0, last = 0;
    clip(y, s.in_height, s.kernel_height, first_row, last_row);
    const uint32_t* const words =
        a.words + (r / s.out_height() * s.in_height + y) * next_row + c / 32;
    const float* const grads = a.grad + r * s.out_width() * s.out_channels + c;
    int64_t left = 0, right = 0;
    inner_columns(s, last_row - first_row, channels, left, right);
    if (left < right) {
      const Pixel p{words + (left * s.stride - s.padding) * width, next_row, width, nullptr, 3, 3,
                    0, 3, 0, 3, static_cast<int>(c % 32)};
      inner_row_grad(Target{}, p, right - left, s.stride * width, grads + left * s.out_channels,
                     s.out_channels, sums);
    }
    for (int64_t ox = 0; ox < s.out_width(); ++ox) {
      if (ox == left && left < right) ox = right;
      if (ox >= s.out_width()) break;
      const int64_t x = ox * s.stride - s.padding;
      clip(x, s.in_width, s.kernel_width, first, last);
      float grad[kLanes] = {};
      std::copy_n(grads + ox * s.out_channels, channels, grad);
      for (int64_t ky = first_row; ky < last_row; ++ky) {
        for (int64_t kx = first; kx < last; ++kx) {
          const uint32_t bits = words[ky * next_row + (x + kx) * width] >> c % 32;
          add_selected(Target{}, bits, grad,
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
