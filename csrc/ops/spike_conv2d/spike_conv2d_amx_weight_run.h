// dW on tiles: A = the gradient of the output transposed [16 channels][32 positions], split; B =
// spikes, pairs of pixels of 16 channels straight from bits, in two copies (pairs from even and
// from odd pixels), so that every tap is whole tiles at a shift. Sums stay in float32 blocks of 32
// x 32 a tap, reloaded for 8 tiles of positions at a time.
#pragma once

#include <utility>

#include "cpu/tile_conv.h"
#include "ops/spike_conv2d/spike_conv2d_amx_run.h"

namespace lampyris {

template <int kWidth, size_t... kLane>
LAMPYRIS_INLINE void exchange(TileRow& a, TileRow& b, std::index_sequence<kLane...>) {
  const TileRow low =
      __builtin_shufflevector(a, b, (kLane & kWidth ? 16 + kLane - kWidth : kLane)...);
  b = __builtin_shufflevector(a, b, (kLane & kWidth ? 16 + kLane : kLane + kWidth)...);
  a = low;
}

template <int kWidth>
LAMPYRIS_INLINE void exchange_rows(TileRow rows[16]) {
  for (int i = 0; i < 16; ++i) {
    if ((i & kWidth) == 0)
      exchange<kWidth>(rows[i], rows[i + kWidth], std::make_index_sequence<16>{});
  }
}

LAMPYRIS_INLINE void transpose_tile(TileRow rows[16]) {
  exchange_rows<8>(rows);
  exchange_rows<4>(rows);
  exchange_rows<2>(rows);
  exchange_rows<1>(rows);
}

// 16 channels of two pixels as the pairs of a row of B.
template <class Target>
LAMPYRIS_INLINE void expand_pairs(Target, uint32_t even, uint32_t odd, uint32_t* out) {
  constexpr uint32_t kOne = Bf16::kOne;
  for (int c = 0; c < 16; ++c) out[c] = (even >> c & 1U) * kOne | (odd >> c & 1U) * (kOne << 16);
}

#if defined(__x86_64__)
template <class Target>
  requires std::is_base_of_v<Avx512, Target>
LAMPYRIS_TARGET_AVX512 inline void expand_pairs(Target, uint32_t even, uint32_t odd,
                                                uint32_t* out) {
  constexpr int kOne = Bf16::kOne;
  const __m512i low = _mm512_maskz_set1_epi32(static_cast<__mmask16>(even), kOne);
  const __m512i high = _mm512_maskz_set1_epi32(static_cast<__mmask16>(odd), kOne << 16);
  _mm512_storeu_si512(out, _mm512_or_si512(low, high));
}
#endif

struct TiledGradWeightPlan {
  static constexpr int64_t kTile = 16 * 16;   // uint32
  static constexpr int64_t kBlock = 32 * 32;  // sums of one tap

  const SpikeConv2dGradWeight<float>* args;
  TileMap map;
  int parts;
  int64_t pixels, pairs, tiles;                // with slack; pairs of one copy; tiles of positions
  int64_t out_tiles, in_words;                 // of one group, ceil
  int64_t a_group, b_group, a_image, b_image;  // uint32
  int64_t chunk;                               // images expanded together

  TiledGradWeightPlan(const SpikeConv2dGradWeight<float>& a, int split) : args(&a), parts(split) {
    const SpikeConv2dShape& s = a.shape;
    map = tile_map(s);
    pixels = map.pixels() + 34;  // the last tile of positions, one more pair
    pairs = pixels / 2;
    tiles = ceil_div(map.positions(), 32);
    out_tiles = ceil_div(s.group_out(), 16);
    in_words = ceil_div(s.group_in(), 32);
    a_group = parts * out_tiles * tiles * kTile;
    b_group = in_words * 2 * 2 * pairs * 16;
    a_image = s.groups * a_group;
    b_image = s.groups * b_group;
    constexpr int64_t kCache = 1 << 18;  // uint32: half a second-level cache of Sapphire Rapids
    chunk = std::clamp<int64_t>(kCache / (a_image + b_image), 1, s.images);
  }

