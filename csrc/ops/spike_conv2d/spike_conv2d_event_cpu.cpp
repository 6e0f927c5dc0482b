// Event-driven forward convolution. Loops: chunk of output rows > group > block > kernel row > row >
// pixel > events. The sums of a chunk stay in the second-level cache between kernel rows, and the
// weights of one kernel row of one block are all that is live: 48 KB at 64 channels, 3 x 3.
#include <memory>

#include "ops/spike_conv2d/spike_conv2d_event.h"
#include "ops/spike_conv2d/spike_conv2d_event_row.h"

namespace lampyris {

namespace {

// Output pixels of a chunk: 1600 pixels of 64 channels are 400 KB.
constexpr int64_t kChunkPixels = 1600;
constexpr int64_t kSlack = 32;  // append_events writes past the end

// The events of consecutive input rows (over all images) for one group.
class EventRows {
 public:
  EventRows(const SpikeConv2dShape& s, const uint32_t* words)
      : s_(s), words_(words), pitch_(s.in_width + 2 * s.padding + 1) {}

  template <class Target>
  LAMPYRIS_INLINE void extract(int64_t first, int64_t last, int64_t group, int64_t row_bytes) {
    first_ = first;
    reserve(last - first);
    const int64_t group_in = s_.group_in(), begin = group * group_in, end = begin + group_in;
    const auto step = static_cast<int32_t>(row_bytes);
    int32_t* next = events_.get();
    for (int64_t row = first; row < last; ++row) {
      int32_t* offset = offsets_.get() + (row - first) * pitch_;
      const auto position = [&]() __attribute__((always_inline)) {
        return static_cast<int32_t>(next - events_.get());
      };
      for (int64_t x = 0; x < s_.padding; ++x) *offset++ = position();
      const uint32_t* pixel = words_ + row * s_.in_width * s_.words_per_pixel();
      for (int64_t x = 0; x < s_.in_width; ++x, pixel += s_.words_per_pixel()) {
        *offset++ = position();
        for (int64_t w = begin / 32; w < (end + 31) / 32; ++w) {
          uint32_t bits = pixel[w];
          if (32 * w < begin) bits &= ~0U << (begin - 32 * w);
          if (32 * w + 32 > end) bits &= ~0U >> (32 * w + 32 - end);
          const int64_t base = (x * group_in + 32 * w - begin) * row_bytes;
          next = append_events(Target{}, bits, static_cast<int32_t>(base), step, next);
        }
      }
      for (int64_t x = 0; x <= s_.padding; ++x) *offset++ = position();
    }
  }

  const int32_t* events() const { return events_.get(); }
  const int32_t* offsets(int64_t row) const { return offsets_.get() + (row - first_) * pitch_; }

 private:
  void reserve(int64_t rows) {
    if (rows <= rows_) return;
    rows_ = rows;
    const int64_t spikes = rows * s_.in_width * s_.group_in() + kSlack;
    events_ = std::make_unique_for_overwrite<int32_t[]>(static_cast<size_t>(spikes));
    offsets_ = std::make_unique_for_overwrite<int32_t[]>(static_cast<size_t>(rows * pitch_));
  }

  const SpikeConv2dShape& s_;
  const uint32_t* words_;
  int64_t pitch_, rows_ = 0, first_ = 0;
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
    for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
      for (int64_t r = from; r < to; ++r) {
        const int64_t iy = r % s.out_height() * s.stride - s.padding + ky;
        float* out = a.out + r * s.out_width() * s.out_channels + first;
        if (iy < 0 || iy >= s.in_height) {
          if (ky > 0) continue;
          for (int64_t x = 0; x < s.out_width(); ++x) {
            std::copy_n(bias, channels, out + x * s.out_channels);
          }
          continue;
        }
        const EventRow row{rows.events(),
                           rows.offsets(r / s.out_height() * s.in_height + iy),
                           s.out_width(),
                           s.stride,
                           s.kernel_width,
                           reinterpret_cast<const char*>(weights + ky * row_floats) + origin,
                           pixel_bytes,
                           ky == 0 ? bias : out,
                           ky == 0 ? 0 : s.out_channels,
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
    const int64_t per_output = s.group_in() * s.taps();
    for (int64_t k = begin; k < end; ++k) {
      const int64_t b = k % blocks.count, row = blocks.row();
      const int64_t first = k / blocks.count * blocks.channels + blocks.first(b);
      float* to = packed + k * per_output * row;
      for (int64_t c = 0; c < s.group_in(); ++c) {
        for (int64_t tap = 0; tap < s.taps(); ++tap) {
          float* out = to + (tap * s.group_in() + c) * row;
          const float* from = weight + first * per_output + c * s.taps() + tap;
          for (int64_t o = 0; o < blocks.size(b); ++o) out[o] = from[o * per_output];
          std::fill(out + blocks.size(b), out + row, 0.0F);
        }
      }
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
