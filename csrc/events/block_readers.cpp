#include "events/block_readers.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "cpu/dispatch.h"

namespace lampyris {

namespace {

struct DatFill {
  const uint8_t* bytes = nullptr;
  int64_t n = 0;
  int64_t start = 0;
  uint32_t latest = 0;  // largest allowed time
  uint32_t height = 0;
  uint32_t width = 0;
  uint32_t polarity_stride = 0;
};

// Decodes n records without a branch, so that it becomes vector code; *sound is cleared where an
// event lies outside, is too late or earlier than the one before it.
struct FillBlock {
  template <class Target>
  LAMPYRIS_INLINE static void run(const DatFill& job, int64_t* t, uint32_t* cell, bool* sound) {
    uint32_t bad = 0;
    const uint32_t width = job.width, height = job.height, stride = job.polarity_stride;
    for (int64_t i = 0; i < job.n; ++i) {
      uint32_t words[2];
      std::memcpy(words, job.bytes + i * kDatEventBytes, sizeof words);
      const uint32_t x = words[1] & 0x3fff;
      const uint32_t y = (words[1] >> 14) & 0x3fff;
      const uint32_t polarity = (words[1] >> 28) & 1;
      bad |= static_cast<uint32_t>(x >= width) | static_cast<uint32_t>(y >= height) |
             static_cast<uint32_t>(words[0] > job.latest);
      t[i] = static_cast<int64_t>(words[0]) - job.start;
      cell[i] = polarity * stride + y * width + x;
    }
    for (int64_t i = 1; i < job.n; ++i) bad |= static_cast<uint32_t>(t[i] < t[i - 1]);
    *sound = bad == 0;
  }
};

}  // namespace

DatReader::DatReader(const DatView& file, const EventWindow& window)
    : file_(file),
      window_(window),
      next_(file.lower_bound(window.start_us)),
      last_(file.lower_bound(window.end_us)),
      earliest_(std::max<int64_t>(window.start_us, 0)) {}

bool DatReader::next(EventBlock& block, uint32_t polarity_stride) {
  block.size = 0;
  if (next_ >= last_) return false;
  const int64_t n = std::min(EventBlock::kCapacity, last_ - next_);
  constexpr int64_t kLargest = std::numeric_limits<uint32_t>::max();
  const DatFill job{file_.record(next_),
                    n,
                    window_.start_us,
                    static_cast<uint32_t>(std::min(window_.end_us - 1, kLargest)),
                    static_cast<uint32_t>(window_.height),
                    static_cast<uint32_t>(window_.width),
                    polarity_stride};
  bool sound = true;
  dispatch<FillBlock>(job, &block.t[0], &block.cell[0], &sound);
  if (!sound || block.t[0] + window_.start_us < earliest_) {
    for (int64_t i = next_; i < next_ + n; ++i) {
      const Event e = file_.event(i);
      push_event(block, file_.name().c_str(), i, {e.t, e.x, e.y, e.polarity}, earliest_, window_,
                 polarity_stride);
    }
  }
  block.size = n;
  earliest_ = block.t[n - 1] + window_.start_us;
  next_ += n;
  return true;
}

ColumnReader::ColumnReader(const EventColumns& events, const EventWindow& window, std::string name)
    : events_(events), window_(window), name_(std::move(name)), earliest_(window.start_us) {
  next_ = std::lower_bound(events.t, events.t + events.n, window.start_us) - events.t;
  last_ = std::lower_bound(events.t, events.t + events.n, window.end_us) - events.t;
}

bool ColumnReader::next(EventBlock& block, uint32_t polarity_stride) {
  block.size = 0;
  while (next_ < last_ && block.size < EventBlock::kCapacity) {
    TimedEvent e = events_.event(next_);
    e.polarity = e.polarity != 0;
    push_event(block, name_.c_str(), next_++, e, earliest_, window_, polarity_stride);
  }
  return block.size > 0;
}

}  // namespace lampyris
