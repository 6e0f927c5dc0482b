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
    const int64_t row = y + top, i = row % stride;
    if (row < 0 || i >= row_planes() || row / stride >= rows()) return;
    for (int64_t x = std::max<int64_t>(0, -left); x < width; ++x) {
      const int64_t column = x + left, j = column % stride;
      if (j >= column_planes()) continue;
      if (column / stride >= pitch()) return;
      visit(x,
            (i * column_planes() + j) * plane_pixels() + row / stride * pitch() + column / stride);
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

  LAMPYRIS_INLINE T at(int64_t o, int64_t c, int64_t i, int64_t j) const {
    return data[o * out + c * in + i * row + j * column];
  }
};

// Tile B of (32 outputs, step, split, half of 16 outputs): 1 KiB each, in this order, zeros where
// there is no weight. `split(value, k)` is element k of a value's representation.
template <class Format, int kSplits, typename T, typename Split>
TileBuffer<typename Format::Element> pack_tile_weights(const WeightView<T>& w, const TileMap& map,
                                                       const std::vector<TileStep>& steps,
                                                       int64_t pad, Split split) {
  using Element = typename Format::Element;
  constexpr int kDepth = Format::kDepth, kPack = Format::kPack;
  constexpr int64_t kTile = kTileRows * kTileBytes / static_cast<int64_t>(sizeof(Element));
  const int64_t blocks = ceil_div(w.outputs, 32), count = static_cast<int64_t>(steps.size());
  TileBuffer<Element> packed(blocks * count * kSplits * 2 * kTile);
  packed.clear();
  for (int64_t o = 0; o < w.outputs; ++o) {
    for (int64_t s = 0; s < count; ++s) {
      const TileStep& step = steps[static_cast<size_t>(s)];
      Element* tile = packed.data() + ((o / 32 * count + s) * kSplits * 2 + o / 16 % 2) * kTile;
      for (int k = 0; k < kDepth; ++k) {
        const int64_t tap = (step.first + k) / pad, c = (step.first + k) % pad;
        if (tap >= step.taps || c >= w.channels) continue;
        const T value = w.at(o, c, step.i, step.j + tap * map.stride);
        const int64_t at = (k / kPack * 16 + o % 16) * kPack + k % kPack;
        for (int part = 0; part < kSplits; ++part) tile[part * 2 * kTile + at] = split(value, part);
      }
    }
  }
  return packed;
}

}  // namespace lampyris
