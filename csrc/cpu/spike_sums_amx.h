// Exact sums of packed spikes with int8 weights on matrix tiles (cpu/tile_conv.h): spikes as bytes
// 0 and 1, 64 of them a step, int32 sums. The same at any density.
#pragma once

#include "cpu/spike_sums.h"
#include "cpu/tile_conv.h"

namespace lampyris {

// Rows [first, first + rows) of the output as a convolution of the input rows that they read, of
// one group; weights and output pointers are left to the caller.
inline TileConv<Bytes> tiled_sums_conv(const SpikeSums& s, int64_t first, int64_t rows) {
  TileConv<Bytes> conv;
  conv.map = {s.height,
              s.width,
              s.padding - first * s.stride,
              s.padding,
              s.kernel_height,
              s.kernel_width,
              s.stride,
              rows,
              s.out_width};
  conv.pad = padded_channels(s.group_channels());
  conv.steps = tile_steps(conv.map, conv.pad, Bytes::kDepth);
  conv.outputs = s.group_outputs();
  return conv;
}

using PackTiledSums = PackTileWeights<Bytes, 1, int8_t>;

inline WeightView<int8_t> tiled_sums_weights(const SpikeSums& s, const int8_t* weight, int64_t g) {
  const int64_t fan_in = s.group_channels() * s.taps();
  return {weight + g * s.group_outputs() * fan_in,
          s.group_outputs(),
          s.group_channels(),
          fan_in,
          s.taps(),
          s.kernel_width,
          1};
}

// Bytes of the weights of one group, and of the expanded rows of one group.
inline int64_t tiled_sums_weight_bytes(const SpikeSums& s) {
  const TileConv<Bytes> conv = tiled_sums_conv(s, 0, 1);
  return PackTiledSums::elements(tiled_sums_weights(s, nullptr, 0), conv.steps);
}
inline int64_t tiled_sums_map_bytes(const SpikeSums& s, int64_t rows) {
  return ceil_div(tiled_sums_conv(s, 0, rows).split_elements(), kTileBytes) * kTileBytes;
}

// All groups, one after the other.
void pack_tiled_sums(const SpikeSums& s, const int8_t* weight, uint8_t* packed);

// The input rows that output rows [first, first + rows) of `image` read, all groups.
void expand_tiled_sums(const SpikeSums& s, const uint32_t* image, int64_t first, int64_t rows,
                       uint8_t* bytes);

struct TiledSums {
  const SpikeSums* shape;
  const uint8_t* weights;  // pack_tiled_sums
  const uint8_t* bytes;    // expand_tiled_sums of output rows [first, first + rows)
  int64_t first, rows;
  int64_t begin, end;  // output rows to sum, of those
  int32_t* out;        // pixel (y, x) at ((y - begin) out_width + x) pitch
  int64_t pitch;
};

template <class Tiles>
struct TiledSumsRows {
  template <class Target>
  LAMPYRIS_INLINE static void run(const TiledSums& job) {
    const SpikeSums& s = *job.shape;
    TileConv<Bytes> conv = tiled_sums_conv(s, job.first, job.rows);
    conv.map.out_height = job.end - job.begin;
    conv.out_pixel = job.pitch;
    conv.out_row = s.out_width * job.pitch;
    const int64_t weight_bytes = tiled_sums_weight_bytes(s);
    const int64_t map_bytes = tiled_sums_map_bytes(s, job.rows);
    const int64_t skipped = (job.begin - job.first) * conv.map.pitch() * conv.pad;
    Tiles tiles;
    for (int64_t g = 0; g < s.groups; ++g) {
      conv.weights = job.weights + g * weight_bytes;
      for (int64_t block = 0; 32 * block < conv.outputs; ++block) {
        TileProduct<Bytes, 1, 1, 1>::run(tiles, conv, job.bytes + g * map_bytes + skipped, block,
                                         job.out + g * conv.outputs);
      }
    }
  }
};

template <class Tiles>
void tiled_sums_with(const TiledSums& job) {
  if (job.begin < job.end) run_tiles<Tiles, TiledSumsRows<Tiles>>(job);
}

// By tile_policy(); throws where that is kNone.
void tiled_sums(const TiledSums& job);

// Output rows whose expanded input stays in a second-level cache.
inline int64_t tiled_sums_rows(const SpikeSums& s) {
  constexpr int64_t kCache = 512 << 10, kLeast = 8;
  const int64_t row = ceil_div(tiled_sums_map_bytes(s, s.out_height), s.out_height) * s.groups;
  return std::max(kLeast, kCache / row);
}

}  // namespace lampyris
