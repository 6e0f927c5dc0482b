#include "firefly/weight_path.h"

#include <utility>

#include "firefly/tile_schedule.h"

namespace lampyris::firefly {

std::vector<int8_t> WidthUpsizer::take() {
  return std::exchange(word_, {});
}

ReuseFifo::ReuseFifo(int depth, int64_t length, int64_t count)
    : depth_(depth), length_(length), count_(count), slots_(static_cast<size_t>(depth)) {}

void ReuseFifo::write(std::vector<int8_t> word) {
  slots_[static_cast<size_t>(head_++ % depth_)] = std::move(word);
}

const std::vector<int8_t>& ReuseFifo::read() {
  const std::vector<int8_t>& word = slots_[static_cast<size_t>((start_ + offset_) % depth_)];

  if (++offset_ == length_) {
    offset_ = 0;
    if (++round_ == count_) round_ = 0, start_ += length_;
  }
  return word;
}

void ReuseFifo::clock() {
  const int64_t done = start_ + (round_ + 1 == count_ ? offset_ : 0);
  held_ = head_ - done;
  readable_ = head_ - (start_ + offset_);
}

WeightPath::WeightPath(const Config& config, int taps, int64_t co_tiles, int64_t steps,
                       int64_t ci_tiles)
    : skid_(config.reload == Reload::kSkid),
      words_(config.parallelism),
      bytes_(co_tiles * ci_tiles * taps * config.parallelism * config.parallelism *
             (weights_stay(ci_tiles, config) ? 1 : steps)),
      upsizer_(taps * config.parallelism),
      fifo_(config.weight_depth, ci_tiles * config.parallelism,
            weights_stay(ci_tiles, config) ? steps : 1) {}

std::span<const int8_t> WeightPath::tile() const {
  if (!active_full_) return {};
  return active_;
}

void WeightPath::clock(bool release) {
  const bool loaded = next_full_;
  // The next tile may enter its registers: always with a second set, else once they are idle.
  if (!next_full_ && (skid_ || !active_full_) && fifo_.can_read()) {
    const std::vector<int8_t>& word = fifo_.read();
    next_.insert(next_.end(), word.begin(), word.end());
    next_full_ = ++next_words_ == words_;
  }
  if (release) active_full_ = false;
  if (loaded && !active_full_) {
    active_ = std::exchange(next_, {});
    active_full_ = true;
    next_full_ = false;
    next_words_ = 0;
  }
  if (upsizer_.full() && fifo_.can_write()) fifo_.write(upsizer_.take());
  fifo_.clock();
}

}  // namespace lampyris::firefly
