#include "events/evt_file.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lampyris {

namespace {
constexpr int64_t kBuffer = 1024;  // events decoded at once
}

EvtView::EvtView(std::span<const uint8_t> bytes, std::string name)
    : name_(std::move(name)), header_(parse_evt_header(bytes, name_)) {
  words_ = bytes.data() + header_.data_offset;
  count_ = (static_cast<int64_t>(bytes.size()) - header_.data_offset) / header_.word_bytes();
}

int64_t EvtView::decode(EvtState& state, TimedEvent* out, int64_t capacity) const {
  int64_t n = 0;
  // A stretch of words may hold no event at all: go on until there is one or the data ends.
  while (n == 0 && state.word < count_) {
    n = header_.version == 2 ? decode_evt2(state, words_, count_, out, capacity)
                             : decode_evt3(state, words_, count_, out, capacity);
  }
  return n;
}

const EvtIndex& EvtView::index() const {
  std::call_once(indexed_, [this] {
    std::array<TimedEvent, kBuffer> events;
    EvtState state;
    int64_t latest = -1, before = 0;
    for (int64_t stop = 0; stop < count_;) {
      index_.entries.push_back({state, latest});
      stop = std::min(stop + kStride, count_);
      while (state.word < stop) {
        const int64_t first = state.events;
        const int64_t n =
            header_.version == 2
                ? decode_evt2(state, words_, stop, events.data(), kBuffer)
                : decode_evt3(state, words_, stop, events.data(), kBuffer);
        for (int64_t i = 0; i < n; ++i) {
          const int64_t t = events[static_cast<size_t>(i)].t;
          if (t < before && index_.order.unsorted++ == 0) index_.order.first_unsorted = first + i;
          before = t;
          latest = std::max(latest, t);
        }
      }
    }
    index_.size = state.events;
    index_.skipped = state.skipped;
  });
  return index_;
}

EvtState EvtView::before(int64_t t) const {
  const auto& entries = index().entries;
  const auto after = std::partition_point(entries.begin(), entries.end(),
                                          [&](const EvtIndex::Entry& e) { return e.latest < t; });
  return after == entries.begin() ? EvtState{} : std::prev(after)->state;
}

int64_t EvtView::lower_bound(int64_t t) const {
  EvtState state = before(t);
  std::array<TimedEvent, kBuffer> events;
  while (true) {
    const int64_t first = state.events;
    const int64_t n = decode(state, events.data(), kBuffer);
    if (n == 0) return state.events;
    const auto end = events.begin() + n;
    const auto found =
        std::find_if(events.begin(), end, [&](const TimedEvent& e) { return e.t >= t; });
    if (found != end) return first + (found - events.begin());
  }
}

std::vector<TimedEvent> EvtView::read(int64_t first, int64_t last) const {
  std::vector<TimedEvent> result;
  if (first >= last) return result;
  const auto& entries = index().entries;
  const auto after = std::partition_point(
      entries.begin(), entries.end(),
      [&](const EvtIndex::Entry& e) { return e.state.events <= first; });
  EvtState state = after == entries.begin() ? EvtState{} : std::prev(after)->state;
  std::array<TimedEvent, kBuffer> events;
  while (state.events < last) {
    const int64_t at = state.events;
    const int64_t n = decode(state, events.data(), kBuffer);
    if (n == 0) break;
    const int64_t from = std::clamp<int64_t>(first - at, 0, n);
    const int64_t to = std::clamp<int64_t>(last - at, from, n);
    result.insert(result.end(), events.begin() + from, events.begin() + to);
  }
  return result;
}

EventCheck EvtView::check(int64_t height, int64_t width) const {
  EventCheck result = index().order;
  EvtState state;
  std::array<TimedEvent, kBuffer> events;
  while (true) {
    const int64_t first = state.events;
    const int64_t n = decode(state, events.data(), kBuffer);
    if (n == 0) return result;
    for (int64_t i = 0; i < n; ++i) {
      const TimedEvent& e = events[static_cast<size_t>(i)];
      if ((e.x >= width || e.y >= height) && result.outside++ == 0) result.first_outside = first + i;
    }
  }
}

EvtReader::EvtReader(const EvtView& file, const EventWindow& window)
    : file_(file),
      window_(window),
      state_(file.before(window.start_us)),
      buffer_(static_cast<size_t>(EventBlock::kCapacity)),
      earliest_(window.start_us) {}

bool EvtReader::next(EventBlock& block, uint32_t polarity_stride) {
  block.size = 0;
  while (!done_ && block.size == 0) {
    int64_t index = state_.events;
    const int64_t n = file_.decode(state_, buffer_.data(), EventBlock::kCapacity);
    done_ = n == 0;
    for (int64_t i = 0; i < n && !done_; ++i, ++index) {
      const TimedEvent& e = buffer_[static_cast<size_t>(i)];
      if (e.t >= window_.end_us) {
        done_ = true;
      } else if (e.t >= window_.start_us || started_) {
        started_ = true;
        push_event(block, file_.name().c_str(), index, e, earliest_, window_, polarity_stride);
      }
    }
  }
  return block.size > 0;
}

}  // namespace lampyris
