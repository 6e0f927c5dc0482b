// What a command computed, whether it was stored or not: maps of [t][tile][row][column][p].
#pragma once

#include <cstdint>
#include <vector>

namespace lampyris::firefly {

template <typename T>
struct LaneMap {
  int steps = 0, tiles = 0, rows = 0, columns = 0, parallelism = 0;
  std::vector<T> values;

  void reshape(int t, int c, int h, int w, int p) {
    steps = t, tiles = c, rows = h, columns = w, parallelism = p;
    values.assign(static_cast<size_t>(int64_t{t} * c * h * w * p), T{});
  }
  bool empty() const { return values.empty(); }
  // First lane of row `y`.
  T* row(int t, int tile, int y) {
    return values.data() + ((int64_t{t} * tiles + tile) * rows + y) * columns * parallelism;
  }
  const T* row(int t, int tile, int y) const { return const_cast<LaneMap*>(this)->row(t, tile, y); }
};

struct CommandTrace {
  LaneMap<int16_t> current;   // X; empty where the command has none
  LaneMap<int32_t> membrane;  // V after reset
  LaneMap<uint8_t> fired;     // before pooling
};

// Totals of one command.
struct CommandCounters {
  int64_t clamped = 0;
  int64_t saturated = 0;
};

}  // namespace lampyris::firefly
