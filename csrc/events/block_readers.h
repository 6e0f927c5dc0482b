// Readers of one window: over a .dat file, and over events that somebody else holds in arrays.
#pragma once

#include <cstdint>
#include <string>

#include "events/dat_file.h"
#include "events/event_block.h"

namespace lampyris {

// The window of a .dat file, found by bisection. The file must outlive the reader.
class DatReader : public BlockReader {
 public:
  DatReader(const DatView& file, const EventWindow& window);

  bool next(EventBlock& block, uint32_t polarity_stride) override;

 private:
  const DatView& file_;
  EventWindow window_;
  int64_t next_ = 0;
  int64_t last_ = 0;
  int64_t earliest_ = 0;
};

// Columns of n events sorted by time.
struct EventColumns {
  const int64_t* t = nullptr;  // us
  const uint16_t* x = nullptr;
  const uint16_t* y = nullptr;
  const uint8_t* polarity = nullptr;  // 0 or 1
  int64_t n = 0;

  TimedEvent event(int64_t i) const { return {t[i], x[i], y[i], polarity[i]}; }
};

// The window of columns; a polarity above 1 counts as 1.
class ColumnReader : public BlockReader {
 public:
  ColumnReader(const EventColumns& events, const EventWindow& window, std::string name);

  bool next(EventBlock& block, uint32_t polarity_stride) override;

 private:
  EventColumns events_;
  EventWindow window_;
  std::string name_;
  int64_t next_ = 0;
  int64_t last_ = 0;
  int64_t earliest_ = 0;
};

}  // namespace lampyris
