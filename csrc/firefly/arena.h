// Where maps live in the arena: two maps whose lifetimes overlap never share a byte.
#pragma once

#include <cstdint>
#include <vector>

namespace lampyris::firefly {

struct ArenaBlock {
  uint64_t bytes = 0;
  int first = 0, last = 0;  // layers during which it is alive, both included
  uint64_t offset = 0;      // out
};

// Sets every offset (a multiple of `align`) and returns the arena's size. Large blocks first, each
// at the lowest place that is free for its whole life.
uint64_t plan_arena(std::vector<ArenaBlock>& blocks, uint64_t align);

}  // namespace lampyris::firefly