  // [group][word][half][copy][pair][16]
  int64_t b_plane(int64_t word, int64_t half, int64_t copy) const {
    return ((word * 2 + half) * 2 + copy) * pairs * 16;
  }
  int64_t out_blocks() const { return ceil_div(out_tiles, 2); }
  int64_t units() const {
    return args->shape.groups * out_blocks() * in_words * args->shape.taps();
  }
  int64_t items() const { return args->shape.groups * (in_words + out_tiles); }
};

// Bits of one channel word of one image as pairs.
template <class Target>
LAMPYRIS_INLINE void expand_image_pairs(const TiledGradWeightPlan& p, int64_t n, int64_t g,
                                        int64_t word, uint32_t* bordered, uint32_t* out) {
  const SpikeConv2dShape& s = p.args->shape;
  const int64_t words = s.words_per_pixel(), first = g * s.group_in() + 32 * word;
  const int64_t channels = s.group_in() - 32 * word;
  const uint32_t keep = channels < 32 ? (1U << channels) - 1 : ~0U;
  const uint32_t* image = p.args->words + n * s.image_words();
  for (int64_t y = 0; y < s.in_height; ++y) {
    p.map.visit_row(y, [&](int64_t x, int64_t pixel) __attribute__((always_inline)) {
      bordered[pixel] = read_bits(image + (y * s.in_width + x) * words, words, first) & keep;
    });
  }
  for (int copy = 0; copy < 2; ++copy) {
    uint32_t* low = out + p.b_plane(word, 0, copy);
    uint32_t* high = out + p.b_plane(word, 1, copy);
    for (int64_t j = 0; j < p.pairs; ++j) {
      const uint32_t even = bordered[2 * j + copy], odd = bordered[2 * j + copy + 1];
      expand_pairs(Target{}, even & 0xFFFFU, odd & 0xFFFFU, low + 16 * j);
      expand_pairs(Target{}, even >> 16, odd >> 16, high + 16 * j);
    }
  }
}

// 16 output channels of one image transposed and split; dropped positions are 0.
template <int kParts>
LAMPYRIS_INLINE void transpose_grad(const TiledGradWeightPlan& p, int64_t n, int64_t g,
                                    int64_t tile, uint32_t* out) {
  const SpikeConv2dShape& s = p.args->shape;
  const int64_t pitch = p.map.pitch(), width = p.map.out_width, height = p.map.out_height;
  const int64_t channels = std::min<int64_t>(16, s.group_out() - 16 * tile);
  const float* grad =
      p.args->grad + n * height * width * s.out_channels + g * s.group_out() + 16 * tile;
  int64_t y = 0, x = 0;
  for (int64_t q = 0; q < p.tiles; ++q) {
    alignas(kTileBytes) float values[32][16] = {};
    for (int64_t r = 0; r < 32 && y < height; ++r) {
      if (x < width) {
        const float* from = grad + (y * width + x) * s.out_channels;
        channels == 16 ? std::copy_n(from, 16, values[r]) : std::copy_n(from, channels, values[r]);
      }
      if (++x == pitch) x = 0, ++y;
    }
    TileRow rows[kParts][16];
    for (int j = 0; j < 16; ++j) {
      pack_tile_row<kParts>(values + 2 * j, reinterpret_cast<uint16_t*>(rows[0] + j), 16 * 2 * 16);
    }
    for (int k = 0; k < kParts; ++k) {
      transpose_tile(rows[k]);
      std::memcpy(out + ((k * p.out_tiles + tile) * p.tiles + q) * p.kTile, rows[k],
                  sizeof rows[k]);
    }
  }
}

template <int kParts>
struct ExpandForGradWeight {
  // Items [begin, end) of images from `image` on: words to pairs, then tiles of the gradient.
  template <class Target>
  LAMPYRIS_INLINE static void run(const TiledGradWeightPlan& p, int64_t image, uint32_t* a,
                                  uint32_t* b, int64_t begin, int64_t end) {
    TileBuffer<uint32_t> bordered(p.pixels + 2);
    bordered.clear();
    const int64_t each = p.in_words + p.out_tiles;
    for (int64_t k = begin; k < end; ++k) {
      const int64_t n = k / p.items(), g = k % p.items() / each, item = k % each;
      if (item < p.in_words) {
        expand_image_pairs<Target>(p, image + n, g, item, bordered.data(),
                                   b + n * p.b_image + g * p.b_group);
      } else {
        transpose_grad<kParts>(p, image + n, g, item - p.in_words,
                               a + n * p.a_image + g * p.a_group);
      }
    }
  }
};

template <class Tiles, int kParts>
struct MultiplyForGradWeight {
  using Plan = TiledGradWeightPlan;

