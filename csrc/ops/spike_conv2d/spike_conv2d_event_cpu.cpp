// Event-driven forward convolution. Loops: chunk of output rows > group > block > part of the input
// channels > kernel row > row > pixel > events. The sums of a chunk stay in the second-level cache,
// the weights of one kernel row of one part and block in the first.
#include <memory>

#include "cpu/transpose.h"
#include "ops/spike_conv2d/spike_conv2d_event.h"
#include "ops/spike_conv2d/spike_conv2d_event_row.h"

namespace lampyris {

namespace {

// Output pixels of a chunk: 1600 pixels of 64 channels are 400 KB.
constexpr int64_t kChunkPixels = 1600;
// Weight rows that are live at once: 192 of 64 channels are 48 KB, a first-level cache.
constexpr int64_t kLiveRows = 192;
constexpr int64_t kSlack = 32;  // append_events writes past the end

// Input channels of a group are taken in parts of whole words, whose weights stay in the cache.
LAMPYRIS_INLINE int64_t part_channels(const SpikeConv2dShape& s) {
  return std::max<int64_t>(32, kLiveRows / s.kernel_width / 32 * 32);
}

// The events of consecutive input rows (over all images) for the channels of one group, a list for
// each part.
class EventRows {
 public:
  EventRows(const SpikeConv2dShape& s, const uint32_t* words)
      : s_(s),
        words_(words),
        pitch_(s.in_width + 2 * s.padding + 1),
        part_(part_channels(s)),
        parts_((s.group_in() + part_ - 1) / part_) {}

  int64_t parts() const { return parts_; }

  template <class Target>
  LAMPYRIS_INLINE void extract(int64_t first, int64_t last, int64_t group, int64_t row_bytes) {
    first_ = first;
    reserve(last - first);
    const int64_t group_in = s_.group_in();
    int32_t* next = events_.get();
    int32_t* offset = offsets_.get();
    for (int64_t part = 0; part < parts_; ++part) {
      const int64_t begin = group * group_in + part * part_;
      const int64_t end = std::min(begin + part_, (group + 1) * group_in);
      for (int64_t row = first; row < last; ++row) {
        next = extract_row<Target>(row, begin, end, group * group_in, row_bytes, next, offset);
        offset += pitch_;
      }
    }
  }

  const int32_t* events() const { return events_.get(); }
  const int32_t* offsets(int64_t part, int64_t row) const {
    return offsets_.get() + (part * rows_now_ + row - first_) * pitch_;
  }

 private:
  // Channels [begin, end) of one row; offsets count from channel `origin`.
  template <class Target>
  LAMPYRIS_INLINE int32_t* extract_row(int64_t row, int64_t begin, int64_t end, int64_t origin,
                                       int64_t row_bytes, int32_t* next, int32_t* offset) {
    const auto step = static_cast<int32_t>(row_bytes);
    const uint32_t* pixel = words_ + row * s_.in_width * s_.words_per_pixel();
    const int32_t* const events = events_.get();
    for (int64_t x = 0; x < s_.padding; ++x) *offset++ = static_cast<int32_t>(next - events);
    for (int64_t x = 0; x < s_.in_width; ++x, pixel += s_.words_per_pixel()) {
      *offset++ = static_cast<int32_t>(next - events);
      for (int64_t w = begin / 32; w < (end + 31) / 32; ++w) {
        uint32_t bits = pixel[w];
        if (32 * w < begin) bits &= ~0U << (begin - 32 * w);
        if (32 * w + 32 > end) bits &= ~0U >> (32 * w + 32 - end);
        const int64_t base = (x * s_.group_in() + 32 * w - origin) * row_bytes;
        next = append_events(Target{}, bits, static_cast<int32_t>(base), step, next);
      }
    }
    for (int64_t x = 0; x <= s_.padding; ++x) *offset++ = static_cast<int32_t>(next - events);
    return next;
  }

  void reserve(int64_t rows) {
    rows_now_ = rows;
    if (rows <= rows_) return;
    rows_ = rows;
    const auto spikes = static_cast<size_t>(rows * s_.in_width * s_.group_in() + kSlack);
    events_ = std::make_unique_for_overwrite<int32_t[]>(spikes);
    offsets_ =
        std::make_unique_for_overwrite<int32_t[]>(static_cast<size_t>(parts_ * rows * pitch_));
  }

  const SpikeConv2dShape& s_;
  const uint32_t* words_;
  int64_t pitch_, part_, parts_, rows_ = 0, rows_now_ = 0, first_ = 0;
  std::unique_ptr<int32_t[]> events_, offsets_;
};

struct EventConv {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeConv2d<float>& a, const float* packed, int64_t begin,
                                  int64_t end) {
    const SpikeConv2dShape& s = a.shape;
    const EventBlocks blocks(s.group_out());
    const int64_t row_bytes = blocks.row() * static_cast<int64_t>(sizeof(float));
    const int64_t chunk = std::max<int64_t>(1, kChunkPixels / s.out_width());
    EventRows rows(s, a.words);
    for (int64_t from = begin; from < end; from += chunk) {
      const int64_t to = std::min(end, from + chunk);
      for (int64_t g = 0; g < s.groups; ++g) {
        rows.extract<Target>(first_input(s, from), last_input(s, to - 1), g, row_bytes);
        for (int64_t b = 0; b < blocks.count; ++b) {
          const float* weights =
              packed + (g * blocks.count + b) * s.taps() * s.group_in() * blocks.row();
          block<Target>(a, blocks, rows, weights, g, b, from, to);
        }
      }
    }
  }

