// Sizes of one FireFly build: array, buffers, bus widths. A preset is what the published boards
// hold; everything that costs a cycle or a byte is derived from these numbers and nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lampyris::firefly {

inline constexpr int kMaxWidth = 512;        // line buffer
inline constexpr int kMaxPixels = 4096;      // unified psum-membrane buffer
inline constexpr int kMaxSteps = 256;        // 8-bit field
inline constexpr int kMaxTiles = 256;        // 8-bit field
inline constexpr int kMaxTileSteps = 4096;   // 12-bit field, tiles * T
inline constexpr int kMaxV1Channels = 1024;  // weight FIFO
inline constexpr int kMaxFanIn = 65000;      // keeps a 24-bit sum of int8 weights exact
inline constexpr int kMaxShift = 4;
inline constexpr int64_t kMaxTransfer = int64_t{1} << 23;  // DataMover length field
inline constexpr int64_t kFlattenBits = 9 * 8 * 4;         // inputs of a fully connected layer

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
  int weight_bus_bytes = 8;                    // parameter DataMover, 8 P / 2 bits
  int spike_bus_bytes = 4;                     // AXI port of the spike DataMovers
  int stream_bus_bytes = 16;                   // extension: one port each way
  double ddr_bytes_per_cycle = 16;             // cap over all ports together
  int64_t max_output_transfer = kMaxTransfer;  // bytes of one output command
  Datapath datapath = Datapath::kFunctional;  // counted as the tree, the released source
  int cores = 1;
  double watts = 0;  // published power of the programmable logic, 0 if none
};

// "ultra96" (P = 16), "zcu104" (P = 32), "kv260" (P = 16, two cores).
// `parallelism` 0 keeps the preset's P. Throws std::invalid_argument.
Config preset_config(std::string_view preset, int parallelism = 0);

const std::vector<std::string>& preset_names();

// P must be 16 or 32.
void check_parallelism(std::string_view op, int parallelism);

}  // namespace lampyris::firefly
