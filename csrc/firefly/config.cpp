#include "firefly/config.h"

#include <array>

#include "core/error.h"

namespace lampyris::firefly {

namespace {
constexpr int kUltra96OutputBits = 16;  // its S2MM length field
// 64-bit DDR4 at 2400 MT/s (zcu104), 32-bit LPDDR4 / DDR4 on the small boards: peak bytes per
// 300 MHz cycle of the memory, before refresh and turn-around.
constexpr double kSmallBoardDdr = 28;
constexpr double kLargeBoardDdr = 64;

bool power_of_two(int x) { return x > 0 && (x & (x - 1)) == 0; }
}  // namespace

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names = {"ultra96", "zcu104", "kv260"};
  return names;
}

void check_parallelism(std::string_view op, int parallelism) {
  if (parallelism != 16 && parallelism != 32)
    fail("{}: parallelism must be 16 or 32, got {}", op, parallelism);
}

namespace {
constexpr std::array<std::string_view, 3> kDatapaths = {"functional", "cascade", "tree"};
}

std::string_view datapath_name(Datapath datapath) {
  return kDatapaths[static_cast<size_t>(datapath)];
}

Datapath parse_datapath(std::string_view op, std::string_view text) {
  for (size_t i = 0; i < kDatapaths.size(); ++i)
    if (text == kDatapaths[i]) return static_cast<Datapath>(i);
  fail("{}: datapath must be functional, cascade or tree, got \"{}\"", op, text);
}

Config preset_config(std::string_view preset, int parallelism) {
  Config config;
  config.preset = std::string(preset);
  config.ddr_bytes_per_cycle = kSmallBoardDdr;
  if (preset == "ultra96") {
    config.output_transfer_bits = kUltra96OutputBits;
    config.watts = 2.55;
  } else if (preset == "zcu104") {
    config.parallelism = 32;
    config.ddr_bytes_per_cycle = kLargeBoardDdr;
  } else if (preset == "kv260") {
    config.cores = 2;
  } else {
    fail("firefly: preset must be ultra96, zcu104 or kv260, got \"{}\"", preset);
  }
  if (parallelism != 0) {
    check_parallelism("firefly", parallelism);
    config.parallelism = parallelism;
  }
  config.weight_bus_bytes = config.parallelism / 2;
  return config;
}

void check_config(const Config& c) {
  check_parallelism("config", c.parallelism);
  std::vector<std::string> wrong;
  const auto between = [&](std::string_view name, int value, int low, int high) {
    if (value < low || value > high)
      wrong.push_back(text("{} must be {} to {}, got {}", name, low, high, value));
  };
  const auto bus = [&](std::string_view name, int value) {
    if (!power_of_two(value) || value < 4 || value > 64)
      wrong.push_back(text("{} must be a power of two, 4 to 64, got {}", name, value));
  };
  const auto positive = [&](std::string_view name, double value, bool zero) {
    if (!(value > 0 || (zero && value == 0)) || value > 1e12)
      wrong.push_back(text("{} must be positive, got {}", name, value));
  };
  constexpr int kDeep = 1 << 20, kCores = 8, kBits = 31;
  positive("clock_hz", c.clock_hz, false);
  positive("ddr_bytes_per_cycle", c.ddr_bytes_per_cycle, false);
  positive("watts", c.watts, true);
  between("cores", c.cores, 1, kCores);
  between("line_depth", c.line_depth, 3, 1 << 16);
  between("bias_depth", c.bias_depth, 1, kDeep);
  between("weight_depth", c.weight_depth, c.parallelism, kDeep);
  between("psum_depth", c.psum_depth, kTaps, kDeep);
  between("array_fifo", c.array_fifo, 1, kDeep);
  between("output_fifo", c.output_fifo, 1, kDeep);
  between("burst_beats", c.burst_beats, 1, 256);
  between("transfer_bits", c.transfer_bits, 8, kBits);
  between("output_transfer_bits", c.output_transfer_bits, 8, kBits);
  bus("weight_bus_bytes", c.weight_bus_bytes);
  if (c.weight_bus_bytes > c.parallelism)
    wrong.push_back(text("weight_bus_bytes must be at most P = {}, got {}", c.parallelism,
                         c.weight_bus_bytes));
  bus("spike_bus_bytes", c.spike_bus_bytes);
  bus("stream_bus_bytes", c.stream_bus_bytes);
  if (wrong.empty()) return;
  std::string all;
  for (const std::string& line : wrong) all += (all.empty() ? "" : "; ") + line;
  fail("config: {}", all);
}

}  // namespace lampyris::firefly