  // Units [begin, end) of (group, 32 outputs, 32 inputs, tap) over `images` expanded images.
  template <class Target>
  LAMPYRIS_INLINE static void run(const Plan& p, int64_t images, const uint32_t* a,
                                  const uint32_t* b, float* sums, int64_t begin, int64_t end) {
    constexpr int64_t kTilesAtOnce = 8;
    const SpikeConv2dShape& s = p.args->shape;
    Tiles tiles;
    for (int64_t n = 0; n < images; ++n) {
      for (int64_t q = 0; q < p.tiles; q += kTilesAtOnce) {
        const int64_t last = std::min(p.tiles, q + kTilesAtOnce);
        for (int64_t unit = begin; unit < end; ++unit) {
          const int64_t tap = unit % s.taps(), word = unit / s.taps() % p.in_words;
          const int64_t block = unit / s.taps() / p.in_words % p.out_blocks();
          const int64_t g = unit / s.taps() / p.in_words / p.out_blocks();
          const int64_t shift = p.map.tap(tap / s.kernel_width, tap % s.kernel_width);
          const uint32_t* left = a + n * p.a_image + g * p.a_group + 2 * block * p.tiles * p.kTile;
          const uint32_t* right =
              b + n * p.b_image + g * p.b_group + p.b_plane(word, 0, shift % 2) + shift / 2 * 16;
          const bool tall = p.out_tiles - 2 * block > 1, wide = s.group_in() - 32 * word > 16;
          float* c = sums + unit * p.kBlock;
          if (wide) {
            tall ? sum<2, 2>(tiles, p, left, right, q, last, c)
                 : sum<1, 2>(tiles, p, left, right, q, last, c);
          } else {
            tall ? sum<2, 1>(tiles, p, left, right, q, last, c)
                 : sum<1, 1>(tiles, p, left, right, q, last, c);
          }
        }
      }
    }
  }

 private:
  template <int kRows, int kColumns>
  LAMPYRIS_INLINE static void sum(Tiles& tiles, const Plan& p, const uint32_t* a, const uint32_t* b,
                                  int64_t q, int64_t last, float* c) {
    constexpr int64_t kRow = 32 * sizeof(float);
    tiles.template load<0>(c, kRow);
    if constexpr (kColumns == 2) tiles.template load<1>(c + 16, kRow);
    if constexpr (kRows == 2) tiles.template load<2>(c + 16 * 32, kRow);
    if constexpr (kRows == 2 && kColumns == 2) tiles.template load<3>(c + 16 * 32 + 16, kRow);
    const int64_t half = p.b_plane(0, 1, 0), part = p.out_tiles * p.tiles * p.kTile;
    for (; q < last; ++q) {
      tiles.template load<6>(b + q * p.kTile, kTileBytes);
      if constexpr (kColumns == 2) tiles.template load<7>(b + half + q * p.kTile, kTileBytes);
      for (int k = 0; k < kParts; ++k) {
        const uint32_t* at = a + k * part + q * p.kTile;
        tiles.template load<4>(at, kTileBytes);
        if constexpr (kRows == 2) tiles.template load<5>(at + p.tiles * p.kTile, kTileBytes);
        tiles.template dot_bf16<0, 4, 6>();
        if constexpr (kColumns == 2) tiles.template dot_bf16<1, 4, 7>();
        if constexpr (kRows == 2) tiles.template dot_bf16<2, 5, 6>();
        if constexpr (kRows == 2 && kColumns == 2) tiles.template dot_bf16<3, 5, 7>();
      }
    }
    tiles.template store<0>(c, kRow);
    if constexpr (kColumns == 2) tiles.template store<1>(c + 16, kRow);
    if constexpr (kRows == 2) tiles.template store<2>(c + 16 * 32, kRow);
    if constexpr (kRows == 2 && kColumns == 2) tiles.template store<3>(c + 16 * 32 + 16, kRow);
  }
};

template <class Tiles, int kParts>
void tiled_grad_weight(const SpikeConv2dGradWeight<float>& args, const RunRanges& run) {
  const SpikeConv2dShape& s = args.shape;
  if (s.weights() == 0) return;
  if (s.images * s.out_height() * s.out_width() == 0) {
    std::fill_n(args.grad_weight, s.weights(), 0.0F);
    return;
  }
  const TiledGradWeightPlan p(args, kParts);
  TileBuffer<uint32_t> a(p.chunk * p.a_image), b(p.chunk * p.b_image);
  TileBuffer<float> sums(p.units() * p.kBlock);
  sums.clear();
  for (int64_t image = 0; image < s.images; image += p.chunk) {
    const int64_t images = std::min(p.chunk, s.images - image);
    uint32_t *left = a.data(), *right = b.data();
    float* c = sums.data();
    run(0, images * p.items(), 1, [&](int64_t begin, int64_t end) {
      dispatch<ExpandForGradWeight<kParts>>(p, image, left, right, begin, end);
    });
    run(0, p.units(), 1, [&](int64_t begin, int64_t end) {
      run_tiles<Tiles, MultiplyForGradWeight<Tiles, kParts>>(p, images, left, right, c, begin, end);
    });
  }
  for (int64_t o = 0; o < s.out_channels; ++o) {
    const int64_t g = o / s.group_out(), lane = o % s.group_out();
    for (int64_t i = 0; i < s.group_in(); ++i) {
      for (int64_t tap = 0; tap < s.taps(); ++tap) {
        const int64_t block = (g * p.out_blocks() + lane / 32) * p.in_words + i / 32;
        args.grad_weight[(o * s.group_in() + i) * s.taps() + tap] =
            sums.data()[(block * s.taps() + tap) * p.kBlock + lane % 32 * 32 + i % 32];
      }
    }
  }
}

}  // namespace lampyris
