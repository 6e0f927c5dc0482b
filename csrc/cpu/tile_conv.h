// The convolution body on tiles (see cpu/tile_map.h): outputs of 32 channels x 32 positions as 2 x
// 2 tiles of sums, over steps and splits. A value may be a sum of several elements ("splits", most
// significant first): of kA splits of the input and kB of the weights the products with a + b <
// kOrder are taken. An input tile is loaded once for all splits of the weights.
#pragma once

#include <type_traits>

#include "cpu/bits.h"
#include "cpu/tile_map.h"

namespace lampyris {

template <class Format>
struct TileConv {
  using Element = typename Format::Element;
  using Sum = typename Format::Sum;

  TileMap map;
  int64_t pad = 0;  // channels of a pixel
  std::vector<TileStep> steps;
  const Element* weights = nullptr;  // pack_tile_weights
  int64_t weight_bytes = 0;
  int64_t outputs = 0;
  const Sum* bias = nullptr;  // [outputs] or null, added last
  Sum* out = nullptr;
  int64_t out_image = 0, out_row = 0, out_pixel = 0;  // strides of out, channels contiguous

  int64_t blocks() const { return ceil_div(outputs, 32); }
  int64_t split_elements() const { return map.pixels() * pad + tile_slack(pad); }
};

// Bits of one word as elements 0 and kOne; 32 elements are written.
template <class Target, typename T>
LAMPYRIS_INLINE void expand_word(Target, uint32_t word, T one, T* out) {
  for (int i = 0; i < 32; ++i) out[i] = static_cast<T>(-static_cast<int>(word >> i & 1U) & one);
}

#if defined(__x86_64__)
template <class Target>
  requires std::is_base_of_v<Avx512, Target>
LAMPYRIS_TARGET_AVX512 inline void expand_word(Target, uint32_t word, uint16_t one, uint16_t* out) {
  _mm512_storeu_si512(out, _mm512_maskz_set1_epi16(word, static_cast<int16_t>(one)));
}

template <class Target>
  requires std::is_base_of_v<Avx512, Target>
LAMPYRIS_TARGET_AVX512 inline void expand_word(Target, uint32_t word, uint8_t one, uint8_t* out) {
  const __m256i bytes = _mm256_maskz_set1_epi8(word, static_cast<int8_t>(one));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), bytes);
}
#endif

// Channels [first, first + channels) of an image of bits [height][width][words], expanded.
template <class Target, class Format>
LAMPYRIS_INLINE void expand_bits(const TileConv<Format>& job, const uint32_t* image, int64_t words,
                                 int64_t first, int64_t channels, typename Format::Element* out) {
  const int64_t pad = job.pad, width = job.map.width;
  for (int64_t y = 0; y < job.map.height; ++y) {
    job.map.visit_row(y, [&](int64_t x, int64_t pixel) __attribute__((always_inline)) {
      const uint32_t* row = image + (y * width + x) * words;
      typename Format::Element* to = out + pixel * pad;
      for (int64_t c = 0; c < channels; c += 32) {
        uint32_t word = read_bits(row, words, first + c);
        if (channels - c < 32) word &= (1U << (channels - c)) - 1;
        if (pad - c >= 32) {
          expand_word(Target{}, word, Format::kOne, to + c);
        } else {
          typename Format::Element part[32];
          expand_word(Target{}, word, Format::kOne, part);
          std::copy_n(part, pad - c, to + c);
        }
      }
    });
  }
}

template <class Format, int kA, int kB, int kOrder>
struct TileProduct {
  using Element = typename Format::Element;
  using Sum = typename Format::Sum;
  static constexpr int64_t kTile = kTileRows * kTileBytes / static_cast<int64_t>(sizeof(Element));
  static constexpr int64_t kRow = 32 * static_cast<int64_t>(sizeof(Sum));

  // One expanded image, 32 outputs from `block` on.
  template <class Tiles>
  LAMPYRIS_INLINE static void run(Tiles& tiles, const TileConv<Format>& job, const Element* image,
                                  int64_t block, Sum* out) {
    const int64_t positions = job.map.positions(), outputs = job.outputs - 32 * block;
    alignas(kTileBytes) Sum sums[32 * 32];
    for (int64_t q = 0; q < positions; q += 32) {
      const Element* at = image + q * job.pad;
      const bool tall = positions - q > 16;
      if (outputs > 16) {
        tall ? sum<2, 2>(tiles, job, at, block, sums) : sum<1, 2>(tiles, job, at, block, sums);
      } else {
        tall ? sum<2, 1>(tiles, job, at, block, sums) : sum<1, 1>(tiles, job, at, block, sums);
      }
      write(job, sums, q, std::min<int64_t>(32, positions - q), 32 * block,
            std::min<int64_t>(32, outputs), out);
    }
  }

