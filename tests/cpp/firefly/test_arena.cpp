#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "firefly/arena.h"

namespace lampyris::firefly {
namespace {

TEST(Arena, ReusesWhatIsDead) {
  // A chain: each block lives for two layers, so two places are enough.
  std::vector<ArenaBlock> blocks;
  for (int n = 0; n < 8; ++n) blocks.push_back({100, n, n + 1, 0});
  EXPECT_EQ(plan_arena(blocks, 64), 256u);
}

TEST(Arena, LiveBlocksNeverOverlap) {
  std::mt19937 generator(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<ArenaBlock> blocks(30);
    for (ArenaBlock& block : blocks) {
      block.bytes = 1 + generator() % 5000;
      block.first = static_cast<int>(generator() % 20) - 1;
      block.last = block.first + static_cast<int>(generator() % 8);
    }
    const uint64_t total = plan_arena(blocks, 64);
    for (size_t a = 0; a < blocks.size(); ++a) {
      EXPECT_EQ(blocks[a].offset % 64, 0u);
      EXPECT_LE(blocks[a].offset + blocks[a].bytes, total);
      for (size_t b = 0; b < a; ++b) {
        const bool together =
            blocks[a].first <= blocks[b].last && blocks[b].first <= blocks[a].last;
        const bool apart = blocks[a].offset + blocks[a].bytes <= blocks[b].offset ||
                           blocks[b].offset + blocks[b].bytes <= blocks[a].offset;
        EXPECT_TRUE(!together || apart);
      }
    }
  }
}

}  // namespace
}  // namespace lampyris::firefly
