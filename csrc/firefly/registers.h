// The AXI-Lite map of docs/contract.md section 5: released block 0x00-0x48, extension 0x80-0xFC.
#pragma once

#include <cstdint>

namespace lampyris::firefly {

namespace reg {
// Released accelerator. Counts are stored minus one.
inline constexpr uint32_t kTiles = 0x00;      // [7:0] ci, [15:8] co, [23:16] T
inline constexpr uint32_t kTileSteps = 0x04;  // [11:0] ci T, [23:12] co T
inline constexpr uint32_t kThreshold = 0x08;  // [9:0] Cin, [31:14] Theta
inline constexpr uint32_t kShape = 0x0C;      // [8:0] W, [24:16] H, flags [31:27]
inline constexpr uint32_t kDone = 0x18;       // read: done; any write clears
inline constexpr uint32_t kOutputStrideT = 0x20;
inline constexpr uint32_t kOutputStrideC = 0x24;
inline constexpr uint32_t kInput = 0x28;
inline constexpr uint32_t kOutput = 0x2C;
inline constexpr uint32_t kInputBytes = 0x30;
inline constexpr uint32_t kOutputBytes = 0x34;
inline constexpr uint32_t kV1Weights = 0x38;
inline constexpr uint32_t kV1WeightBytes = 0x3C;
inline constexpr uint32_t kV1Bias = 0x40;
inline constexpr uint32_t kV1BiasBytes = 0x44;
inline constexpr uint32_t kPulse = 0x48;  // [0] input, [8] output, [16] parameters
// Extension.
inline constexpr uint32_t kIdentity = 0x80;    // read-only
inline constexpr uint32_t kCapability = 0x84;  // read-only: [7:0] P, flags above
inline constexpr uint32_t kStatus = 0x88;      // [0] busy [1] done [2] error [15:8] code
inline constexpr uint32_t kInterrupt = 0x8C;
inline constexpr uint32_t kOperation = 0x90;
inline constexpr uint32_t kWindow = 0x94;
inline constexpr uint32_t kSourceBand = 0x98;
inline constexpr uint32_t kOutputBand = 0x9C;
inline constexpr uint32_t kChannelTiles = 0xA0;
inline constexpr uint32_t kSteps = 0xA4;
inline constexpr uint32_t kTheta = 0xA8;
inline constexpr uint32_t kSource = 0xAC;  // base, stride per t, stride per channel tile
inline constexpr uint32_t kResidual = 0xB8;
inline constexpr uint32_t kSpikes = 0xC4;
inline constexpr uint32_t kStream = 0xD0;  // stream, accumulator or membrane
inline constexpr uint32_t kWeights = 0xDC;
inline constexpr uint32_t kWeightBytes = 0xE0;
inline constexpr uint32_t kBias = 0xE4;
inline constexpr uint32_t kBiasBytes = 0xE8;
inline constexpr uint32_t kCyclesLow = 0xEC;  // read-only, of the last command
inline constexpr uint32_t kCyclesHigh = 0xF0;
inline constexpr uint32_t kClamped = 0xF4;
inline constexpr uint32_t kSaturated = 0xF8;  // clamped membranes, beside the clamped currents
inline constexpr uint32_t kStart = 0xFC;
inline constexpr uint32_t kEnd = 0x100;
}  // namespace reg

inline constexpr uint32_t kIdentityValue = 0x4C460100;  // "LF", version 1.0
inline constexpr uint32_t kCapabilityV1 = 1u << 8;
inline constexpr uint32_t kCapabilityEms = 1u << 9;

inline constexpr uint32_t kStatusBusy = 1u << 0;
inline constexpr uint32_t kStatusDone = 1u << 1;
inline constexpr uint32_t kStatusError = 1u << 2;

inline constexpr uint32_t kPulseInput = 1u << 0;
inline constexpr uint32_t kPulseOutput = 1u << 8;
inline constexpr uint32_t kPulseParameters = 1u << 16;

inline constexpr uint32_t kShapePool = 1u << 28;
inline constexpr uint32_t kShapeLinear = 1u << 29;
inline constexpr uint32_t kShapeWinner = 1u << 30;
inline constexpr uint32_t kShapeLeak = 1u << 31;
// The released source halves after every input tile whenever the leak bit is set and ignores this
// bit; the model halves once per time step unless it is set too.
inline constexpr uint32_t kShapeEveryPass = 1u << 27;

enum class ErrorCode : uint32_t {
  kNone = 0,
  kBusy = 1,        // write while busy, ignored
  kRange = 2,       // a field or a shape outside its limits
  kAlignment = 3,   // an address or stride not aligned to its port
  kOperation = 4,   // an op or a combination of flags that does not exist
  kMemory = 5,      // an area outside the memory
  kRegister = 6,    // no such register, or read-only
  kParameters = 7,  // started without the weights or biases it needs
};

// Relocation of a register value in an image (docs/contract.md section 6.4).
enum class Relocation : uint32_t { kLiteral = 0, kImage = 1, kArena = 2 };

struct RegisterWrite {
  uint32_t offset = 0;
  Relocation relocation = Relocation::kLiteral;
  uint32_t value = 0;
  bool operator==(const RegisterWrite&) const = default;
};

}  // namespace lampyris::firefly
