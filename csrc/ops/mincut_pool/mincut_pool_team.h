// The sums of one task by a team: the block of a CUDA kernel, or the threads of a test.
#pragma once

#include "core/team.h"
#include "ops/mincut_pool/mincut_pool.h"

namespace lampyris {

inline constexpr int64_t kMincutTile = 16;   // clusters and columns of a tile
inline constexpr int64_t kMincutStage = 32;  // rows of it in shared memory at a time
// Elements of T that a tile needs in shared memory: rows of S, rows of the columns, sums.
inline constexpr int64_t kMincutShared =
    2 * kMincutStage * kMincutTile + kMincutTile * kMincutTile;

// Product of S^T [K, rows] with columns of `values` [rows, columns], null for ones.
template <typename T>
struct MincutProduct {
  const T* s;
  const T* values;
  int64_t clusters, columns;
  int64_t offset;  // of the result among the task's sums

  LAMPYRIS_INLINE int64_t across() const { return (columns + kMincutTile - 1) / kMincutTile; }
  LAMPYRIS_INLINE int64_t tiles() const {
    return (clusters + kMincutTile - 1) / kMincutTile * across();
  }
};

// Tile `tile` of rows [begin, end) into out [K, columns]; shared has kMincutShared elements.
template <class Team, typename T>
LAMPYRIS_TEAM void mincut_sum_tile(const Team& team, const MincutProduct<T>& p, int64_t tile,
                                   int64_t begin, int64_t end, T* shared, T* out) {
  const int64_t first_k = tile / p.across() * kMincutTile;
  const int64_t first_c = tile % p.across() * kMincutTile;
  T* const of_s = shared;
  T* const of_values = of_s + kMincutStage * kMincutTile;
  T* const sums = of_values + kMincutStage * kMincutTile;
  for (int64_t o = team.lane(); o < kMincutTile * kMincutTile; o += team.size()) sums[o] = T(0);
  for (int64_t row = begin; row < end; row += kMincutStage) {
    team.sync();  // the stage before has been read
    for (int64_t l = team.lane(); l < kMincutStage * kMincutTile; l += team.size()) {
      const int64_t i = row + l / kMincutTile;
      const int64_t k = first_k + l % kMincutTile, c = first_c + l % kMincutTile;
      of_s[l] = i < end && k < p.clusters ? p.s[i * p.clusters + k] : T(0);
      of_values[l] = T(0);
      if (i < end && c < p.columns) {
        of_values[l] = p.values == nullptr ? T(1) : p.values[i * p.columns + c];
      }
    }
    team.sync();
    for (int64_t o = team.lane(); o < kMincutTile * kMincutTile; o += team.size()) {
      T sum = sums[o];
      for (int64_t r = 0; r < kMincutStage; ++r) {
        sum += of_s[r * kMincutTile + o / kMincutTile] * of_values[r * kMincutTile + o % kMincutTile];
      }
      sums[o] = sum;
    }
  }
  for (int64_t o = team.lane(); o < kMincutTile * kMincutTile; o += team.size()) {
    const int64_t k = first_k + o / kMincutTile, c = first_c + o % kMincutTile;
    if (k < p.clusters && c < p.columns) out[k * p.columns + c] = sums[o];
  }
  team.sync();  // before `shared` is used again
}

// out[0..3) = sums over rows [begin, end) of d |s|^2, of d, and of terms [N, K] (null: 0).
template <class Team, typename T>
LAMPYRIS_TEAM void mincut_sum_totals(const Team& team, const T* s, const T* degree, const T* terms,
                                     int64_t clusters, int64_t begin, int64_t end, T* out) {
  double squares = 0, degrees = 0, variation = 0;
  for (int64_t l = begin * clusters + team.lane(); l < end * clusters; l += team.size()) {
    const auto share = static_cast<double>(s[l]), d = static_cast<double>(degree[l / clusters]);
    squares += d * share * share;
    if (l % clusters == 0) degrees += d;
    if (terms != nullptr) variation += static_cast<double>(terms[l]);
  }
  squares = team.sum(squares);
  degrees = team.sum(degrees);
  variation = team.sum(variation);
  if (team.lane() == 0) {
    out[0] = static_cast<T>(squares);
    out[1] = static_cast<T>(degrees);
    out[2] = static_cast<T>(variation);
  }
}

}  // namespace lampyris
