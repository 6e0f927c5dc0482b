// What stands before the array: the weight port with its partial-reuse FIFO, the stationary
// registers, the line buffer and the order output tile, time step, input tile, pixel.
#pragma once

#include <span>
#include <vector>

#include "firefly/array_clocked.h"
#include "firefly/command.h"

namespace lampyris::firefly {

// One layer as the feed sees it.
struct FeedShape {
  int parallelism = 16;
  int co_tiles = 1, ci_tiles = 1, steps = 1;
  int in_h = 1, in_w = 1, out_h = 1, out_w = 1;
  int kernel = 3, stride = 1;
  bool pad_top = true, pad_left = true;
  bool linear = false;  // nine beats of P inputs make one window
  Area source;
  bool skid = false;  // a second set of stationary registers fills beside the stream
  int64_t bias_bytes = 0;
  int weight_bus_bytes = 8;
  int weight_tiles = 64;     // that the partial-reuse FIFO holds
  int pixel_cycles = 1;      // a stored pixel occupies its stream port
  int last_pixel_cycles = 1;  // the same in the last time step

  int64_t pixels() const { return int64_t{in_h} * in_w; }
  // Clocks between a pixel and the window centred at it: one line and one pixel; none for 1 x 1.
  int64_t lag() const { return linear || kernel == 1 ? 0 : in_w + 1; }
  int64_t tile_weights() const { return int64_t{kernel} * kernel * parallelism * parallelism; }
  int64_t bias_cycles() const { return (bias_bytes + weight_bus_bytes - 1) / weight_bus_bytes; }
  int64_t tile_cycles() const { return (tile_weights() + weight_bus_bytes - 1) / weight_bus_bytes; }
  // Times the weights of an output tile are sent: once when they all fit the FIFO.
  int weight_passes() const { return ci_tiles <= weight_tiles ? 1 : steps; }
};

// Cycles by what the array waited for.
struct FeedCycles {
  int64_t parameters = 0;  // bias and first weight tile
  int64_t compute = 0;     // pixels through the line buffer
  int64_t reload = 0;      // stationary registers refill
  int64_t flush = 0;       // line buffer drains
  int64_t weights = 0;     // waits for the weight port
  int64_t fifo = 0;        // waits for room behind the array

  // Until the last window is offered to the array.
  int64_t total() const { return parameters + compute + reload + flush + weights + fifo; }
};

// Bytes as they come in: biases, then the weights of all tiles, as far as the FIFO has room.
class WeightPort {
 public:
  explicit WeightPort(const FeedShape& shape);
  void clock();
  bool available(int64_t tile) const { return (tile + 1) * tile_cycles_ <= beats_; }
  void release(int64_t tiles) { released_ = tiles; }  // the first `tiles` are used up

 private:
  int64_t bias_cycles_, tile_cycles_, tiles_, room_;
  int64_t beats_ = 0, released_ = 0;
};

class ClockedFeed {
 public:
  // `weights`: all tiles, (o i kr kc) ip op. `memory` holds the spikes.
  ClockedFeed(const FeedShape& shape, const int8_t* weights, std::span<const uint8_t> memory);

  // One cycle: what the array is offered. `room`: the FIFO behind the array can take one more.
  ArrayInput clock(bool room);
  bool done() const { return o_ == shape_.co_tiles; }
  const FeedCycles& cycles() const { return cycles_; }

 private:
  // Output tile, time step, input tile.
  struct Tile {
    int o = 0, t = 0, i = 0;
  };
  // The window that the next pixel completes: index in this output tile and time step, or -1.
  struct Next {
    int64_t index = -1;
    int y = 0, x = 0;
    bool opens = false, closes = false;  // first, last window of a tile
    bool output = false;                 // an output pixel is centred there
  };

  Next next() const;
  ArrayInput push(const Next& next);
  bool refill();  // one cycle of the stationary registers; false if nothing moved
  int64_t fifo_tile(const Tile& tile) const;
  void step(Tile& tile) const;

  FeedShape shape_;
  const int8_t* weights_;
  std::span<const uint8_t> memory_;
  int64_t pixels_, lag_, tile_bytes_;
  int passes_;  // of the weight port over an output tile
  WeightPort port_;
  std::vector<uint32_t> ring_;  // the last two lines and three pixels
  int64_t mask_;
  int o_ = 0, t_ = 0;
  int64_t pushed_ = 0;     // pixels and drain steps of this output tile and time step
  Tile refill_tile_;       // the next one to fill the stationary (or shadow) registers
  int refill_left_ = 0;
  bool full_ = false;      // they hold a tile
  FeedCycles cycles_;
};

}  // namespace lampyris::firefly
