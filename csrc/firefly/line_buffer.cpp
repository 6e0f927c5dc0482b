#include "firefly/line_buffer.h"

#include "core/error.h"

namespace lampyris::firefly {

LineBuffer::LineBuffer(const Config& config, const WindowShape& shape)
    : shape_(shape),
      near_(static_cast<size_t>(config.line_depth)),
      far_(static_cast<size_t>(config.line_depth)) {
  if (shape.width > config.line_depth)
    fail("line buffer: width must be at most {}, got {}", config.line_depth, shape.width);
}

bool LineBuffer::push(uint32_t pixel) {
  const size_t column = static_cast<size_t>(pushed_ % shape_.width);
  for (size_t row = 0; row < 3; ++row) {
    raw_[row * 3] = raw_[row * 3 + 1];
    raw_[row * 3 + 1] = raw_[row * 3 + 2];
  }
  raw_[2] = far_[column];
  raw_[5] = near_[column];
  raw_[8] = pixel;
  far_[column] = near_[column];
  near_[column] = pixel;
  const int64_t centre = pushed_++ - latency();
  if (centre < 0) return false;
  const int64_t at = centre % (int64_t{shape_.height} * shape_.width);
  const int y = static_cast<int>(at / shape_.width), x = static_cast<int>(at % shape_.width);
  if (!emits(y, x)) return false;
  for (int row = 0; row < 3; ++row)
    for (int tap = 0; tap < 3; ++tap) {
      const int from_y = y + row - 1, from_x = x + tap - 1;
      const bool inside =
          from_y >= 0 && from_y < shape_.height && from_x >= 0 && from_x < shape_.width;
      const size_t i = static_cast<size_t>(row * 3 + tap);
      window_[i] = inside ? raw_[i] : 0;
    }
  return true;
}

bool LineBuffer::emits(int y, int x) const {
  const int down = y - 1 + shape_.top, across = x - 1 + shape_.left;
  return down >= 0 && across >= 0 && down % shape_.stride == 0 && across % shape_.stride == 0 &&
         down / shape_.stride < shape_.out_height() && across / shape_.stride < shape_.out_width();
}

bool WindowPacker::push(uint32_t beat) {
  window_[filled_] = beat;
  filled_ = (filled_ + 1) % window_.size();
  return filled_ == 0;
}

}  // namespace lampyris::firefly
