// Weights from the parameter bus to the array, clock by clock: width upsizer, partial-reuse FIFO,
// second upsizer into the stationary registers; with Reload::kSkid a second set of registers fills
// while the array works, with kBubble the array waits P + 1 cycles a tile.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "firefly/config.h"

namespace lampyris::firefly {

// Collects beats of the bus into one word.
class WidthUpsizer {
 public:
  explicit WidthUpsizer(int word_bytes) : word_bytes_(static_cast<size_t>(word_bytes)) {}

  bool full() const { return word_.size() >= word_bytes_; }
  void push(std::span<const int8_t> beat) { word_.insert(word_.end(), beat.begin(), beat.end()); }
  // The word; empty again afterwards.
  std::vector<int8_t> take();

 private:
  size_t word_bytes_;
  std::vector<int8_t> word_;
};

// Replays the first `length` words `count` times, then goes on with the next `length`. A slot is
// free after its last read. length <= depth; with length > depth set count to 1 and length to all.
class ReuseFifo {
 public:
  ReuseFifo(int depth, int64_t length, int64_t count);

  // As the last clock edge left them: a word written now is read one clock later, a slot freed now
  // is written one clock later.
  bool can_write() const { return held_ < depth_; }
  bool can_read() const { return readable_ > 0; }
  void write(std::vector<int8_t> word);
  const std::vector<int8_t>& read();
  void clock();
  int64_t held() const { return held_; }

 private:
  int64_t depth_, length_, count_;
  std::vector<std::vector<int8_t>> slots_;
  int64_t head_ = 0;     // words written
  int64_t start_ = 0;    // first word of the set that is replayed
  int64_t offset_ = 0;   // next word of the set
  int64_t round_ = 0;    // replays of the set so far
  int64_t held_ = 0, readable_ = 0;
};

class WeightPath {
 public:
  // `taps` weights of each of P outputs make a word; a set is ci_tiles x P words, replayed `steps`
  // times for each of co_tiles.
  WeightPath(const Config& config, int taps, int64_t co_tiles, int64_t steps, int64_t ci_tiles);

  // Bytes that the movers must send in all; a set that does not fit the FIFO comes once a step.
  int64_t bytes() const { return bytes_; }
  bool accepts() const { return !upsizer_.full(); }
  void push(std::span<const int8_t> beat) { upsizer_.push(beat); }
  // The stationary tile, P words of taps x P weights, or empty while it reloads.
  std::span<const int8_t> tile() const;
  // End of a cycle; `release`: the array has used the tile for the last time.
  void clock(bool release);
  int64_t held_words() const { return fifo_.held(); }

 private:
  bool skid_;
  int64_t words_, bytes_;
  WidthUpsizer upsizer_;
  ReuseFifo fifo_;
  std::vector<int8_t> active_, next_;
  int64_t next_words_ = 0;
  bool active_full_ = false, next_full_ = false;
};

}  // namespace lampyris::firefly
