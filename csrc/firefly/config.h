// Sizes of one FireFly build: array, buffers, bus widths. A preset is what the published boards
// hold; limits, cycles, bytes and memory blocks are derived from these numbers and nothing else.
// Arithmetic widths are no sizes: docs/contract.md fixes them (core/fixed_point.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lampyris::firefly {

// Limits of register fields and of the arithmetic: no size moves them.
inline constexpr int kMaxSteps = 256;        // 8-bit field
inline constexpr int kMaxTiles = 256;        // 8-bit field
inline constexpr int kMaxTileSteps = 4096;   // 12-bit field, tiles * T
inline constexpr int kMaxFieldTiles = 4096;  // extension: 12-bit field
inline constexpr int kMaxFieldSide = 512;    // released block: 9-bit field
inline constexpr int kMaxFieldLength = 1024;  // released block: 10-bit weights length
inline constexpr int kMaxFanIn = 65000;      // keeps a 24-bit sum of int8 weights exact
inline constexpr int kMaxShift = 4;
inline constexpr int64_t kFlattenBits = 9 * 8 * 4;  // inputs of a fully connected layer
inline constexpr int kTaps = 9;                     // 3 x 3

// What happens between the last pixel of a tile and the first of the next.
enum class Reload : uint8_t {
  kBubble,  // released source: the stationary registers refill while the array waits, P + 1 cycles
  kSkid,    // paper: a second set of registers fills meanwhile
};

// What computes a layer: packed bits at processor speed, or one of the two arrays clock by clock
// (docs/firefly.md): chains of eight cascaded slices, or single slices behind a ternary tree.
enum class Datapath : uint8_t { kFunctional, kCascade, kTree };

std::string_view datapath_name(Datapath datapath);
// Throws std::invalid_argument naming `op`.
Datapath parse_datapath(std::string_view op, std::string_view text);

struct Config {
  std::string preset;
  int parallelism = 16;  // P: output channels, and input channels per tap
  double clock_hz = 300e6;
  int cores = 1;
  Datapath datapath = Datapath::kFunctional;  // counted as the tree, the released source
  Reload reload = Reload::kBubble;
  // Depths, in words of the buffer.
  int line_depth = 512;     // pixels of a row
  int bias_depth = 512;     // output-channel tiles
  int weight_depth = 1024;  // words of 9 P weights
  int psum_depth = 4096;    // pixels
  int array_fifo = 16;      // elastic FIFO behind the array, columns of P sums
  int output_fifo = 8;      // behind the membrane unit
  // Widths.
  int weight_bus_bytes = 8;         // parameter DataMover, 8 P / 2 bits
  int spike_bus_bytes = 4;          // AXI port of the spike DataMovers
  int stream_bus_bytes = 16;        // extension: one port each way
  double ddr_bytes_per_cycle = 28;  // cap over all ports and cores together
  // DataMovers.
  int burst_beats = 256;
  int transfer_bits = 23;         // length field
  int output_transfer_bits = 23;  // of the output command
  double watts = 0;               // published power of the programmable logic, 0 if none

  int max_width() const { return line_depth; }
  int max_pixels() const { return psum_depth; }
  // A tile is P words; all tiles of an output-channel tile must fit to be used again.
  int max_v1_channels() const { return std::min(weight_depth, kMaxFieldLength); }
  int64_t max_transfer() const { return int64_t{1} << transfer_bits; }
  int64_t max_output_transfer() const { return int64_t{1} << output_transfer_bits; }
  uint32_t spike_align() const { return static_cast<uint32_t>(spike_bus_bytes); }
  uint32_t stream_align() const { return static_cast<uint32_t>(stream_bus_bytes); }
  uint32_t parameter_align() const { return static_cast<uint32_t>(weight_bus_bytes); }

  bool operator==(const Config&) const = default;
};

// "ultra96" (P = 16), "zcu104" (P = 32), "kv260" (P = 16, two cores).
// `parallelism` 0 keeps the preset's P. Throws std::invalid_argument.
Config preset_config(std::string_view preset, int parallelism = 0);

const std::vector<std::string>& preset_names();

// P must be 16 or 32.
void check_parallelism(std::string_view op, int parallelism);

// Every size in its range. Throws std::invalid_argument listing all that are not.
void check_config(const Config& config);

// A JSON object: "preset" and any of the members above; what is left out is the preset's (its bus
// width follows "parallelism"). Reals may be written as numbers. Throws std::invalid_argument.
Config config_from_json(std::string_view text);
// All members, one a line.
std::string config_to_json(const Config& config);

}  // namespace lampyris::firefly
