// Spikes times weights on matrix units: bits become bfloat16 tiles in shared memory, float32
// weights three bfloat16 terms whose sum they are (one with bfloat16 operands), sums are float32.
// One template for the device and, with threads and emulated fragments, for tests.
//
// A Fragments policy names A, B and Sum (16 x 16, a warp's), kWarp lanes to a warp, and has fill,
// load_a, load_b, multiply (sum += a b) and store. Words gives the bits of a row: row(m) once, then
// word(row, k) for the k-th 32 of its depth.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/attributes.h"
#include "core/team.h"

namespace lampyris {

inline constexpr int kGemmRows = 128, kGemmColumns = 64, kGemmDepth = 32;  // of a tile
inline constexpr int kFragment = 16;
inline constexpr int kGemmWarps = 8;                    // each 32 rows x 32 columns
inline constexpr int kGemmPad = 8;                      // keeps rows off the same banks
inline constexpr uint32_t kOneBfloat16 = 0x3F80;

struct SpikeGemm {
  int64_t rows = 0, columns = 0;
  int64_t depth_words = 0;
  const uint16_t* weight = nullptr;  // [depth_words][parts][kGemmDepth][padded_columns()]
  const float* bias = nullptr;       // [columns], may be null
  float* out = nullptr;              // [rows, out_stride], columns of it
  int64_t out_stride = 0;

  LAMPYRIS_INLINE int64_t padded_columns() const {
    return (columns + kGemmColumns - 1) / kGemmColumns * kGemmColumns;
  }
};

// Bits of the nearest bfloat16, ties to even, of a finite value.
LAMPYRIS_INLINE uint16_t nearest_bfloat16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

LAMPYRIS_INLINE float from_bfloat16(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

// Term `part` of value = sum of three bfloat16 numbers (exact within bfloat16's range of exponents).
LAMPYRIS_INLINE uint16_t bfloat16_term(float value, int part) {
  for (; part > 0; --part) value -= from_bfloat16(nearest_bfloat16(value));
  return nearest_bfloat16(value);
}

template <int kParts>
struct alignas(32) GemmOperands {
  uint16_t a[kGemmRows][kGemmDepth + kGemmPad];
  uint16_t b[kParts][kGemmDepth][kGemmColumns + kGemmPad];
};

struct alignas(32) GemmSums {
  float out[kGemmRows][kGemmColumns + kGemmPad / 2];
};

template <int kParts>
union GemmShared {
  GemmOperands<kParts> in;
  GemmSums sums;
};

// 16 bits as 16 bfloat16 numbers 0 or 1; `to` is aligned to 16 bytes.
LAMPYRIS_INLINE void unpack_bfloat16(uint32_t bits, uint16_t* to) {
  auto* pairs = reinterpret_cast<uint32_t*>(to);
  for (int i = 0; i < 8; ++i) {
    const uint32_t low = bits >> (2 * i) & 1U, high = bits >> (2 * i + 1) & 1U;
    pairs[i] = low * kOneBfloat16 | high * (kOneBfloat16 << 16);
  }
}

// The tile whose first output is (row, column): team.size() is kGemmWarps * Fragments::kWarp.
template <class Fragments, int kParts, class Team, class Words>
LAMPYRIS_TEAM void spike_gemm_tile(const Team& team, const SpikeGemm& g, const Words& words,
                                   int64_t row, int64_t column, GemmShared<kParts>& shared) {
  constexpr int kLanes = kGemmWarps * Fragments::kWarp;
  constexpr int kHalves = 2 * kGemmRows / kLanes;  // 16-bit halves of words that a lane unpacks
  constexpr int kVector = 8;                       // 16-bit numbers copied at once
  constexpr int kSide = 2;                         // fragments along a warp's 32 rows and columns
  const int lane = static_cast<int>(team.lane()), warp = lane / Fragments::kWarp;
  const int warp_row = warp / 2 * kSide * kFragment, warp_column = warp % 2 * kSide * kFragment;
  const int64_t stride = g.padded_columns();

  typename Words::Row rows[kHalves];
  for (int i = 0; i < kHalves; ++i) {
    const int64_t m = row + (lane + i * kLanes) / 2;
    rows[i] = m < g.rows ? words.row(m) : words.none();
  }
  typename Fragments::Sum sums[kSide][kSide];
  for (int i = 0; i < kSide * kSide; ++i) Fragments::fill(sums[i / kSide][i % kSide]);

  for (int64_t k = 0; k < g.depth_words; ++k) {
    for (int i = 0; i < kHalves; ++i) {
      const int item = lane + i * kLanes, first = item % 2 * 16;
      unpack_bfloat16(words.word(rows[i], k) >> first, &shared.in.a[item / 2][first]);
    }
    constexpr int kPieces = kParts * kGemmDepth * kGemmColumns / kVector;
    for (int i = lane; i < kPieces; i += kLanes) {
      const int line = i / (kGemmColumns / kVector), c = i % (kGemmColumns / kVector) * kVector;
      const uint16_t* from = g.weight + (k * kParts * kGemmDepth + line) * stride + column + c;
      Fragments::copy_16_bytes(from, &shared.in.b[line / kGemmDepth][line % kGemmDepth][c]);
    }
    team.sync();
    for (int d = 0; d < kGemmDepth; d += kFragment) {
      typename Fragments::A a[kSide];
      for (int i = 0; i < kSide; ++i) {
        Fragments::load_a(a[i], &shared.in.a[warp_row + i * kFragment][d], kGemmDepth + kGemmPad);
      }
      for (int part = kParts - 1; part >= 0; --part) {
        for (int j = 0; j < kSide; ++j) {
          typename Fragments::B b;
          Fragments::load_b(b, &shared.in.b[part][d][warp_column + j * kFragment],
                            kGemmColumns + kGemmPad);
          for (int i = 0; i < kSide; ++i) Fragments::multiply(sums[i][j], a[i], b);
        }
      }
    }
    team.sync();
  }
  for (int i = 0; i < kSide; ++i) {
    for (int j = 0; j < kSide; ++j) {
      Fragments::store(
          &shared.sums.out[warp_row + i * kFragment][warp_column + j * kFragment], sums[i][j],
          kGemmColumns + kGemmPad / 2);
    }
  }
  team.sync();
  for (int i = lane; i < kGemmRows * kGemmColumns; i += kLanes) {
    const int64_t m = row + i / kGemmColumns, n = column + i % kGemmColumns;
    if (m >= g.rows || n >= g.columns) continue;
    const float bias = g.bias == nullptr ? 0.0F : g.bias[n];
    g.out[m * g.out_stride + n] = bias + shared.sums.out[i / kGemmColumns][i % kGemmColumns];
  }
}

// Rows of a matrix [rows, width] of words.
struct MatrixWords {
  using Row = const uint32_t*;
  const uint32_t* words = nullptr;
  int64_t width = 0;

  LAMPYRIS_INLINE Row row(int64_t m) const { return words + m * width; }
  LAMPYRIS_INLINE Row none() const { return nullptr; }
  LAMPYRIS_INLINE uint32_t word(Row row, int64_t k) const { return row == nullptr ? 0U : row[k]; }
};

}  // namespace lampyris
