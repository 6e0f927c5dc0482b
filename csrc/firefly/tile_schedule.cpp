#include "firefly/tile_schedule.h"

#include <algorithm>

namespace lampyris::firefly {

namespace {

class Schedule {
 public:
  Schedule(const TileShape& shape, const Config& config)
      : shape_(shape),
        config_(config),
        stay_(weights_stay(shape.ci_tiles, config)),
        freed_(static_cast<size_t>(config.weight_depth), -1),
        written_at_(shape.bias_beats - 1) {}

  TileTimes run() {
    for (int64_t co = 0; co < shape_.co_tiles; ++co) {
      const int64_t begin = times_.end;
      for (int64_t t = 0; t < shape_.steps; ++t) {
        const bool fresh = t == 0 || !stay_, last = t + 1 == shape_.steps || !stay_;
        for (int64_t ci = 0; ci < shape_.ci_tiles; ++ci) tile(ci, fresh, last);
      }
      const int64_t wait = std::max(int64_t{0}, begin + shape_.least - times_.end);
      times_.stall_least += wait;
      times_.end += wait;
    }
    return times_;
  }

 private:
  // Reads P words one a cycle from cycle `begin` on; returns the cycle of the last.
  int64_t refill(int64_t begin, bool fresh, bool last) {
    const int64_t p = config_.parallelism, depth = config_.weight_depth;
    if (!fresh && !last) return begin + p - 1;
    int64_t read = begin - 1;
    for (int64_t i = 0; i < p; ++i) {
      ++read;
      if (fresh) read = std::max(read, write_word() + 1);
      if (last) freed_[static_cast<size_t>(freed_words_++ % depth)] = read;
    }
    return read;
  }

  // Cycle in which the next word enters the FIFO.
  int64_t write_word() {
    int64_t at = written_at_ + shape_.word_beats;
    const int64_t slot = written_words_ - config_.weight_depth;
    if (slot >= 0) at = std::max(at, freed_[static_cast<size_t>(slot % config_.weight_depth)] + 1);
    ++written_words_;
    return written_at_ = at;
  }

  void tile(int64_t ci, bool fresh, bool last) {
    const bool first = start_ < 0;
    const bool skid = config_.reload == Reload::kSkid && !first;
    const int64_t idle = config_.parallelism + 1;
    // The shadow registers are free when the tile before has started.
    const int64_t begin = skid ? start_ : times_.end;
    const int64_t ready = refill(begin, fresh, last) + 2;
    start_ = std::max(times_.end, ready);
    const int64_t reload = std::max(int64_t{0}, begin + idle - times_.end);
    times_.reload += reload;
    const int64_t wait = start_ - times_.end - reload;
    (first ? times_.fill : times_.stall_weights) += wait;
    if (first) times_.fill -= shape_.bias_beats;
    times_.end = start_ + shape_.pixels + (ci == 0 ? shape_.line : 0);
  }

  const TileShape& shape_;
  const Config& config_;
  const bool stay_;
  std::vector<int64_t> freed_;  // cycle in which a word's slot was read for the last time
  int64_t written_words_ = 0, freed_words_ = 0;
  int64_t written_at_;
  int64_t start_ = -1;  // of the tile before
  TileTimes times_;
};

}  // namespace

bool weights_stay(int64_t ci_tiles, const Config& config) {
  return ci_tiles * config.parallelism <= config.weight_depth;
}

TileTimes schedule_tiles(const TileShape& shape, const Config& config) {
  return Schedule(shape, config).run();
}

}  // namespace lampyris::firefly
