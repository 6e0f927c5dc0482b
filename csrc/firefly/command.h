// One decoded command of either register block, and its register image.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firefly/config.h"
#include "firefly/registers.h"

namespace lampyris::firefly {

enum class Op : uint8_t { kConv = 1, kNeuron = 2, kMaxPool = 3, kUpsample = 4 };
enum class Leak : uint8_t { kNone = 0, kHalfAfter = 1, kBefore = 2, kEveryPass = 3 };

std::string_view op_name(Op op);
std::string_view leak_name(Leak leak);
// "none", "half_after", "before", "leak_every_pass"; throws std::invalid_argument naming `op`.
Leak parse_leak(std::string_view op, std::string_view text);

// Base address and byte strides of one tensor in memory: (t)(channel tile)(h)(w)(p).
struct Area {
  uint32_t base = 0;
  uint32_t stride_t = 0;
  uint32_t stride_c = 0;
};

// Extension command (target ems).
struct Command {
  Op op = Op::kConv;
  bool preload = false;  // add the residual stream
  bool spikes_out = false;
  bool stream_out = false;
  bool accumulate = false;    // int32 sum over T instead of currents
  bool membrane_out = false;  // int32 V after the last step
  bool table = false;         // one threshold per channel behind the bias
  int shift = 0;
  Leak leak = Leak::kNone;
  int k = 0;
  int kernel = 1;
  int stride = 1;
  bool pad_top = false, pad_bottom = false, pad_left = false, pad_right = false;
  int in_h = 1, in_w = 1, out_h = 1, out_w = 1;
  int co_tiles = 1, ci_tiles = 1;
  int steps = 1;
  int32_t theta = 0;
  Area source, residual, spikes, stream;
  uint32_t weights = 0, weight_bytes = 0, bias = 0, bias_bytes = 0;

  bool fires() const { return spikes_out || membrane_out; }
};

// Released layer (target v1).
struct V1Command {
  int ci_tiles = 1, co_tiles = 1, steps = 1;
  int ci_steps = 1, co_steps = 1;  // the products, stored separately in the registers
  int weight_length = 1;           // input channels
  int32_t theta = 0;
  int height = 1, width = 1;
  bool pool = false, linear = false, winner = false, leak = false, every_pass = false;
  Area output;
  uint32_t input = 0, input_bytes = 0, output_bytes = 0;
  uint32_t weights = 0, weight_bytes = 0, bias = 0, bias_bytes = 0;

  Leak leak_kind() const {
    return !leak ? Leak::kNone : (every_pass ? Leak::kEveryPass : Leak::kHalfAfter);
  }
};

// Values of all registers, index = offset / 4.
using RegisterValues = std::array<uint32_t, reg::kEnd / 4>;

// All bits of the fields are kept: range checks come after (check_command).
Command decode_command(const RegisterValues& values);
V1Command decode_v1(const RegisterValues& values);

// Writes in order, the start included. Addresses of weights and biases are relative to the image,
// of tensors to the arena. Fields must be in range.
std::vector<RegisterWrite> encode_command(const Command& command);
std::vector<RegisterWrite> encode_v1(const V1Command& command);
// Number of register writes that encode_* gives.
inline constexpr int kCommandWrites = 25;
inline constexpr int kV1Writes = 17;

// Why a command must not run: a code for the status register, a sentence for a person.
struct Check {
  ErrorCode code = ErrorCode::kNone;
  std::string_view what;

  operator ErrorCode() const { return code; }
};

std::string_view error_text(ErrorCode code);

// Bits that no field uses must be 0: the extension starts nothing otherwise.
Check check_reserved(const RegisterValues& values);
// The threshold table of a command that passed check_command: 18 bits, sign-extended.
Check check_table(const Command& command, const Config& config, std::span<const uint8_t> memory);
// `memory_bytes` bounds every area.
Check check_command(const Command& command, const Config& config, uint64_t memory_bytes);
Check check_v1(const V1Command& command, const Config& config, uint64_t memory_bytes);

}  // namespace lampyris::firefly
