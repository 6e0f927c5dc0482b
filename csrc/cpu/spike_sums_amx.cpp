#include "cpu/spike_sums_amx.h"

#include "cpu/tile_policy.h"

namespace lampyris {

namespace {

struct ExpandTiledSums {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeSums& s, const TileConv<Bytes>& conv,
                                  const uint32_t* image, int64_t map_bytes, uint8_t* bytes) {
    std::memset(bytes, 0, static_cast<size_t>(s.groups * map_bytes));
    for (int64_t g = 0; g < s.groups; ++g) {
      expand_bits<Target>(conv, image, s.words, g * s.group_channels(), s.group_channels(),
                          bytes + g * map_bytes);
    }
  }
};

}  // namespace

void pack_tiled_sums(const SpikeSums& s, const int8_t* weight, uint8_t* packed) {
  const TileConv<Bytes> conv = tiled_sums_conv(s, 0, 1);
  for (int64_t g = 0; g < s.groups; ++g) {
    dispatch<PackTiledSums>(tiled_sums_weights(s, weight, g), conv.steps, conv.pad, s.stride,
                            packed + g * tiled_sums_weight_bytes(s), int64_t{0},
                            ceil_div(s.group_outputs(), 32));
  }
}

void expand_tiled_sums(const SpikeSums& s, const uint32_t* image, int64_t first, int64_t rows,
                       uint8_t* bytes) {
  dispatch<ExpandTiledSums>(s, tiled_sums_conv(s, first, rows), image,
                            tiled_sums_map_bytes(s, rows), bytes);
}

void tiled_sums(const TiledSums& job) {
  const TilePolicy policy = tile_policy();
  if (policy == TilePolicy::kEmulated) return tiled_sums_with<EmulatedTiles>(job);
  if (policy == TilePolicy::kNone) {
    fail("spike sums: isa must be amx for tiles, got {}", isa_name(isa()));
  }
#if defined(__x86_64__)
  tiled_sums_with<AmxTiles>(job);
#endif
}

}  // namespace lampyris
