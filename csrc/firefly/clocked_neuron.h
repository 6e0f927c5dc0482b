// The membrane unit, clock by clock: read, add, the maximum tree over P lanes, compare and write
// back. v1 keeps partial sum and membrane in one 18-bit word that wraps; ems keeps a partial sum
// (24 bits, or 32 when it accumulates over T) beside a membrane that saturates at 18 bits.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "firefly/array_shape.h"
#include "firefly/command.h"

namespace lampyris::firefly {

inline constexpr int kPsumBits = 24;
using LaneWords = std::array<int32_t, kMostLanes>;

struct NeuronShape {
  int parallelism = 16;
  bool ems = false;
  int ci_tiles = 1, steps = 1;
  int pixels = 1;
  Leak leak = Leak::kNone;
  int k = 0;          // of before(k)
  int shift = 0;      // left shift of an ems sum
  bool winner = false, accumulate = false;
  bool fires = true;  // false: an ems command without a neuron
};

class ClockedNeuron {
 public:
  // Where a tile sum belongs, by the unit's own counters.
  struct Place {
    int o = 0, t = 0, i = 0, pixel = 0;
  };
  // A pixel that has left the unit.
  struct Done {
    Place place;
    bool last = false;    // last input tile: the fields below count
    uint32_t fired = 0;   // lane l is bit l
    LaneWords compared;   // V before the reset
    LaneWords membrane;   // V after it; v1 before the last tile: the partial sum
    LaneWords current;    // X, or the accumulator
  };

  // Parameters of all output channels; they must outlive the unit.
  ClockedNeuron(const NeuronShape& shape, const int16_t* bias, const int32_t* threshold);

  int latency() const { return static_cast<int>(slots_.size()) + 1; }
  // Place of the next sum.
  const Place& next() const { return place_; }
  bool last_pass() const { return place_.i + 1 == shape_.ci_tiles; }

  // One clock. `sums` (P words) nullptr: nothing arrives; `residual` (P) nullptr: zeros.
  void clock(const int32_t* sums, const int16_t* residual);
  // The register behind the last stage, or nullptr.
  const Done* output() const { return has_output_ ? &output_ : nullptr; }

  int64_t clamped() const { return clamped_; }
  int64_t saturated() const { return saturated_; }

 private:
  friend struct NeuronClock;
  struct Slot {
    bool valid = false;
    Place place;
    LaneWords sum, psum, v, residual, maximum;
  };

  void advance();
  NeuronShape shape_;
  const int16_t* bias_;
  const int32_t* threshold_;
  Place place_;
  std::vector<Slot> slots_;  // all registers but the last, in a ring
  size_t newest_ = 0;
  Done output_;
  bool has_output_ = false;
  std::vector<int32_t> psum_, membrane_;  // [pixel][P]
  int64_t clamped_ = 0, saturated_ = 0;
};

}  // namespace lampyris::firefly
