// Whether kernels on matrix tiles (cpu/tiles.h) run, and how.
#pragma once

namespace lampyris {

enum class TilePolicy {
  kNone,
  kAmx,       // the instructions; throws where isa() is not amx
  kEmulated,  // the same kernels in plain loops, slow: tests only
};

// kAmx where isa() is amx, else kNone; kEmulated after emulate_tiles(true).
TilePolicy tile_policy();

// For tests, for the process; returns what was set.
bool emulate_tiles(bool on);

}  // namespace lampyris
