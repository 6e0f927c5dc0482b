#include "firefly/arena.h"

#include <algorithm>
#include <numeric>

namespace lampyris::firefly {

uint64_t plan_arena(std::vector<ArenaBlock>& blocks, uint64_t align) {
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });
  const auto round_up = [align](uint64_t x) { return (x + align - 1) / align * align; };
  std::vector<const ArenaBlock*> placed;  // by offset
  uint64_t total = 0;
  for (const size_t i : order) {
    ArenaBlock& block = blocks[i];
    uint64_t offset = 0;
    for (const ArenaBlock* other : placed) {
      if (other->last < block.first || block.last < other->first) continue;
      if (offset + block.bytes <= other->offset) break;
      offset = std::max(offset, round_up(other->offset + other->bytes));
    }
    block.offset = offset;
    total = std::max(total, round_up(offset + block.bytes));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &block,
                                   [](const ArenaBlock* a, const ArenaBlock* b) {
                                     return a->offset < b->offset;
                                   }),
                  &block);
  }
  return total;
}

}  // namespace lampyris::firefly
