#include "firefly/clocked_feed.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "firefly/area.h"

namespace lampyris::firefly {

WeightPort::WeightPort(const FeedShape& s)
    : bias_cycles_(s.bias_cycles()),
      tile_cycles_(s.tile_cycles()),
      tiles_(int64_t{s.co_tiles} * s.ci_tiles * s.weight_passes()),
      room_(s.weight_tiles) {}

void WeightPort::clock() {
  if (bias_cycles_ > 0) {
    --bias_cycles_;
    return;
  }
  const int64_t limit = std::min(tiles_, released_ + room_);
  if (beats_ < limit * tile_cycles_) ++beats_;
}

ClockedFeed::ClockedFeed(const FeedShape& shape, const int8_t* weights,
                         std::span<const uint8_t> memory)
    : shape_(shape),
      weights_(weights),
      memory_(memory),
      pixels_(shape.pixels()),
      lag_(shape.lag()),
      tile_bytes_(shape.tile_weights()),
      passes_(shape.weight_passes()),
      port_(shape) {
  ring_.resize(std::bit_ceil(static_cast<size_t>(std::max(2 * shape.in_w + 3, kArrayTaps))));
  mask_ = static_cast<int64_t>(ring_.size()) - 1;
}

int64_t ClockedFeed::fifo_tile(const Tile& tile) const {
  const int pass = passes_ > 1 ? tile.t : 0;
  return (int64_t{tile.o} * passes_ + pass) * shape_.ci_tiles + tile.i;
}

void ClockedFeed::step(Tile& tile) const {
  if (++tile.i < shape_.ci_tiles) return;
  tile.i = 0;
  if (++tile.t < shape_.steps) return;
  tile.t = 0;
  ++tile.o;
}

ClockedFeed::Next ClockedFeed::next() const {
  Next n;
  if (shape_.linear) {
    const int64_t beat = pushed_ % kArrayTaps;
    if (beat + 1 < kArrayTaps) return n;
    n.index = pushed_ / kArrayTaps;
    n.opens = n.closes = n.output = true;
    return n;
  }
  n.index = pushed_ - lag_;
  if (n.index < 0) return n;
  const int64_t pixel = n.index % pixels_;
  n.opens = pixel == 0;
  n.closes = pixel == pixels_ - 1;
  n.y = static_cast<int>(pixel / shape_.in_w);
  n.x = static_cast<int>(pixel % shape_.in_w);
  const int first_y = shape_.kernel == 3 && !shape_.pad_top ? 1 : 0;
  const int first_x = shape_.kernel == 3 && !shape_.pad_left ? 1 : 0;
  const int y = n.y - first_y, x = n.x - first_x, s = shape_.stride;
  n.output = y >= 0 && x >= 0 && y % s == 0 && x % s == 0 && y / s < shape_.out_h &&
             x / s < shape_.out_w;
  return n;
}

ArrayInput ClockedFeed::push(const Next& n) {
  const int64_t beats = shape_.linear ? kArrayTaps : pixels_;
  const int64_t all = beats * shape_.ci_tiles;
  if (pushed_ < all) {
    const uint8_t* from = memory_.data() +
                          area_block(shape_.source, t_, static_cast<int>(pushed_ / beats)) +
                          pushed_ % beats * spike_pixel_bytes(shape_.parallelism);
    uint32_t word = 0;
    std::memcpy(&word, from, static_cast<size_t>(spike_pixel_bytes(shape_.parallelism)));
    ring_[static_cast<size_t>(pushed_ & mask_)] = word;
  }
  ArrayInput in;
  in.valid = n.output;
  if (n.output && shape_.linear) {
    for (int tap = 0; tap < kArrayTaps; ++tap)
      in.taps[static_cast<size_t>(tap)] =
          ring_[static_cast<size_t>((pushed_ - kArrayTaps + 1 + tap) & mask_)];
  } else if (n.output && shape_.kernel == 1) {
    in.taps[kArrayTaps / 2] = ring_[static_cast<size_t>(n.index & mask_)];
  } else if (n.output) {
    for (int dy = -1; dy <= 1; ++dy) {
      if (n.y + dy < 0 || n.y + dy >= shape_.in_h) continue;
      for (int dx = -1; dx <= 1; ++dx)
        if (n.x + dx >= 0 && n.x + dx < shape_.in_w)
          in.taps[static_cast<size_t>(3 * dy + dx + kArrayTaps / 2)] =
              ring_[static_cast<size_t>((n.index + dy * shape_.in_w + dx) & mask_)];
    }
  }
  if (n.opens) {
    const int64_t windows = shape_.linear ? 1 : pixels_;
    in.load = weights_ + (int64_t{o_} * shape_.ci_tiles + n.index / windows) * tile_bytes_;
  }
  ++(n.index < 0 && !shape_.linear ? cycles_.flush : cycles_.compute);
  if (++pushed_ == all + lag_) {
    pushed_ = 0;
    if (++t_ == shape_.steps) {
      t_ = 0;
      ++o_;
    }
  }
  return in;
}

bool ClockedFeed::refill() {
  if (full_ || refill_tile_.o == shape_.co_tiles) return false;
  if (refill_left_ == 0) {
    if (!port_.available(fifo_tile(refill_tile_))) return false;
    refill_left_ = shape_.parallelism + 1;
  }
  if (--refill_left_ > 0) return true;
  full_ = true;
  if (passes_ > 1 || refill_tile_.t + 1 == shape_.steps) port_.release(fifo_tile(refill_tile_) + 1);
  step(refill_tile_);
  return true;
}

ArrayInput ClockedFeed::clock(bool room) {
  ArrayInput in;
  const bool was_full = full_;
  const bool first = refill_tile_.o == 0 && refill_tile_.t == 0 && refill_tile_.i == 0;
  bool waits = false;
  // One enable stops the whole feed while the only registers refill; a second set frees it.
  bool filled = !shape_.skid && refill();
  if (!done()) {
    const Next n = next();
    waits = !was_full && (!shape_.skid || n.opens);
    if (!waits && !room) {
      ++cycles_.fifo;
    } else if (!waits) {
      in = push(n);
      if (shape_.skid ? n.opens : n.closes) full_ = false;
    }
  }
  if (shape_.skid) filled = refill();
  if (waits) ++(filled ? cycles_.reload : first ? cycles_.parameters : cycles_.weights);
  port_.clock();
  return in;
}

}  // namespace lampyris::firefly
