// The tile instructions of the compiled kernels on any x86-64 Linux: where the processor refuses
// them (SIGILL) a handler decodes each one and does its work on a TileState, so that encodings,
// operands, strides and the order of the real code are what is tested.
#pragma once

#include "cpu/tiles.h"

#if defined(__x86_64__) && defined(__linux__)
#define LAMPYRIS_TRAPPED_TILES 1
#endif

namespace lampyris {

#if defined(LAMPYRIS_TRAPPED_TILES)
struct TileTraps {
  TileTraps();                    // installs the handler once
  static bool configured();       // this thread's tiles are between ldtilecfg and tilerelease
  static bool handled();          // instructions were caught: the processor has none
  static int64_t instructions();  // caught so far, all threads
};

class TrappedTiles : private TileTraps, public HardwareTiles {
 public:
  explicit LAMPYRIS_INLINE TrappedTiles(const TileConfig& config = kFullTiles)
      : HardwareTiles(config) {}
};
#else
using TrappedTiles = EmulatedTiles;
#endif

}  // namespace lampyris
