// AXI DataMover commands that a layer emits: 72-bit words on three command streams (parameters,
// input, output) and, for the extension, two more (streams in and out). PG022; facts of the
// released block: burst type INCR, no realignment engine, a tag of 0.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "firefly/command.h"
#include "firefly/config.h"

namespace lampyris::firefly {

enum class Mover : uint8_t { kParameters, kInput, kOutput, kStreamIn, kStreamOut };
std::string_view mover_name(Mover mover);

struct Transfer {
  Mover mover = Mover::kParameters;
  uint32_t address = 0;
  uint32_t bytes = 0;
  bool operator==(const Transfer&) const = default;
};

// RSVD and TAG 8 bits, address 32, DRR 0, EOF 1, DSA 6, TYPE 1, bytes 23: little-endian, bit 0 of
// byte 0 is the lowest bit of the length.
using MoverWord = std::array<uint8_t, 9>;
inline constexpr int kMoverLengthBits = 23;
MoverWord encode_transfer(const Transfer& transfer);
// The mover is not in the word.
Transfer decode_transfer(const MoverWord& word, Mover mover);

// Everything a started command asks for, in the order of each stream. Released layers: biases,
// weights; the whole input once per output tile; one transfer per output tile and time step.
// Extension: one transfer per block (tile of one time step), longer ones split at the limit.
std::vector<Transfer> transfers_of(const V1Command& command, const Config& config);
std::vector<Transfer> transfers_of(const Command& command, const Config& config);

// One AXI burst: at most burst_beats beats and never across a 4 KiB border.
struct Burst {
  uint32_t address = 0;
  int beats = 0;
  bool operator==(const Burst&) const = default;
};
int bus_bytes(Mover mover, const Config& config);
std::vector<Burst> bursts_of(const Transfer& transfer, const Config& config);

}  // namespace lampyris::firefly
