// A Prophesee raw recording, memory-mapped, with an index that makes windows by time and ranges by
// number random access: any bytes are safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "events/dat_file.h"
#include "events/event_block.h"
#include "events/evt_decode.h"
#include "events/evt_header.h"
#include "io/mapped_file.h"

namespace lampyris {

// Found by decoding a recording once.
struct EvtIndex {
  struct Entry {
    EvtState state;      // before word k * stride
    int64_t latest = 0;  // largest time of the events before it, -1 without one
  };
  std::vector<Entry> entries;
  int64_t size = 0;  // events
  EventCheck order;  // jumps back in time (no positions)
  int64_t skipped = 0;
};

class EvtView {
 public:
  // Words between two entries of the index: 32 KiB of EVT3, 64 KiB of EVT2.
  static constexpr int64_t kStride = 1 << 14;

  // Reads the header alone. Throws std::invalid_argument (parse_evt_header).
  EvtView(std::span<const uint8_t> bytes, std::string name);

  const std::string& name() const { return name_; }
  const EvtHeader& header() const { return header_; }

  // Decodes everything on first use (any thread).
  const EvtIndex& index() const;

  // Continues `state` into out[0, capacity); 0: the end.
  int64_t decode(EvtState& state, TimedEvent* out, int64_t capacity) const;

  // State from which every event with a time of at least t is still to come, in sorted data.
  EvtState before(int64_t t) const;

  // Number of events before time t (us); meaningful for sorted times, safe for any.
  int64_t lower_bound(int64_t t) const;

  // Events first..last-1; 0 <= first <= last <= index().size.
  std::vector<TimedEvent> read(int64_t first, int64_t last) const;

  // Reads all events: times that decrease, positions outside height x width.
  EventCheck check(int64_t height, int64_t width) const;

 private:
  std::string name_;
  EvtHeader header_;
  const uint8_t* words_ = nullptr;
  int64_t count_ = 0;  // words
  mutable EvtIndex index_;
  mutable std::once_flag indexed_;
};

// The window of a raw recording, found by the index. The recording must outlive the reader.
class EvtReader : public BlockReader {
 public:
  EvtReader(const EvtView& file, const EventWindow& window);

  bool next(EventBlock& block, uint32_t polarity_stride) override;

 private:
  const EvtView& file_;
  EventWindow window_;
  EvtState state_;
  std::vector<TimedEvent> buffer_;
  int64_t earliest_ = 0;
  bool started_ = false;
  bool done_ = false;
};

// A raw recording on disk, mapped. Throws FileError and what EvtView throws.
class EvtFile {
 public:
  explicit EvtFile(const std::string& path) : file_(path), view_(file_.bytes(), path) {}

  const EvtView& view() const { return view_; }

 private:
  MappedFile file_;
  EvtView view_;
};

}  // namespace lampyris
