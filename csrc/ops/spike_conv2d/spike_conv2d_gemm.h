// spike_conv2d as a product (ops/spike_gemm.h): a row is an output pixel, its depth the taps, each
// with the words of one group's input channels.
#pragma once

#include "ops/spike_conv2d/spike_conv2d.h"
#include "ops/spike_gemm.h"

namespace lampyris {

// Groups must not share words.
inline bool gemm_fits(const SpikeConv2dShape& s) {
  return s.groups == 1 || s.group_in() % kGemmDepth == 0;
}

// Sizes in 32 bits: 64-bit divisions are calls on the device.
struct PixelWords {
  struct Row {
    const uint32_t* image;  // null: no such row
    int y, x;               // of the first tap, negative in the border
  };

  const uint32_t* words = nullptr;  // of the group's first channel
  int height = 0, width = 0, out_height = 0, out_width = 0, kernel_width = 0;
  int stride = 1, padding = 0;
  int pixel_words = 0, group_words = 0;

  LAMPYRIS_INLINE Row row(int64_t m) const {
    const int pixels = out_height * out_width;
    const int64_t image = m / pixels;
    const int pixel = static_cast<int>(m - image * pixels);
    return {words + image * height * width * pixel_words,
            pixel / out_width * stride - padding, pixel % out_width * stride - padding};
  }
  LAMPYRIS_INLINE Row none() const { return {nullptr, 0, 0}; }

  LAMPYRIS_INLINE uint32_t word(const Row& row, int64_t k) const {
    const int tap = static_cast<int>(k) / group_words, w = static_cast<int>(k) % group_words;
    const int y = row.y + tap / kernel_width, x = row.x + tap % kernel_width;
    const bool inside = row.image != nullptr && y >= 0 && y < height && x >= 0 && x < width;
    return inside ? row.image[(y * width + x) * pixel_words + w] : 0U;
  }
};

inline PixelWords pixel_words(const SpikeConv2dShape& s, const uint32_t* words, int64_t group) {
  const auto small = [](int64_t size) { return static_cast<int>(size); };
  const int64_t group_words = (s.group_in() + kGemmDepth - 1) / kGemmDepth;
  return {words + group * group_words,
          small(s.in_height),
          small(s.in_width),
          small(s.out_height()),
          small(s.out_width()),
          small(s.kernel_width),
          small(s.stride),
          small(s.padding),
          small(s.words_per_pixel()),
          small(group_words)};
}

// Where channel 32 w + bit of a tap lies among the weights of one output channel.
struct TapPlaces {
  int64_t taps, group_in, group_words;

  LAMPYRIS_INLINE int64_t at(int64_t k, int bit) const {
    const int64_t channel = k % group_words * kGemmDepth + bit;
    return channel < group_in ? channel * taps + k / group_words : -1;
  }
};

inline TapPlaces tap_places(const SpikeConv2dShape& s) {
  return {s.taps(), s.group_in(), (s.group_in() + kGemmDepth - 1) / kGemmDepth};
}

// The product of one group; `packed` holds its weights.
inline SpikeGemm group_gemm(const SpikeConv2d<float>& a, int64_t group, const uint16_t* packed) {
  const SpikeConv2dShape& s = a.shape;
  const int64_t first = group * s.group_out();
  return {s.images * s.out_height() * s.out_width(),
          s.group_out(),
          s.taps() * tap_places(s).group_words,
          packed,
          a.bias == nullptr ? nullptr : a.bias + first,
          a.out + first,
          s.out_channels};
}

// 16-bit numbers that the packed weights of one group take, in one or three terms.
inline int64_t packed_gemm_weights(const SpikeConv2dShape& s, bool to_bfloat16) {
  const SpikeGemm g = group_gemm({s, nullptr, nullptr, nullptr, nullptr}, 0, nullptr);
  return g.depth_words * kGemmDepth * g.padded_columns() * (to_bfloat16 ? 1 : 3);
}

void spike_conv2d_gemm_cuda(const SpikeConv2d<float>& a, bool to_bfloat16, uint16_t* packed,
                            CUstream_st* stream);

}  // namespace lampyris
