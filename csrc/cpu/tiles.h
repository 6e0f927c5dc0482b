// Matrix tiles: 8 registers of 16 rows x 64 bytes. Kernels are templates over a policy with one set
// of members: AmxTiles runs the instructions, EmulatedTiles the same arithmetic in plain loops, so
// that every kernel is tested on processors without them. A policy object is one range's tile
// state: its constructor configures the tiles, its destructor releases them.
//
//   zero<t>()  load<t>(base, stride)  store<t>(base, stride)     rows `stride` bytes apart
//   dot_bf16<c, a, b>()   C[m][n] += sum over k of A[m][2k] B[k][2n] + A[m][2k+1] B[k][2n+1]
//   dot_u8s8<c, a, b>()   the same over 4 bytes, A unsigned, B signed, C int32 (wraps)
//   dot_s8s8<c, a, b>()   both signed
//
// A is row-major; a row of B holds 2 (4) consecutive k of one column side by side.
#pragma once

#include <array>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/error.h"
#include "cpu/dispatch.h"
#include "cpu/isa.h"

namespace lampyris {

inline constexpr int kTiles = 8, kTileRows = 16, kTileBytes = 64;

// The operand of ldtilecfg: palette 1, rows and bytes per row of each tile.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t colsb[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

constexpr TileConfig full_tiles() {
  TileConfig config;
  for (int t = 0; t < kTiles; ++t) {
    config.rows[t] = kTileRows;
    config.colsb[t] = kTileBytes;
  }
  return config;
}
inline constexpr TileConfig kFullTiles = full_tiles();

// bfloat16 to nearest even; NaN stays NaN.
LAMPYRIS_INLINE uint16_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
  return static_cast<uint16_t>(value != value ? bits >> 16 | 0x40U : rounded);
}

