#include "firefly/result.h"

namespace lampyris::firefly {

namespace {

// `lane(t, tile, y)` gives the first lane of a row; lanes beyond `channels` are padding.
template <class Out, class Map>
void unpack_lanes(const StoredMap& shape, const Map& map, Out* out) {
  const int p = shape.parallelism;
  for (int t = 0; t < shape.steps; ++t)
    for (int c = 0; c < shape.channels; ++c)
      for (int y = 0; y < shape.height; ++y) {
        const auto* lane = map.row(t, c / p, y) + c % p;
        for (int x = 0; x < shape.width; ++x, lane += p) *out++ = static_cast<Out>(*lane);
      }
}

}  // namespace

void StoredMap::decode(uint8_t* out) const {
  if (!fired.empty()) return unpack_lanes(*this, fired, out);
  const int64_t p = parallelism, tiles = (channels + p - 1) / p, pixel = p / 8;
  for (int64_t t = 0; t < steps; ++t)
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t block = (t * tiles + c / p) * height * width * pixel;
      const uint8_t* byte = packed.data() + block + c % p / 8;
      const int bit = static_cast<int>(c % 8);
      for (int64_t i = 0; i < int64_t{height} * width; ++i, byte += pixel)
        *out++ = *byte >> bit & 1;
    }
}

void StoredMap::decode(int16_t* out) const { unpack_lanes(*this, currents, out); }

void StoredMap::decode(int32_t* out) const { unpack_lanes(*this, values, out); }

}  // namespace lampyris::firefly
