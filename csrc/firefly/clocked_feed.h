// What stands before the array: parameter bus and weight path, line buffer, and the order output
// tile, time step, input tile, pixel. Takes the cycles that tile_schedule.h predicts.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "firefly/array_clocked.h"
#include "firefly/command.h"
#include "firefly/dsp_chain.h"
#include "firefly/line_buffer.h"
#include "firefly/weight_path.h"

namespace lampyris::firefly {

// One layer as the feed sees it.
struct FeedShape {
  int co_tiles = 1, ci_tiles = 1, steps = 1;
  WindowShape window;  // input size, borders, stride
  int kernel = 3;
  bool linear = false;  // nine beats of P inputs make one window
  Area source;
  int64_t bias_bytes = 0;
  int64_t side_cycles = 0;  // least time of an output tile, by its streams and the DDR

  int64_t pixels() const { return int64_t{window.height} * window.width; }
  // Pixels before the first window: one line and one pixel.
  int64_t line() const { return linear || kernel == 1 ? 0 : window.width + 1; }
};

// Cycles by what the feed did.
struct FeedCycles {
  int64_t compute = 0;  // took a pixel
  int64_t flush = 0;    // drained the line buffer
  int64_t waiting = 0;  // no weights in the stationary registers
  int64_t side = 0;     // waited for the other streams of an output tile
  int64_t fifo = 0;     // no room behind the array

  int64_t total() const { return compute + flush + waiting + side + fifo; }
};

class ClockedFeed {
 public:
  // `weights`: all tiles, (o i kr kc) ip op. `memory` holds the spikes.
  ClockedFeed(const FeedShape& shape, const Config& config, std::span<const int8_t> weights,
              std::span<const uint8_t> memory);

  // One cycle: what the array is offered. `room`: the FIFO behind the array can take one more.
  ArrayInput clock(bool room);
  bool done() const { return o_ == shape_.co_tiles; }
  const FeedCycles& cycles() const { return cycles_; }

 private:
  uint32_t pixel() const;
  bool window(ArrayInput& input);
  const int8_t* hold_tile();
  bool push(ArrayInput& input);
  bool end_of_pass();
  void send_weights();

  FeedShape shape_;
  Config config_;
  std::span<const int8_t> weights_;
  std::span<const uint8_t> memory_;
  WeightPath path_;
  std::optional<LineBuffer> lines_;
  WindowPacker packer_;
  // One for each clock of the operand skew, should every pixel be a tile of its own.
  std::array<std::vector<int8_t>, kChainLength + 3> held_;
  size_t next_held_ = 0;
  int o_ = 0, t_ = 0;
  int64_t pushed_ = 0;     // pixels and drain steps of this output tile and time step
  int64_t begin_ = 0;      // cycle in which this output tile began
  bool side_wait_ = false;
  int64_t sent_ = 0;       // bytes on the parameter bus
  FeedCycles cycles_;
};

}  // namespace lampyris::firefly
