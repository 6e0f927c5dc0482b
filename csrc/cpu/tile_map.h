// A convolution as products of matrix tiles, on one linear index. The zero-bordered input is cut
// into stride^2 planes (rows and columns of one remainder), each [rows][pitch] pixels of `pad`
// channels. Output pixel (y, x) is position q = y pitch + x of every plane, and tap (i, j) reads
// pixel q + tap(i, j): 16 consecutive positions are the rows of a tile with one stride, without
// tails. Positions in columns [out_width, pitch) are computed and dropped.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "cpu/tiles.h"

namespace lampyris {

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct TileMap {
  int64_t height = 0, width = 0;  // of the source
  int64_t top = 0, left = 0;      // source pixel (0, 0) in the bordered input; may be < 0
  int64_t kernel_height = 1, kernel_width = 1, stride = 1;
  int64_t out_height = 0, out_width = 0;

  int64_t row_planes() const { return std::min(stride, kernel_height); }
  int64_t column_planes() const { return std::min(stride, kernel_width); }
  int64_t rows() const { return out_height + (kernel_height - 1) / stride; }
  int64_t pitch() const { return out_width + (kernel_width - 1) / stride; }
  int64_t plane_pixels() const { return rows() * pitch(); }
  int64_t pixels() const { return row_planes() * column_planes() * plane_pixels(); }
  int64_t positions() const { return (out_height - 1) * pitch() + out_width; }
  int64_t tap(int64_t i, int64_t j) const {
    const int64_t plane = i % stride * column_planes() + j % stride;
    return plane * plane_pixels() + i / stride * pitch() + j / stride;
  }

  // Calls visit(source_x, pixel) for the source pixels of source row y that some tap reads.
  template <typename Visit>
  LAMPYRIS_INLINE void visit_row(int64_t y, Visit visit) const {
    const int64_t row = y + top, i = stride == 1 ? 0 : row % stride;
    if (row < 0 || i >= row_planes() || row / stride >= rows()) return;
    const int64_t base = i * column_planes() * plane_pixels() + row / stride * pitch();
    int64_t column = std::max<int64_t>(0, left), x = column - left;
    if (stride == 1) {
      for (; x < width && column < pitch(); ++x, ++column) visit(x, base + column);
      return;
    }
    for (; x < width; ++x, ++column) {
      const int64_t j = column % stride;
      if (column / stride >= pitch()) return;
      if (j < column_planes()) visit(x, base + j * plane_pixels() + column / stride);
    }
  }
};

// 64-byte aligned memory of one range or one call.
template <typename T>
class TileBuffer {
 public:
  explicit TileBuffer(int64_t count)
      : data_(static_cast<T*>(::operator new(bytes(count), std::align_val_t{kTileBytes}))),
        count_(count) {}
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  int64_t size() const { return count_; }
  void clear() { std::memset(static_cast<void*>(data_.get()), 0, bytes(count_)); }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t{kTileBytes}); }
  };
  static size_t bytes(int64_t count) { return static_cast<size_t>(count) * sizeof(T); }
  std::unique_ptr<T, Free> data_;
  int64_t count_;
};

// Elements of tiles: what a step of 64 bytes holds.
struct Bf16 {
  using Element = uint16_t;
  using Sum = float;
  static constexpr int kDepth = 32;  // channels of one step
  static constexpr int kPack = 2;    // of them side by side in a row of B
  static constexpr uint16_t kOne = 0x3F80;
};
struct Bytes {
  using Element = uint8_t;
  using Sum = int32_t;
  static constexpr int kDepth = 64, kPack = 4;
  static constexpr uint8_t kOne = 1;
};

// Channels of a pixel in the bordered input: whole words above 32, else little more than needed.
constexpr int64_t padded_channels(int64_t channels) {
  return channels > 32 ? ceil_div(channels, 32) * 32 : ceil_div(channels, 4) * 4;
}

// The sum over taps and channels in steps of one tile: taps of one row that lie side by side in a
// plane are one run of `pad` channels each, cut into steps. What the last step of a run reads past
// it meets weights of 0.
struct TileStep {
  int64_t offset;       // first element, relative to position 0
  int64_t i, j;         // tap row, first tap column of the run
  int64_t first, taps;  // element within the run, taps of the run (j, j + stride, ...)
};

inline std::vector<TileStep> tile_steps(const TileMap& map, int64_t pad, int depth) {
  std::vector<TileStep> steps;
  for (int64_t i = 0; i < map.kernel_height; ++i) {
    for (int64_t j = 0; j < map.column_planes(); ++j) {
      const int64_t taps = ceil_div(map.kernel_width - j, map.stride);
      for (int64_t first = 0; first < taps * pad; first += depth) {
        steps.push_back({map.tap(i, j) * pad + first, i, j, first, taps});
      }
    }
  }
  return steps;
}

// What tiles may read past the last pixel: positions up to the next 32, and the end of a step.
constexpr int64_t tile_slack(int64_t pad) { return 32 * pad + kTileBytes; }

// weight(o, c, i, j) = data[o out + c in + i row + j column]
template <typename T>
struct WeightView {
  const T* data;
  int64_t outputs, channels;
  int64_t out, in, row, column;
};

