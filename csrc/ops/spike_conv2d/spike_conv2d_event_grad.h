// The gradient of the weights, event by event, in float32: dW[:, c, ky, kx] is the sum of dY over
// the output pixels that the spikes of channel c meet through tap (ky, kx).
#pragma once

#include <memory>
#include <vector>

#include "ops/spike_conv2d/spike_conv2d.h"

namespace lampyris {

// Input rows [row, row + rows) of images [image, image + images): their dY of one block of output
// channels, with a border of zeros, fits the first-level cache.
struct GradTile {
  int64_t image = 0, images = 1, row = 0, rows = 0;
  // Byte offsets into that dY, by (parity class, channel), and where each list starts.
  std::unique_ptr<int32_t[]> events;
  std::vector<int32_t> starts;
};

// Use: list(0, tiles()) in any pieces, then accumulate(0, items()) in any pieces. Every dW value is
// summed by one call in the order of the events: results do not depend on the pieces, nor on
// `parts`, in how many parts the input channels are cut to make enough items for the threads.
class EventGradWeight {
 public:
  EventGradWeight(const SpikeConv2dGradWeight<float>& a, int64_t parts);

  int64_t tiles() const { return static_cast<int64_t>(tiles_.size()); }
  void list(int64_t begin, int64_t end);
  int64_t items() const { return shape().groups * blocks_ * parts_; }
  void accumulate(int64_t begin, int64_t end) const;

  // What the kernels read.
  const SpikeConv2dShape& shape() const { return a_.shape; }
  const SpikeConv2dGradWeight<float>& problem() const { return a_; }
  const GradTile& tile(int64_t t) const { return tiles_[static_cast<size_t>(t)]; }
  GradTile& tile(int64_t t) { return tiles_[static_cast<size_t>(t)]; }
  int64_t blocks() const { return blocks_; }
  int64_t parts() const { return parts_; }
  int64_t vectors() const { return vectors_; }
  int64_t lanes() const { return 16 * vectors_; }

  // Output rows and columns of a tile's dY with its border: first one (negative in the border), and
  // how many.
  int64_t first_row(int64_t input_row) const;
  int64_t border_rows(const GradTile& t) const;
  int64_t first_column() const;
  int64_t border_columns() const;

 private:
  SpikeConv2dGradWeight<float> a_;
  int64_t vectors_, blocks_, parts_;
  std::vector<GradTile> tiles_;
};

}  // namespace lampyris