  // The input rows that output rows read: first of one, one past the last of another.
  LAMPYRIS_INLINE static int64_t first_input(const SpikeConv2dShape& s, int64_t r) {
    const int64_t y = r % s.out_height() * s.stride - s.padding;
    return r / s.out_height() * s.in_height + std::clamp<int64_t>(y, 0, s.in_height);
  }

  LAMPYRIS_INLINE static int64_t last_input(const SpikeConv2dShape& s, int64_t r) {
    const int64_t y = r % s.out_height() * s.stride - s.padding + s.kernel_height;
    return r / s.out_height() * s.in_height + std::clamp<int64_t>(y, 0, s.in_height);
  }

  template <class Target>
  LAMPYRIS_INLINE static void block(const SpikeConv2d<float>& a, const EventBlocks& blocks,
                                    const EventRows& rows, const float* weights, int64_t group,
                                    int64_t b, int64_t from, int64_t to) {
    const SpikeConv2dShape& s = a.shape;
    const int64_t first = group * blocks.channels + blocks.first(b), channels = blocks.size(b);
    float bias[4 * kEventLanes] = {};
    if (a.bias != nullptr) std::copy_n(a.bias + first, channels, bias);
    const int64_t row_floats = s.kernel_width * s.group_in() * blocks.row();
    const int64_t pixel_bytes =
        s.stride * s.group_in() * blocks.row() * static_cast<int64_t>(sizeof(float));
    // Padded pixel 0 of the offsets is pixel -padding.
    const int64_t origin =
        s.padding * s.group_in() * blocks.row() * static_cast<int64_t>(sizeof(float));
    for (int64_t pass = 0; pass < rows.parts() * s.kernel_height; ++pass) {
      const int64_t part = pass / s.kernel_height, ky = pass % s.kernel_height;
      for (int64_t r = from; r < to; ++r) {
        const int64_t iy = r % s.out_height() * s.stride - s.padding + ky;
        float* out = a.out + r * s.out_width() * s.out_channels + first;
        if (iy < 0 || iy >= s.in_height) {
          if (pass > 0) continue;
          for (int64_t x = 0; x < s.out_width(); ++x) {
            std::copy_n(bias, channels, out + x * s.out_channels);
          }
          continue;
        }
        const EventRow row{rows.events(),
                           rows.offsets(part, r / s.out_height() * s.in_height + iy),
                           s.out_width(),
                           s.stride,
                           s.kernel_width,
                           reinterpret_cast<const char*>(weights + ky * row_floats) + origin,
                           pixel_bytes,
                           pass == 0 ? bias : out,
                           pass == 0 ? 0 : s.out_channels,
                           out,
                           s.out_channels,
                           channels};
        switch ((channels + kEventLanes - 1) / kEventLanes) {
          case 1:
            event_row<1>(Target{}, row);
            break;
          case 2:
            event_row<2>(Target{}, row);
            break;
          case 3:
            event_row<3>(Target{}, row);
            break;
          default:
            event_row<4>(Target{}, row);
        }
      }
    }
  }
};

struct PackWeights {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeConv2dShape& s, const float* weight, float* packed,
                                  int64_t begin, int64_t end) {
    const EventBlocks blocks(s.group_out());
    const int64_t per_output = s.group_in() * s.taps(), row = blocks.row();
    for (int64_t k = begin; k < end; ++k) {
      const int64_t b = k % blocks.count, size = blocks.size(b);
      const int64_t first = k / blocks.count * blocks.channels + blocks.first(b);
      for (int64_t lane = 0; lane < row; lane += kEventLanes) {
        for (int64_t e = 0; e < per_output; e += kEventLanes) {
          tile<Target>(s, weight + (first + lane) * per_output, size - lane, e,
                       packed + k * per_output * row + lane, row);
        }
      }
    }
  }

  // Weights [e, e + 16) of 16 outputs; weight e = (c, tap) goes to row (tap, c).
  template <class Target>
  LAMPYRIS_INLINE static void tile(const SpikeConv2dShape& s, const float* from, int64_t outputs,
                                   int64_t e, float* to, int64_t row) {
    const int64_t per_output = s.group_in() * s.taps();
    const int64_t count = std::min(kEventLanes, per_output - e);
    float lanes[kEventLanes * kEventLanes] = {};
    if (outputs >= kEventLanes && count == kEventLanes) {
      transpose_tile(Target{}, from + e, per_output, lanes, kEventLanes);
    } else {
      for (int64_t o = 0; o < std::min(kEventLanes, outputs); ++o) {
        for (int64_t i = 0; i < count; ++i) {
          lanes[i * kEventLanes + o] = from[o * per_output + e + i];
        }
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      const int64_t c = (e + i) / s.taps(), tap = (e + i) % s.taps();
      std::copy_n(lanes + i * kEventLanes, kEventLanes, to + (tap * s.group_in() + c) * row);
    }
  }
};

}  // namespace

void pack_event_weights(const SpikeConv2dShape& s, const float* weight, float* packed,
                        int64_t begin, int64_t end) {
  dispatch<PackWeights>(s, weight, packed, begin, end);
}

void spike_conv2d_event(const SpikeConv2d<float>& a, const float* packed, int64_t begin,
                        int64_t end) {
  dispatch<EventConv>(a, packed, begin, end);
}

}  // namespace lampyris
