#include "cpu/tile_policy.h"

#include <atomic>

#include "cpu/isa.h"

namespace lampyris {

namespace {
std::atomic<bool> emulated{false};
}

TilePolicy tile_policy() {
  if (emulated.load(std::memory_order_relaxed)) return TilePolicy::kEmulated;
  return isa() == Isa::kAmx ? TilePolicy::kAmx : TilePolicy::kNone;
}

bool emulate_tiles(bool on) { return emulated.exchange(on); }

}  // namespace lampyris