LAMPYRIS_INLINE float from_bf16(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

// Denormals count as zero, as operands and as results.
LAMPYRIS_INLINE float flush_denormal(float value) {
  return std::fabs(value) < FLT_MIN ? std::copysign(0.0F, value) : value;
}

// Arithmetic of the instructions with the tile number at run time. dot_bf16 keeps the
// instruction's order: even and odd k in two sums from zero, added to each other, then to C. The
// instruction fuses product and sum; a product of two bfloat16 is exact in float32, so that is the
// same unless the product leaves float32's normal range.
class TileState {
 public:
  explicit constexpr TileState(const TileConfig& config = kFullTiles) : config_(config) {}

  void zero(int t) { std::memset(tile_[t], 0, sizeof tile_[t]); }

  __attribute__((noinline)) void load(int t, const void* base, int64_t stride) {
    zero(t);
    const char* from = static_cast<const char*>(base);
    for (int m = 0; m < config_.rows[t]; ++m) {
      std::memcpy(tile_[t][m], from + m * stride, config_.colsb[t]);
    }
  }

  __attribute__((noinline)) void store(int t, void* base, int64_t stride) const {
    char* to = static_cast<char*>(base);
    for (int m = 0; m < config_.rows[t]; ++m) {
      std::memcpy(to + m * stride, tile_[t][m], config_.colsb[t]);
    }
  }

  __attribute__((noinline)) void dot_bf16(int c, int a, int b) {
    check(c, a, b);
    for (int m = 0; m < config_.rows[c]; ++m) {
      std::array<float, kColumns> even{}, odd{};
      for (int k = 0; k < config_.colsb[a] / 4; ++k) {
        uint16_t left[2], right[2 * kColumns];
        std::memcpy(left, tile_[a][m] + 4 * k, sizeof left);
        std::memcpy(right, tile_[b][k], sizeof right);
        const float a0 = flush_denormal(from_bf16(left[0]));
        const float a1 = flush_denormal(from_bf16(left[1]));
        for (int n = 0; n < kColumns; ++n) {
          const float b0 = flush_denormal(from_bf16(right[2 * n]));
          const float b1 = flush_denormal(from_bf16(right[2 * n + 1]));
          even[n] = flush_denormal(even[n] + a0 * b0);
          odd[n] = flush_denormal(odd[n] + a1 * b1);
        }
      }
      float row[kColumns];
      std::memcpy(row, tile_[c][m], sizeof row);
      for (int n = 0; n < kColumns; ++n) {
        row[n] = flush_denormal(flush_denormal(row[n]) + flush_denormal(even[n] + odd[n]));
      }
      write_row(c, m, row);
    }
    clear_rows(c);
  }

  template <typename A>
  __attribute__((noinline)) void dot_bytes(int c, int a, int b) {
    check(c, a, b);
    for (int m = 0; m < config_.rows[c]; ++m) {
      uint32_t row[kColumns];
      std::memcpy(row, tile_[c][m], sizeof row);
      for (int k = 0; k < config_.colsb[a] / 4; ++k) {
        A left[4];
        int8_t right[4 * kColumns];
        std::memcpy(left, tile_[a][m] + 4 * k, sizeof left);
        std::memcpy(right, tile_[b][k], sizeof right);
        for (int n = 0; n < kColumns; ++n) {
          int32_t sum = 0;
          for (int i = 0; i < 4; ++i) sum += left[i] * right[4 * n + i];
          row[n] += static_cast<uint32_t>(sum);
        }
      }
      write_row(c, m, row);
    }
    clear_rows(c);
  }

 private:
  static constexpr int kColumns = kTileBytes / 4;

  // What the processor refuses as an undefined instruction.
  void check(int c, int a, int b) const {
    if (config_.rows[c] != config_.rows[a] || config_.colsb[c] != config_.colsb[b] ||
        config_.colsb[a] != 4 * config_.rows[b] || c == a || c == b || a == b) {
      fail(
          "tiles: C must be [rows of A][bytes of B] and bytes of A 4 x rows of B, got tiles {} {} "
          "{}",
          c, a, b);
    }
  }

  template <typename Row>
  void write_row(int c, int m, const Row& row) {
    std::memset(tile_[c][m], 0, kTileBytes);
    std::memcpy(tile_[c][m], row, config_.colsb[c]);
  }

  void clear_rows(int c) {
    for (int m = config_.rows[c]; m < kTileRows; ++m) std::memset(tile_[c][m], 0, kTileBytes);
  }

  TileConfig config_;
  alignas(64) uint8_t tile_[kTiles][kTileRows][kTileBytes] = {};
};

class EmulatedTiles {
 public:
  explicit EmulatedTiles(const TileConfig& config = kFullTiles) : state_(config) {}

  template <int kTile>
  void zero() {
    state_.zero(kTile);
  }
  template <int kTile>
  void load(const void* base, int64_t stride) {
    state_.load(kTile, base, stride);
  }
  template <int kTile>
  void store(void* base, int64_t stride) const {
    state_.store(kTile, base, stride);
  }
  template <int kC, int kA, int kB>
  void dot_bf16() {
    state_.dot_bf16(kC, kA, kB);
  }
  template <int kC, int kA, int kB>
  void dot_u8s8() {
    state_.dot_bytes<uint8_t>(kC, kA, kB);
  }
  template <int kC, int kA, int kB>
  void dot_s8s8() {
    state_.dot_bytes<int8_t>(kC, kA, kB);
  }

 private:
  TileState state_;
};

#if defined(__x86_64__)
// The instructions, unguarded: tests run them where a handler stands in for the processor. As
// assembler text because gcc 12's intrinsics do not say that a tile load reads memory, and so that
// bodies need no target of their own: the compiler itself never touches a tile.
class HardwareTiles {
 public:
  explicit LAMPYRIS_INLINE HardwareTiles(const TileConfig& config = kFullTiles) {
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  LAMPYRIS_INLINE ~HardwareTiles() { asm volatile("tilerelease" ::: "memory"); }
  HardwareTiles(const HardwareTiles&) = delete;
  HardwareTiles& operator=(const HardwareTiles&) = delete;

  template <int kTile>
  LAMPYRIS_INLINE void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  template <int kTile>
  LAMPYRIS_INLINE void load(const void* base, int64_t stride) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(kTile), "r"(base), "r"(stride) : "memory");
  }
  template <int kTile>
  LAMPYRIS_INLINE void store(void* base, int64_t stride) const {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(kTile), "r"(base), "r"(stride) : "memory");
  }
  template <int kC, int kA, int kB>
  LAMPYRIS_INLINE void dot_bf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kC), "i"(kA), "i"(kB));
  }
  template <int kC, int kA, int kB>
  LAMPYRIS_INLINE void dot_u8s8() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kC), "i"(kA), "i"(kB));
  }
  template <int kC, int kA, int kB>
  LAMPYRIS_INLINE void dot_s8s8() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kC), "i"(kA), "i"(kB));
  }
};

// A base, so that it is asked before the first instruction.
struct AmxPermission {
  LAMPYRIS_INLINE AmxPermission() {
    if (isa() != Isa::kAmx) fail("tiles: isa must be amx, got {}", isa_name(isa()));
  }
};

// What kernels run: throws where isa() is not amx.
class AmxTiles : private AmxPermission, public HardwareTiles {
 public:
  explicit LAMPYRIS_INLINE AmxTiles(const TileConfig& config = kFullTiles)
      : HardwareTiles(config) {}
};
#endif

}  // namespace lampyris
