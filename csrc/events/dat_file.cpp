#include "events/dat_file.h"

namespace lampyris {

DatFile::DatFile(const std::string& path) : path_(path), file_(path) {
  const auto bytes = file_.bytes();
  header_ = parse_dat_header(bytes, path);
  data_ = bytes.data() + header_.data_offset;
  size_ = (static_cast<int64_t>(bytes.size()) - header_.data_offset) / kDatEventBytes;
}

int64_t DatFile::lower_bound(int64_t t) const {
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

EventCheck DatFile::check(int64_t height, int64_t width) const {
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
