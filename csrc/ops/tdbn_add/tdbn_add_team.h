// The per-channel sums by a team, in tiles of kTdbnTileChannels channels and a stretch of values:
// lanes along channels read neighbours in channels_last, lanes along values in contiguous maps.
#pragma once

#include "core/team.h"
#include "ops/tdbn_add/tdbn_add.h"

namespace lampyris {

inline constexpr int64_t kTdbnTileChannels = 32;
inline constexpr int64_t kTdbnTileValues = 1024;  // of one channel, over all steps

struct TdbnTile {
  int64_t channels;  // that the tile spans
  int64_t groups;    // of channels
  int64_t stretches;

  LAMPYRIS_INLINE int64_t count() const { return groups * stretches; }
};

template <typename T>
LAMPYRIS_INLINE TdbnTile tdbn_tile(const TdbnInput<T>& a) {
  const int64_t channels = a.order.inner == 1 ? kTdbnTileChannels : 1;
  const int64_t values = a.steps * a.order.count(a.neurons);
  return {channels, (a.order.channels + channels - 1) / channels,
          (values + kTdbnTileValues - 1) / kTdbnTileValues};
}

// One tile: partial[stretch][2][C]. pair(t, n, c, first, second) adds one value's pair of sums;
// team.size() is a multiple of kTdbnTileChannels, shared has 2 doubles for every lane.
template <class Team, typename T, class Pair>
LAMPYRIS_TEAM void tdbn_sum_tile(const Team& team, const TdbnInput<T>& a, const TdbnTile& tile,
                                 int64_t k, double* shared, double* partial, const Pair& pair) {
  const int64_t stretch = k / tile.groups, column = team.lane() % tile.channels;
  const int64_t c = k % tile.groups * tile.channels + column;
  const int64_t rows = team.size() / tile.channels, per_step = a.order.count(a.neurons);
  const int64_t begin = stretch * kTdbnTileValues, values = a.steps * per_step;
  const int64_t end = begin + kTdbnTileValues < values ? begin + kTdbnTileValues : values;
  double first = 0, second = 0;
  if (c < a.order.channels) {
#if defined(__CUDACC__)
#pragma unroll 1  // unrolled 64-bit divisions spill registers
#endif
    for (int64_t i = begin + team.lane() / tile.channels; i < end; i += rows) {
      pair(i / per_step, a.order.neuron(c, i % per_step), c, first, second);
    }
  }
  shared[2 * team.lane()] = first;
  shared[2 * team.lane() + 1] = second;
  team.sync();
  if (team.lane() < tile.channels && c < a.order.channels) {
    for (int64_t row = 1; row < rows; ++row) {
      first += shared[2 * (row * tile.channels + column)];
      second += shared[2 * (row * tile.channels + column) + 1];
    }
    double* const out = partial + stretch * 2 * a.order.channels;
    out[c] = first;
    out[a.order.channels + c] = second;
  }
  team.sync();  // before `shared` is used again
}

// Pairs of the statistics and of the backward; differences in T, products in double.
template <typename T>
struct StatsPair {
  const TdbnInput<T>& a;

  LAMPYRIS_TEAM void operator()(int64_t t, int64_t n, int64_t c, double& first,
                                double& second) const {
    const auto centred = static_cast<double>(a.x.at(t)[n] - a.x.data[c * a.order.inner]);
    first += centred;
    second += centred * centred;
  }
};

template <typename T>
struct GradPair {
  const TdbnGradSums<T>& a;
  Steps<T> dz;

  LAMPYRIS_TEAM void operator()(int64_t t, int64_t n, int64_t c, double& first,
                                double& second) const {
    const auto grad = static_cast<double>(dz.at(t)[n]);
    first += grad;
    second += grad * static_cast<double>(a.x.at(t)[n] - a.mean[c]);
  }
};

// sums[i] for i < width: the stretches added up in a fixed order.
template <class Team>
LAMPYRIS_TEAM void tdbn_sum_stretches(const Team& team, const double* partial, int64_t stretches,
                                      int64_t width, int64_t i, double* sums) {
  double total = 0;
  for (int64_t k = team.lane(); k < stretches; k += team.size()) total += partial[k * width + i];
  total = team.sum(total);
  if (team.lane() == 0) sums[i] = total;
}

}  // namespace lampyris
