// Slices and memory blocks of one build, from depth x width; beside what the paper reports for the
// board.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "firefly/config.h"

namespace lampyris::firefly {

// Where a memory goes: LUTs when it is shallow, else block RAM or, where the part has it and the
// memory is deep and wide, ultra RAM.
enum class RamKind : uint8_t { kLut, kBlock, kUltra };
std::string_view ram_name(RamKind kind);

struct RamUse {
  std::string name;
  int64_t depth = 0, width = 0;  // words, bits
  int copies = 1;
  RamKind kind = RamKind::kBlock;
  int64_t blocks = 0;  // halves of a block RAM (18 Kb), or ultra RAMs

  int64_t bits() const { return depth * width * copies; }
};

// 18 Kb halves of block RAMs that hold depth x width, in the best of their aspect ratios.
int64_t block_ram_halves(int64_t depth, int64_t width);
// 4096 x 72.
int64_t ultra_rams(int64_t depth, int64_t width);

// A part and what its published build used (all cores); 0 where nothing is published.
struct Board {
  std::string part;
  int dsp = 0, block_rams = 0, ultra_rams = 0, kilo_luts = 0;
  int used_dsp = 0, used_block_rams = 0, used_ultra_rams = 0, used_kilo_luts = 0;
  double published_watts = 0;  // programmable logic
  double published_soc_watts = 0;
};
const Board& board_of(std::string_view preset);

struct Resources {
  Config config;
  Board board;
  bool extension = false;
  std::vector<RamUse> memories;  // of one core
  int64_t dsp = 0;               // of all cores, like what follows
  int64_t block_rams = 0;        // 36 Kb
  int64_t ultra_rams = 0;
  int64_t bits = 0;

  double peak_operations_per_second() const;
};

// `extension`: with the buffers of target ems (24-bit sums beside 18-bit membranes, threshold
// table, stream FIFOs).
Resources resources_of(const Config& config, bool extension);

}  // namespace lampyris::firefly
