#include "events/dat_file.h"

#include <utility>

namespace lampyris {

DatView::DatView(std::span<const uint8_t> bytes, std::string name)
    : name_(std::move(name)), header_(parse_dat_header(bytes, name_)) {
  data_ = bytes.data() + header_.data_offset;
  size_ = (static_cast<int64_t>(bytes.size()) - header_.data_offset) / kDatEventBytes;
}

int64_t DatView::lower_bound(int64_t t) const {
  int64_t first = 0;
  int64_t last = size_;
  while (first < last) {
    const int64_t middle = first + (last - first) / 2;
    if (static_cast<int64_t>(event(middle).t) < t) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return first;
}

EventCheck DatView::check(int64_t height, int64_t width) const {
  EventCheck result;
  uint32_t latest = 0;
  for (int64_t i = 0; i < size_; ++i) {
    const Event e = event(i);
    if (e.t < latest && result.unsorted++ == 0) result.first_unsorted = i;
    if ((e.x >= width || e.y >= height) && result.outside++ == 0) result.first_outside = i;
    latest = e.t;
  }
  return result;
}

}  // namespace lampyris
