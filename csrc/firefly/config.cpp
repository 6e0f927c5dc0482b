#include "firefly/config.h"

#include <array>

#include "core/error.h"

namespace lampyris::firefly {

namespace {
constexpr int64_t kUltra96Output = int64_t{1} << 16;  // its S2MM length field has 16 bits
// 64-bit DDR4 at 2400 MT/s (zcu104), 32-bit LPDDR4 / DDR4 on the small boards: peak bytes per
// 300 MHz cycle of the memory, before refresh and turn-around.
constexpr double kSmallBoardDdr = 28;
constexpr double kLargeBoardDdr = 64;
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
    config.max_output_transfer = kUltra96Output;
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

}  // namespace lampyris::firefly