typedef uint32_t TileRow __attribute__((vector_size(kTileBytes)));
typedef float TileFloats __attribute__((vector_size(kTileBytes)));
typedef uint16_t TileHalves __attribute__((vector_size(kTileBytes / 2)));

// Takes the nearest bfloat16 off each value and returns it in the upper half of a word: three times
// give parts that add up to the value, unless one is denormal. Infinities leave nothing.
LAMPYRIS_INLINE TileRow take_bf16(TileFloats& values) {
  constexpr uint32_t kInfinity = 0x7F800000U, kUpper = 0xFFFF0000U, kQuiet = 0x00400000U;
  const TileRow bits = reinterpret_cast<TileRow>(values);
  const TileRow rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) & kUpper;
  const TileRow part = (bits & ~0x80000000U) > kInfinity ? (bits | kQuiet) & kUpper : rounded;
  const TileRow rest = reinterpret_cast<TileRow>(values - reinterpret_cast<TileFloats>(part));
  const TileRow finite = reinterpret_cast<TileRow>((rest & kInfinity) != kInfinity);
  values = reinterpret_cast<TileFloats>(rest & finite);
  return part;
}

// `count` <= 16 values as kParts bfloat16 each, parts `stride` elements apart.
template <int kParts>
LAMPYRIS_INLINE void split_lanes(const float* from, int64_t count, uint16_t* to, int64_t stride) {
  TileFloats values{};
  const auto bytes = static_cast<size_t>(count) * sizeof(uint16_t);
  count == 16 ? std::memcpy(&values, from, sizeof values) : std::memcpy(&values, from, 2 * bytes);
  for (int part = 0; part < kParts; ++part) {
    const TileHalves halves = __builtin_convertvector(take_bf16(values) >> 16, TileHalves);
    if (count == 16) {
      std::memcpy(to + part * stride, &halves, sizeof halves);
    } else {
      std::memcpy(to + part * stride, &halves, bytes);
    }
  }
}

// A row of B for 16 outputs from the values of kPack consecutive k; parts `stride` elements apart.
template <int kParts>
LAMPYRIS_INLINE void pack_tile_row(const float values[2][16], uint16_t* out, int64_t stride) {
  TileFloats even, odd;
  std::memcpy(&even, values[0], sizeof even);
  std::memcpy(&odd, values[1], sizeof odd);
  for (int part = 0; part < kParts; ++part) {
    const TileRow low = take_bf16(even), row = low >> 16 | take_bf16(odd);
    std::memcpy(out + part * stride, &row, sizeof row);
  }
}

template <int kParts>
LAMPYRIS_INLINE void pack_tile_row(const int8_t values[4][16], uint8_t* out, int64_t) {
  static_assert(kParts == 1);
  for (int o = 0; o < 16; ++o) {
    for (int k = 0; k < 4; ++k) out[4 * o + k] = static_cast<uint8_t>(values[k][o]);
  }
}

// Tile B of (32 outputs, step, part, half of 16 outputs): 1 KiB each, in this order, zeros where
// there is no weight. Blocks [begin, end) of 32 outputs.
template <class Format, int kParts, typename T>
struct PackTileWeights {
  using Element = typename Format::Element;
  static constexpr int64_t kTile = kTileRows * kTileBytes / static_cast<int64_t>(sizeof(Element));
  static constexpr int kPack = Format::kPack;

  static int64_t elements(const WeightView<T>& w, const std::vector<TileStep>& steps) {
    return ceil_div(w.outputs, 32) * static_cast<int64_t>(steps.size()) * kParts * 2 * kTile;
  }

  template <class Target>
  LAMPYRIS_INLINE static void run(const WeightView<T>& w, const std::vector<TileStep>& steps,
                                  int64_t pad, int64_t stride, Element* packed, int64_t begin,
                                  int64_t end) {
    const int64_t count = static_cast<int64_t>(steps.size());
    for (int64_t tile = 2 * begin * count; tile < 2 * end * count; ++tile) {
      const int64_t half = tile % 2, s = tile / 2 % count, block = tile / 2 / count;
      const TileStep& step = steps[static_cast<size_t>(s)];
      Element* out = packed + ((block * count + s) * kParts * 2 + half) * kTile;
      const int64_t first = 32 * block + 16 * half;
      const int64_t outputs = std::clamp<int64_t>(w.outputs - first, 0, 16);
      int64_t tap = step.first / pad, c = step.first % pad;
      for (int k = 0; k < Format::kDepth; k += kPack) {
        T values[kPack][16] = {};
        for (int i = 0; i < kPack; ++i) {
          if (tap < step.taps && c < w.channels) {
            const T* from = w.data + first * w.out + c * w.in + step.i * w.row +
                            (step.j + tap * stride) * w.column;
            gather(from, w.out, outputs, values[i]);
          }
          if (++c == pad) c = 0, ++tap;
        }
        pack_tile_row<kParts>(values, out + k * 16, 2 * kTile);
      }
    }
  }

 private:
  LAMPYRIS_INLINE static void gather(const T* from, int64_t stride, int64_t count, T* to) {
    if (count == 16) {
      for (int o = 0; o < 16; ++o) to[o] = from[o * stride];
    } else {
      for (int64_t o = 0; o < count; ++o) to[o] = from[o * stride];
    }
  }
};

}  // namespace lampyris
