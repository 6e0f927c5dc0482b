// One DSP48E2 slice as FireFly uses it: multiplier and pre-adder off, so the 48-bit ALU adds what
// the W, X, Y and Z multiplexers select. One register each for A:B, C, OPMODE and P, with clock
// enable and synchronous reset; PCIN is not registered. Lanes wrap, nothing saturates. Facts: UG579
// tables 2-2 to 2-8.
#pragma once

#include <array>
#include <cstdint>

namespace lampyris::firefly {

inline constexpr uint64_t kMask48 = (uint64_t{1} << 48) - 1;
inline constexpr int kSliceLanes = 4;      // FOUR12
inline constexpr int kSliceLaneBits = 12;

// Where the carry chain of the ALU is cut.
enum class Simd : uint8_t { kOne48, kTwo24, kFour12 };

// How a spike selects the weights on C: W multiplexer (paper) or Y multiplexer (released source).
enum class SliceForm : uint8_t { kPaperW, kReleasedY };

// OPMODE = W[8:7] Z[6:4] Y[3:2] X[1:0].
int opmode(SliceForm form, bool spike_ab, bool spike_c, bool cascaded);

// Ports at a rising edge.
struct SlicePorts {
  uint32_t a = 0;     // 30 bits: upper part of A:B
  uint32_t b = 0;     // 18 bits
  uint64_t c = 0;     // 48 bits
  uint64_t pcin = 0;  // 48 bits
  int opmode = 0;     // 9 bits
  int alumode = 0;    // only 0000, add
  bool enable_ab = true, enable_c = true, enable_control = true, enable_p = true;
  bool reset_ab = false, reset_c = false, reset_control = false, reset_p = false;
};

class DspSlice {
 public:
  // `rnd`: the constant that W = 10 selects.
  explicit DspSlice(Simd simd = Simd::kFour12, uint64_t rnd = 0)
      : simd_(simd), rnd_(rnd & kMask48) {}

  // Rising edge. Throws std::invalid_argument for a multiplexer code that needs the multiplier and
  // for another ALUMODE.
  void clock(const SlicePorts& ports);

  uint64_t p() const { return p_; }  // also PCOUT

 private:
  uint64_t alu(uint64_t pcin) const;

  Simd simd_;
  uint64_t rnd_;
  uint64_t ab_ = 0, c_ = 0, p_ = 0;
  int opmode_ = 0;
};

// Sum of 48-bit words with the carries cut at the lanes.
uint64_t simd_add(Simd simd, uint64_t x, uint64_t y);

// Four weights sign-extended to 12 bits, weight 0 in the lowest lane.
uint64_t join_lanes(const std::array<int8_t, kSliceLanes>& weights);
// Lane `lane` of a P word, sign-extended.
int32_t lane_of(uint64_t p, int lane);

}  // namespace lampyris::firefly
