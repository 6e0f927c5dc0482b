#include "firefly/spike_plane.h"

#include <cstring>

#include "firefly/area.h"

namespace lampyris::firefly {

namespace {

template <typename Word>
void load_tile(const uint8_t* block, const PlaneShape& shape, int tile, int t,
               SpikePlanes& planes) {
  constexpr int kLanes = 8 * static_cast<int>(sizeof(Word));
  const int word = tile * kLanes / 64, shift = tile * kLanes % 64;
  for (int y = 0; y < shape.height; ++y) {
    const int64_t row = (int64_t{t} * planes.rows + y + shape.top) * planes.columns + shape.left;
    uint64_t* out = planes.bits.data() + row * planes.words + word;
    for (int x = 0; x < shape.width; ++x, block += sizeof(Word), out += planes.words) {
      Word lanes;
      std::memcpy(&lanes, block, sizeof(Word));
      *out |= uint64_t{lanes} << shift;
    }
  }
}

}  // namespace

SpikePlanes load_planes(std::span<const uint8_t> memory, const Area& source,
                        const PlaneShape& shape, int parallelism) {
  SpikePlanes planes;
  planes.steps = shape.steps;
  planes.rows = shape.height + shape.top + shape.bottom;
  planes.columns = shape.width + shape.left + shape.right;
  planes.words = (shape.tiles * parallelism + 63) / 64;
  planes.bits.assign(
      static_cast<size_t>(int64_t{planes.steps} * planes.rows * planes.columns * planes.words), 0);
  for (int t = 0; t < shape.steps; ++t) {
    for (int tile = 0; tile < shape.tiles; ++tile) {
      const uint8_t* block = memory.data() + area_block(source, t, tile);
      if (parallelism == 16)
        load_tile<uint16_t>(block, shape, tile, t, planes);
      else
        load_tile<uint32_t>(block, shape, tile, t, planes);
    }
  }
  return planes;
}

}  // namespace lampyris::firefly