 private:
  template <int kRows, int kColumns, class Tiles>
  LAMPYRIS_INLINE static void sum(Tiles& tiles, const TileConv<Format>& job, const Element* image,
                                  int64_t block, Sum* sums) {
    tiles.template zero<0>();
    if constexpr (kColumns == 2) tiles.template zero<1>();
    if constexpr (kRows == 2) tiles.template zero<2>();
    if constexpr (kRows == 2 && kColumns == 2) tiles.template zero<3>();
    const int64_t stride = job.pad * static_cast<int64_t>(sizeof(Element));
    const int64_t split = job.split_elements(), steps = static_cast<int64_t>(job.steps.size());
    const Element* b = job.weights + block * steps * kB * 2 * kTile;
    for (const TileStep& step : job.steps) {
      const Element* a = image + step.offset;
      for (int i = 0; i < kA; ++i, a += split) {
        tiles.template load<4>(a, stride);
        if constexpr (kRows == 2) tiles.template load<5>(a + 16 * job.pad, stride);
        for (int j = 0; j < kB && i + j < kOrder; ++j) {
          dots<kRows, kColumns>(tiles, b + 2 * j * kTile);
        }
      }
      b += kB * 2 * kTile;
    }
    tiles.template store<0>(sums, kRow);
    if constexpr (kColumns == 2) tiles.template store<1>(sums + 16, kRow);
    if constexpr (kRows == 2) tiles.template store<2>(sums + 16 * 32, kRow);
    if constexpr (kRows == 2 && kColumns == 2) tiles.template store<3>(sums + 16 * 32 + 16, kRow);
  }

  template <int kRows, int kColumns, class Tiles>
  LAMPYRIS_INLINE static void dots(Tiles& tiles, const Element* b) {
    tiles.template load<6>(b, kTileBytes);
    if constexpr (kColumns == 2) tiles.template load<7>(b + kTile, kTileBytes);
    dot<0, 4, 6>(tiles);
    if constexpr (kColumns == 2) dot<1, 4, 7>(tiles);
    if constexpr (kRows == 2) dot<2, 5, 6>(tiles);
    if constexpr (kRows == 2 && kColumns == 2) dot<3, 5, 7>(tiles);
  }

  template <int kC, int kLeft, int kRight, class Tiles>
  LAMPYRIS_INLINE static void dot(Tiles& tiles) {
    if constexpr (std::is_same_v<Format, Bf16>) {
      tiles.template dot_bf16<kC, kLeft, kRight>();
    } else {
      tiles.template dot_u8s8<kC, kLeft, kRight>();
    }
  }

  // Positions [q, q + count) of `outputs` channels from `first` on, without the dropped columns.
  LAMPYRIS_INLINE static void write(const TileConv<Format>& job, const Sum* sums, int64_t q,
                                    int64_t count, int64_t first, int64_t outputs, Sum* out) {
    const int64_t pitch = job.map.pitch();
    int64_t y = q / pitch, x = q % pitch;
    for (int64_t r = 0; r < count; ++r) {
      if (x < job.map.out_width) {
        Sum* to = out + y * job.out_row + x * job.out_pixel + first;
        const Sum* from = sums + r * 32;
        if (job.bias != nullptr) {
          for (int64_t o = 0; o < outputs; ++o) to[o] = from[o] + job.bias[first + o];
        } else if (outputs == 32) {
          std::memcpy(to, from, 32 * sizeof(Sum));
        } else {
          std::copy_n(from, outputs, to);
        }
      }
      if (++x == pitch) x = 0, ++y;
    }
  }
};

// Units [begin, end) of (image, block of 32 outputs); expand(image, elements) fills one bordered
// image whose borders are 0. Where the weights are larger than a second-level cache shares well,
// several images take turns with each block of weights.
template <class Tiles, class Product, class Format, typename Expand>
LAMPYRIS_INLINE void convolve_images(const TileConv<Format>& job, int splits, int64_t begin,
                                     int64_t end, Expand expand) {
  constexpr int64_t kManyWeights = 1 << 20, kImages = 700 << 10;  // bytes; Sapphire Rapids
  const int64_t image = job.split_elements() * splits, blocks = job.blocks();
  const int64_t image_bytes = image * static_cast<int64_t>(sizeof(typename Format::Element));
  const int64_t images = ceil_div(end, blocks);
  int64_t chunk = job.weight_bytes > kManyWeights ? std::max<int64_t>(1, kImages / image_bytes) : 1;
  chunk = std::min(chunk, images - begin / blocks);
  TileBuffer<typename Format::Element> expanded(image * chunk);
  expanded.clear();
  Tiles tiles;
  for (int64_t first = begin / blocks; first < images; first += chunk) {
    const int64_t last = std::min(images, first + chunk);
    for (int64_t n = first; n < last; ++n) expand(n, expanded.data() + (n - first) * image);
    for (int64_t block = 0; block < blocks; ++block) {
      for (int64_t n = first; n < last; ++n) {
        if (n * blocks + block < begin || n * blocks + block >= end) continue;
        Product::run(tiles, job, expanded.data() + (n - first) * image, block,
                     job.out + n * job.out_image);
      }
    }
  }
}

// A body for the instructions, or for the processor's own instruction set where tiles are emulated.
template <class Tiles, class Body, class... Args>
void run_tiles(const Args&... args) {
#if defined(__x86_64__)
  if constexpr (std::is_base_of_v<HardwareTiles, Tiles>) return run_amx<Body>(args...);
#endif
  dispatch<Body>(args...);
}

}  // namespace lampyris
