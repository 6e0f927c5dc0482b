// Byte extents of the tensors a command touches.
#pragma once

#include <cstdint>

#include "firefly/command.h"

namespace lampyris::firefly {

// Bytes of one pixel of one channel tile.
inline int64_t spike_pixel_bytes(int parallelism) { return parallelism / 8; }
inline int64_t stream_pixel_bytes(int parallelism) { return parallelism * int64_t{2}; }
inline int64_t int32_pixel_bytes(int parallelism) { return parallelism * int64_t{4}; }

// Bytes from the base to one past the last byte of `steps` x `tiles` blocks of `block` bytes.
inline uint64_t area_extent(const Area& area, int steps, int tiles, int64_t block) {
  return static_cast<uint64_t>(area.stride_t) * static_cast<uint64_t>(steps - 1) +
         static_cast<uint64_t>(area.stride_c) * static_cast<uint64_t>(tiles - 1) +
         static_cast<uint64_t>(block);
}

// Byte address of block (t, tile).
inline uint64_t area_block(const Area& area, int t, int tile) {
  return area.base + static_cast<uint64_t>(area.stride_t) * static_cast<uint64_t>(t) +
         static_cast<uint64_t>(area.stride_c) * static_cast<uint64_t>(tile);
}

// Whether no two of `steps` x `tiles` blocks of `block` bytes share a byte. Interleaved areas, as
// the parts of a concatenation are, count as disjoint.
inline bool blocks_disjoint(const Area& area, int steps, int tiles, int64_t block) {
  const uint64_t size = static_cast<uint64_t>(block);
  const uint64_t step = uint64_t{area.stride_c} * static_cast<uint64_t>(tiles - 1) + size;
  return (tiles == 1 || area.stride_c >= size) && (steps == 1 || area.stride_t >= step);
}

}  // namespace lampyris::firefly
