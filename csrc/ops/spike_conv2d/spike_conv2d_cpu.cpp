// The plain kernels: any shape, the weights read in place.
#include <algorithm>
#include <bit>

#include "cpu/dispatch.h"
#include "ops/spike_conv2d/spike_conv2d.h"

namespace lampyris {

namespace {

// Calls visit(channel) for the spikes of a pixel in ascending order.
template <class Visit>
LAMPYRIS_INLINE void for_spikes(const uint32_t* pixel, int64_t first_word, int64_t last_word,
                                const Visit& visit) {
  for (int64_t w = first_word; w < last_word; ++w) {
    for (uint32_t bits = pixel[w]; bits != 0; bits &= bits - 1) {
      visit(32 * w + std::countr_zero(bits));
    }
  }
}

template <typename T>
struct Rows {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeConv2d<T>& a, int64_t begin, int64_t end) {
    const SpikeConv2dShape& s = a.shape;
    const int64_t width = s.words_per_pixel(), group_in = s.group_in(), group_out = s.group_out();
    for (int64_t r = begin; r < end; ++r) {
      const int64_t n = r / s.out_height(), y = r % s.out_height();
      for (int64_t x = 0; x < s.out_width(); ++x) {
        T* out = a.out + (r * s.out_width() + x) * s.out_channels;
        for (int64_t o = 0; o < s.out_channels; ++o) out[o] = a.bias ? a.bias[o] : T(0);
        for (int64_t tap = 0; tap < s.taps(); ++tap) {
          const int64_t iy = y * s.stride + tap / s.kernel_width - s.padding;
          const int64_t ix = x * s.stride + tap % s.kernel_width - s.padding;
          if (iy < 0 || iy >= s.in_height || ix < 0 || ix >= s.in_width) continue;
          const uint32_t* pixel = a.words + ((n * s.in_height + iy) * s.in_width + ix) * width;
          const auto add = [&](int64_t c) __attribute__((always_inline)) {
            const int64_t g = c / group_in;
            const T* from = a.weight + (g * group_out * group_in + c % group_in) * s.taps() + tap;
            T* to = out + g * group_out;
            for (int64_t o = 0; o < group_out; ++o) to[o] += from[o * group_in * s.taps()];
          };
          for_spikes(pixel, 0, width, add);
        }
      }
    }
  }
};

template <typename T>
struct GradWeightWords {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeConv2dGradWeight<T>& a, int64_t begin, int64_t end) {
    const SpikeConv2dShape& s = a.shape;
    const int64_t group_in = s.group_in(), group_out = s.group_out();
    for (int64_t c = 32 * begin; c < std::min(32 * end, s.in_channels); ++c) {
      for (int64_t o = 0; o < group_out; ++o) {
        std::fill_n(row(a, c, o), s.taps(), T(0));
      }
    }
    for (int64_t r = 0; r < s.images * s.in_height; ++r) {
      const int64_t n = r / s.in_height, iy = r % s.in_height;
      for (int64_t ix = 0; ix < s.in_width; ++ix) {
        const uint32_t* pixel = a.words + (r * s.in_width + ix) * s.words_per_pixel();
        for (int64_t tap = 0; tap < s.taps(); ++tap) {
          const int64_t y = iy + s.padding - tap / s.kernel_width;
          const int64_t x = ix + s.padding - tap % s.kernel_width;
          if (y < 0 || x < 0 || y % s.stride != 0 || x % s.stride != 0) continue;
          if (y / s.stride >= s.out_height() || x / s.stride >= s.out_width()) continue;
          const T* grad = a.grad + ((n * s.out_height() + y / s.stride) * s.out_width() +
                                    x / s.stride) * s.out_channels;
          const auto add = [&](int64_t c) __attribute__((always_inline)) {
            const T* from = grad + c / group_in * group_out;
            T* to = row(a, c, 0) + tap;
            for (int64_t o = 0; o < group_out; ++o) to[o * group_in * s.taps()] += from[o];
          };
          for_spikes(pixel, begin, end, add);
        }
      }
    }
  }

  // The taps of channel c, output o of its group.
  LAMPYRIS_INLINE static T* row(const SpikeConv2dGradWeight<T>& a, int64_t c, int64_t o) {
    const int64_t group_in = a.shape.group_in();
    const int64_t out = c / group_in * a.shape.group_out() + o;
    return a.grad_weight + (out * group_in + c % group_in) * a.shape.taps();
  }
};

struct Count {
  template <class Target>
  LAMPYRIS_INLINE static void run(const uint32_t* words, int64_t count, int64_t* spikes) {
    int64_t total = 0;
    for (int64_t i = 0; i < count; ++i) total += std::popcount(words[i]);
    *spikes = total;
  }
};

}  // namespace

int64_t count_spikes(const uint32_t* words, int64_t count) {
  int64_t spikes = 0;
  dispatch<Count>(words, count, &spikes);
  return spikes;
}

void spike_conv2d_rows(const SpikeConv2d<float>& a, int64_t begin, int64_t end) {
  dispatch<Rows<float>>(a, begin, end);
}

void spike_conv2d_rows(const SpikeConv2d<double>& a, int64_t begin, int64_t end) {
  dispatch<Rows<double>>(a, begin, end);
}

void spike_conv2d_grad_weight_words(const SpikeConv2dGradWeight<float>& a, int64_t begin,
                                    int64_t end) {
  dispatch<GradWeightWords<float>>(a, begin, end);
}

void spike_conv2d_grad_weight_words(const SpikeConv2dGradWeight<double>& a, int64_t begin,
                                    int64_t end) {
  dispatch<GradWeightWords<double>>(a, begin, end);
}

}  // namespace lampyris
