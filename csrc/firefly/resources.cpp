#include "firefly/resources.h"

#include <array>
#include <limits>

#include "core/error.h"
#include "core/fixed_point.h"

namespace lampyris::firefly {

namespace {

constexpr int kLutDepth = 64;  // one level of distributed RAM
constexpr int kUltraDepth = 4096, kUltraWidth = 72;
constexpr int kSumBits = 16, kExtensionSumBits = 24, kBiasBits = 16, kThresholdBits = 18;
constexpr int kLineRows = 2;  // of a 3 x 3 window

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

class Floor {
 public:
  Floor(const Board& board, std::vector<RamUse>& out) : board_(board), out_(out) {}

  void place(const char* name, int64_t depth, int64_t width, int copies = 1) {
    RamUse use{name, depth, width, copies};
    const bool large = depth * width > int64_t{kUltraDepth} * kUltraWidth;
    use.kind = depth <= kLutDepth                  ? RamKind::kLut
               : board_.ultra_rams > 0 && large ? RamKind::kUltra
                                                   : RamKind::kBlock;
    if (use.kind == RamKind::kBlock) use.blocks = block_ram_halves(depth, width) * copies;
    if (use.kind == RamKind::kUltra) use.blocks = ultra_rams(depth, width) * copies;
    out_.push_back(use);
  }

 private:
  const Board& board_;
  std::vector<RamUse>& out_;
};

}  // namespace

std::string_view ram_name(RamKind kind) {
  constexpr std::array<std::string_view, 3> kNames = {"lut", "block", "ultra"};
  return kNames[static_cast<size_t>(kind)];
}

int64_t block_ram_halves(int64_t depth, int64_t width) {
  struct Shape {
    int64_t depth, width;
  };
  constexpr Shape kShapes[] = {{16384, 1}, {8192, 2}, {4096, 4}, {2048, 9}, {1024, 18}, {512, 36}};
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const Shape& s : kShapes)
    least = std::min(least, ceil_div(depth, s.depth) * ceil_div(width, s.width));
  return least;
}

int64_t ultra_rams(int64_t depth, int64_t width) {
  return ceil_div(depth, kUltraDepth) * ceil_div(width, kUltraWidth);
}

// Table II of the paper; whole-chip watts from Table V of its successor.
const Board& board_of(std::string_view preset) {
  static const Board kUltra96{"xczu3eg", 360, 216, 0, 70, 288, 162, 0, 15, 2.55, 3.11};
  static const Board kZcu104{"xczu7ev", 1768, 312, 96, 230, 1152, 25, 40, 42, 0, 18.2};
  static const Board kKv260{"xczu5ev", 1248, 144, 64, 117, 576, 16, 24, 32, 0, 0};
  if (preset == "ultra96") return kUltra96;
  if (preset == "zcu104") return kZcu104;
  if (preset == "kv260") return kKv260;
  fail("resources: preset must be ultra96, zcu104 or kv260, got \"{}\"", preset);
}

double Resources::peak_operations_per_second() const {
  return 2.0 * config.clock_hz * kTaps * config.parallelism * config.parallelism * config.cores;
}

Resources resources_of(const Config& config, bool extension) {
  check_config(config);
  Resources r;
  r.config = config, r.board = board_of(config.preset), r.extension = extension;
  const int64_t p = config.parallelism;
  Floor floor(r.board, r.memories);
  floor.place("line buffer", config.line_depth, p, kLineRows);
  floor.place("weight FIFO", config.weight_depth, kTaps * p * 8);
  if (extension)
    floor.place("sum and membrane", config.psum_depth, p * (kExtensionSumBits + kMembraneBits));
  else
    floor.place("unified psum-membrane", config.psum_depth, p * kMembraneBits);
  floor.place("bias FIFO", config.bias_depth, p * kBiasBits);
  if (extension) floor.place("threshold table", config.bias_depth, p * kThresholdBits);
  floor.place("array FIFO", config.array_fifo, p * (extension ? kThresholdBits : kSumBits));
  floor.place("output FIFO", config.output_fifo, p);
  // Store and forward: a mover holds one whole burst.
  floor.place("parameter mover", config.burst_beats, config.weight_bus_bytes * 8);
  floor.place("spike movers", config.burst_beats, config.spike_bus_bytes * 8, 2);
  if (extension) floor.place("stream movers", config.burst_beats, config.stream_bus_bytes * 8, 2);
  int64_t halves = 0;
  for (const RamUse& use : r.memories) {
    r.bits += use.bits();
    if (use.kind == RamKind::kBlock) halves += use.blocks;
    if (use.kind == RamKind::kUltra) r.ultra_rams += use.blocks;
  }
  r.dsp = kTaps * p / 2 * (p / 4) * config.cores;
  r.block_rams = ceil_div(halves, 2) * config.cores;
  r.ultra_rams *= config.cores;
  r.bits *= config.cores;
  return r;
}

}  // namespace lampyris::firefly
