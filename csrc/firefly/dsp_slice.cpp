#include "firefly/dsp_slice.h"

#include "core/error.h"
#include "core/fixed_point.h"

namespace lampyris::firefly {

namespace {

constexpr int kSelectAb = 0b11;            // X
constexpr int kSelectCOnY = 0b11 << 2;     // Y
constexpr int kSelectPcin = 0b001 << 4;    // Z
constexpr int kSelectCOnW = 0b11 << 7;     // W
constexpr int kShift17 = 17;

// Highest bit of every lane.
uint64_t lane_tops(Simd simd) {
  switch (simd) {
    case Simd::kFour12:
      return 0x800800800800;
    case Simd::kTwo24:
      return 0x800000800000;
    default:
      return 0x800000000000;
  }
}

// Arithmetic shift of a 48-bit word, kept in 48 bits.
uint64_t shift17(uint64_t word) {
  const int64_t wide = static_cast<int64_t>(word << 16) >> 16;
  return static_cast<uint64_t>(wide >> kShift17) & kMask48;
}

[[noreturn]] void refuse(const char* name, int code) {
  fail("dsp slice: opmode must select no multiplier output, got {} = {:b}", name, code);
}

}  // namespace

int opmode(SliceForm form, bool spike_ab, bool spike_c, bool cascaded) {
  const int c = form == SliceForm::kPaperW ? kSelectCOnW : kSelectCOnY;
  return (spike_ab ? kSelectAb : 0) | (spike_c ? c : 0) | (cascaded ? kSelectPcin : 0);
}

uint64_t simd_add(Simd simd, uint64_t x, uint64_t y) {
  // Without the top bits no carry leaves a lane; they are added apart, modulo 2.
  const uint64_t tops = lane_tops(simd);
  return (((x & ~tops) + (y & ~tops)) ^ ((x ^ y) & tops)) & kMask48;
}

uint64_t DspSlice::alu(uint64_t pcin) const {
  const int x = opmode_ & 3, y = opmode_ >> 2 & 3, z = opmode_ >> 4 & 7, w = opmode_ >> 7 & 3;
  if (x == 1) refuse("X", x);
  if (y == 1) refuse("Y", y);
  if (z == 4) refuse("Z", z);
  const uint64_t xs[] = {0, 0, p_, ab_};
  const uint64_t ys[] = {0, 0, kMask48, c_};
  const uint64_t ws[] = {0, p_, rnd_, c_};
  const uint64_t zs[] = {0, pcin, p_, c_, 0, shift17(pcin), shift17(p_), shift17(p_)};
  return simd_add(simd_, simd_add(simd_, xs[x], ys[y]), simd_add(simd_, zs[z], ws[w]));
}

void DspSlice::clock(const SlicePorts& in) {
  if (in.alumode != 0) fail("dsp slice: alumode must be 0000, got {:04b}", in.alumode);
  const uint64_t sum = alu(in.pcin & kMask48);
  if (in.reset_p)
    p_ = 0;
  else if (in.enable_p)
    p_ = sum;
  if (in.reset_ab)
    ab_ = 0;
  else if (in.enable_ab)
    ab_ = (uint64_t{in.a} << 18 | (in.b & 0x3FFFF)) & kMask48;
  if (in.reset_c)
    c_ = 0;
  else if (in.enable_c)
    c_ = in.c & kMask48;
  if (in.reset_control)
    opmode_ = 0;
  else if (in.enable_control)
    opmode_ = in.opmode & 0x1FF;
}

uint64_t join_lanes(const std::array<int8_t, kSliceLanes>& weights) {
  constexpr uint64_t kLane = (uint64_t{1} << kSliceLaneBits) - 1;
  uint64_t word = 0;
  for (int lane = 0; lane < kSliceLanes; ++lane)
    word |= (static_cast<uint64_t>(int64_t{weights[static_cast<size_t>(lane)]}) & kLane)
            << lane * kSliceLaneBits;
  return word;
}

int32_t lane_of(uint64_t p, int lane) {
  return wrap(static_cast<int32_t>(p >> lane * kSliceLaneBits & 0xFFF), kSliceLaneBits);
}

}  // namespace lampyris::firefly
