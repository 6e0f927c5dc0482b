#include "firefly/clocked_feed.h"

#include <algorithm>
#include <cstring>

#include "firefly/area.h"
#include "firefly/tile_schedule.h"

namespace lampyris::firefly {

ClockedFeed::ClockedFeed(const FeedShape& shape, const Config& config,
                         std::span<const int8_t> weights, std::span<const uint8_t> memory)
    : shape_(shape),
      config_(config),
      weights_(weights),
      memory_(memory),
      path_(config, shape.kernel * shape.kernel, shape.co_tiles, shape.steps, shape.ci_tiles) {
  if (shape.kernel == 3 && !shape.linear) lines_.emplace(config, shape.window);
}

// Zeros drain the line buffer.
uint32_t ClockedFeed::pixel() const {
  if (pushed_ >= shape_.ci_tiles * shape_.pixels()) return 0;
  const int64_t bytes = spike_pixel_bytes(config_.parallelism);
  const int tile = static_cast<int>(pushed_ / shape_.pixels());
  uint32_t word = 0;
  std::memcpy(&word,
              memory_.data() + area_block(shape_.source, t_, tile) +
                  pushed_ % shape_.pixels() * bytes,
              static_cast<size_t>(bytes));
  return word;
}

// Takes the next pixel; true when it completes the window of an output pixel.
bool ClockedFeed::window(ArrayInput& input) {
  if (shape_.linear) {
    if (!packer_.push(pixel())) return false;
    input.taps = packer_.window();
  } else if (lines_) {
    if (pushed_ == 0) lines_->restart();
    if (!lines_->push(pixel())) return false;
    input.taps = lines_->window();
  } else {
    const int64_t at = pushed_ % shape_.pixels();
    const int stride = shape_.window.stride;
    if (at / shape_.window.width % stride != 0 || at % shape_.window.width % stride != 0)
      return false;
    input.taps[kTaps / 2] = pixel();
  }
  return true;
}

// A copy of the stationary tile for the array, whose later slices still read it when the path has
// moved on.
const int8_t* ClockedFeed::hold_tile() {
  std::vector<int8_t>& held = held_[next_held_];
  next_held_ = (next_held_ + 1) % held_.size();
  held.assign(path_.tile().begin(), path_.tile().end());
  return held.data();
}

// One pixel through the feed; true when the array has used the tile for the last time.
bool ClockedFeed::push(ArrayInput& input) {
  const int64_t pixels = shape_.pixels();
  input.valid = window(input);
  // Windows of a tile, output or not, follow its pixels by one line.
  const int64_t centre = pushed_ - shape_.line();
  if (centre >= 0 && centre % pixels == (shape_.linear ? pixels - 1 : 0))
    input.load = hold_tile();
  ++(pushed_ < shape_.ci_tiles * pixels ? cycles_.compute : cycles_.flush);
  const bool used = centre >= 0 && centre % pixels == pixels - 1;
  ++pushed_;
  return used;
}

// Goes on to the next time step or output tile; false while its other streams are not through.
bool ClockedFeed::end_of_pass() {
  if (t_ + 1 == shape_.steps) {
    side_wait_ = cycles_.total() < begin_ + shape_.side_cycles;
    if (side_wait_) return false;
    begin_ = cycles_.total();
    ++o_;
  }
  t_ = (t_ + 1) % shape_.steps;
  pushed_ = 0;
  return true;
}

// Biases come first on the parameter bus; a set that does not fit the FIFO comes once a step.
void ClockedFeed::send_weights() {
  const int64_t bias_beats =
      (shape_.bias_bytes + config_.weight_bus_bytes - 1) / config_.weight_bus_bytes;
  if (cycles_.total() <= bias_beats || sent_ >= path_.bytes() || !path_.accepts()) return;
  const int64_t set = static_cast<int64_t>(weights_.size()) / shape_.co_tiles;
  const int64_t passes = weights_stay(shape_.ci_tiles, config_) ? 1 : shape_.steps;
  const int64_t begin = sent_ / (set * passes) * set + sent_ % set;
  const int64_t bytes = std::min<int64_t>(config_.weight_bus_bytes, set - sent_ % set);
  path_.push(weights_.subspan(static_cast<size_t>(begin), static_cast<size_t>(bytes)));
  sent_ += bytes;
}

ArrayInput ClockedFeed::clock(bool room) {
  ArrayInput input;
  if (done()) return input;
  bool release = false;
  if (side_wait_) {
    ++cycles_.side;
    release = end_of_pass();
  } else if (path_.tile().empty()) {
    ++cycles_.waiting;
  } else if (!room) {
    ++cycles_.fifo;
  } else {
    release = push(input);
    if (pushed_ == shape_.ci_tiles * shape_.pixels() + shape_.line()) release = end_of_pass();
  }
  send_weights();
  path_.clock(release);
  return input;
}

}  // namespace lampyris::firefly
