// Exact sums of a convolution of packed spikes with int8 weights:
//   P[n, y, x, o] = sum over c, i, j of weight[o, c, i, j] spikes[n, y s + i - p, x s + j - p, c],
// zeros outside, c in the group of o. int32 holds them for any fan-in below 2^24. Operators and the
// model of the accelerator both get their sums here; which kernel runs is chosen by shape, density
// and processor.
#pragma once

#include <cstdint>
#include <string_view>

#include "cpu/aligned.h"

namespace lampyris {

struct SpikeSums {
  int64_t channels = 0, height = 0, width = 0;  // of an input image
  int64_t words = 0;  // of a pixel: uint32, channel c is bit c % 32 of word c / 32, pad bits 0
  int64_t outputs = 0, out_height = 0, out_width = 0;
  int64_t kernel_height = 1, kernel_width = 1, stride = 1, padding = 0, groups = 1;

  int64_t group_channels() const { return channels / groups; }
  int64_t group_outputs() const { return outputs / groups; }
  int64_t taps() const { return kernel_height * kernel_width; }
  int64_t image_words() const { return height * width * words; }
};

enum class SumsKernel {
  kEvent,    // a row of weights added per spike
  kChannel,  // depthwise: a masked addition per tap and 32 channels
  kVnni,     // dense, four products at once
  kTiles,    // dense, matrix tiles (cpu/tile_policy.h)
};

// "event int8", "channel int8", "vnni int8", "amx int8" (marked where tiles are emulated).
std::string_view sums_kernel_name(SumsKernel kernel);

// Share of ones among `images` images.
double spike_density(const SpikeSums& s, const uint32_t* spikes, int64_t images);

SumsKernel choose_sums_kernel(const SpikeSums& s, double density);

// Weights in the order a kernel reads.
class SpikeWeights {
 public:
  SpikeWeights(const SpikeSums& s, SumsKernel kernel);

  // From [outputs][channels / groups][kernel_height][kernel_width].
  void pack(const int8_t* weight) { pack(weight, 0, parts()); }

  // Parts [begin, end) of it: parts are independent.
  int64_t parts() const;
  void pack(const int8_t* weight, int64_t begin, int64_t end);

  const SpikeSums& shape() const { return shape_; }
  SumsKernel kernel() const { return kernel_; }

  // Outputs of a group lie in blocks of `lanes`. Events: [group][block][kx][ky][c][lanes] bytes, c
  // padded to row_words() words, see interleave(); VNNI: [block][ky][kx][quad][lanes][4]
  // bytes; channels: int16 [ky][kx][lanes]; tiles: see cpu/spike_sums_amx.h.
  int64_t lanes() const { return lanes_; }
  int64_t blocks() const { return blocks_; }
  int64_t row_words() const { return (shape_.group_channels() + 31) / 32; }
  int64_t block_bytes() const { return shape_.taps() * row_words() * 32 * lanes_; }
  int64_t quads() const { return (shape_.channels + 3) / 4; }
  const uint8_t* bytes() const { return bytes_.data(); }
  const int16_t* rows() const { return rows_.data(); }

 private:
  void pack_rows(const int8_t* weight, int64_t part);
  void pack_channels(const int8_t* weight);
  void pack_bytes(const int8_t* weight, int64_t part);

  SpikeSums shape_;
  SumsKernel kernel_;
  int64_t lanes_ = 0, blocks_ = 0;
  Aligned<int16_t> rows_;
  Aligned<uint8_t> bytes_;
};

// Input of some output rows of one image in the form that a kernel reads. Reusable; one a thread.
class SpikeTile {
 public:
  // For output rows [begin, end) of `image`, which must outlive it.
  void load(const SpikeWeights& w, const uint32_t* image, int64_t begin, int64_t end);

  // P of output rows [begin, end) of those loaded, pixel (y, x) at
  // out + ((y - begin) out_width + x) pitch, pitch >= outputs.
  void sums(const SpikeWeights& w, int64_t begin, int64_t end, int32_t* out, int64_t pitch) const;

 private:
  friend struct EventSumsLoad;
  friend struct EventSumsRows;
  friend struct ChannelSumsRows;
  friend struct VnniSumsLoad;
  friend struct VnniSumsRows;

  const uint32_t* image_ = nullptr;
  int64_t first_ = 0, rows_ = 0;  // output rows
  Aligned<int32_t> events_;  // of each output row: bytes from the weights of the map's column 0
  Aligned<int32_t> starts_;  // [group][row][width + 1] places in events_
  Aligned<uint32_t> columns_;
  Aligned<uint8_t> bytes_;  // VNNI: input rows with their border, 0 and 1
};

// Rows of work: output rows r = n out_height + y of all images.
struct SpikeSumsJob {
  const SpikeWeights* weights = nullptr;
  const uint32_t* spikes = nullptr;  // [n][height][width][words]
  const int32_t* bias = nullptr;     // [outputs] or null
  int shift = 0;                     // out = (P << shift) + bias, |out| < 2^31
  int32_t* out = nullptr;            // [n][out_height][out_width][outputs]
  bool as_float = false;             // out holds float32: exact below 2^24, else rounded to nearest
};

void spike_sums_rows(const SpikeSumsJob& job, int64_t begin, int64_t end);

}  // namespace lampyris
