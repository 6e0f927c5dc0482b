// Event-driven gradient of the weights. Loops: block of output channels > tile > input channel >
// parity class > events, all taps in registers. dY of a tile is copied with a border of zeros, so
// that no tap needs a test; dW of a block is [channel][ky][kx][lanes] in scratch.
// With stride s, spikes whose (y + p, x + p) are (a, b) modulo s meet the taps a, a + s, ... and b,
// b + s, ... only: each such class is a convolution of stride 1 on its own.
#include "ops/spike_conv2d/spike_conv2d_event_grad.h"

#include <algorithm>

#include "cpu/bits.h"
#include "cpu/transpose.h"
#include "ops/spike_conv2d/spike_conv2d_event_row.h"
#include "ops/spike_conv2d/spike_conv2d_event_taps.h"

namespace lampyris {

namespace {

constexpr int64_t kTileBytes = 36 << 10;
constexpr int64_t kSlack = 32;  // append_events writes past the end

int64_t floor_divide(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// A cache line: loads that cross lines would cost twice.
struct alignas(64) Line {
  float lanes[16];
};

// What the pixels of a tile share between channels, 32 of them at a time.
struct TilePixels {
  int64_t blocks = 0;
  std::vector<int32_t> offsets;  // into dY, of every input pixel
  std::vector<uint32_t> masks;   // [class][blocks]: the pixels of a class

  void set(const EventGradWeight& grad, const GradTile& t) {
    const SpikeConv2dShape& s = grad.shape();
    const int64_t pixels = t.images * t.rows * s.in_width;
    blocks = (pixels + 31) / 32;
    offsets.resize(static_cast<size_t>(32 * blocks));
    masks.assign(static_cast<size_t>(s.stride * s.stride * blocks), 0);
    const int64_t pixel_bytes = grad.lanes() * static_cast<int64_t>(sizeof(float));
    int64_t pixel = 0;
    for (int64_t r = 0; r < t.images * t.rows; ++r) {
      const int64_t y = t.row + r % t.rows + s.padding;
      const int64_t line =
          r / t.rows * grad.border_rows(t) + y / s.stride - grad.first_row(t.row);
      const int64_t start = line * grad.border_columns() - grad.first_column();
      for (int64_t x = s.padding; x < s.in_width + s.padding; ++x, ++pixel) {
        const int64_t column = x / s.stride;
        offsets[static_cast<size_t>(pixel)] =
            static_cast<int32_t>((start + column) * pixel_bytes);
        const int64_t k = y % s.stride * s.stride + x - column * s.stride;
        masks[static_cast<size_t>(k * blocks + pixel / 32)] |= 1U << pixel % 32;
      }
    }
  }
};

struct ListEvents {
  template <class Target>
  LAMPYRIS_INLINE static void run(EventGradWeight* grad, int64_t begin, int64_t end) {
    TilePixels pixels;
    std::vector<uint32_t> planes;
    for (int64_t t = begin; t < end; ++t) {
      pixels.set(*grad, grad->tile(t));
      tile<Target>(*grad, grad->tile(t), pixels, planes);
    }
  }

  template <class Target>
  LAMPYRIS_INLINE static void tile(const EventGradWeight& grad, GradTile& t,
                                   const TilePixels& pixels, std::vector<uint32_t>& planes) {
    const SpikeConv2dShape& s = grad.shape();
    const int64_t count = t.images * t.rows * s.in_width, width = s.words_per_pixel();
    const int64_t blocks = pixels.blocks;
    // The rows of a tile follow each other in memory. Their bits by channel: [32 width][blocks].
    const uint32_t* words =
        grad.problem().words + (t.image * s.in_height + t.row) * s.in_width * width;
    planes.resize(static_cast<size_t>(32 * width * blocks));
    int64_t spikes = 0;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t some = std::min<int64_t>(32, count - 32 * block);
      for (int64_t w = 0; w < width; ++w) {
        uint32_t bits[32] = {};
        for (int64_t x = 0; x < some; ++x) {
          bits[x] = words[(32 * block + x) * width + w];
          spikes += std::popcount(bits[x]);
        }
        transpose_bits(Target{}, bits);
        for (int64_t c = 0; c < 32; ++c) planes[(32 * w + c) * blocks + block] = bits[c];
      }
    }
    const int64_t classes = s.stride * s.stride;
    t.events = std::make_unique_for_overwrite<int32_t[]>(static_cast<size_t>(spikes + kSlack));
    t.starts.resize(static_cast<size_t>(s.in_channels * classes + 1));
    int32_t* next = t.events.get();
    for (int64_t list = 0; list < s.in_channels * classes; ++list) {
      t.starts[static_cast<size_t>(list)] = static_cast<int32_t>(next - t.events.get());
      const uint32_t* plane = planes.data() + list / classes * blocks;
      const uint32_t* mask = pixels.masks.data() + list % classes * blocks;
      for (int64_t block = 0; block < blocks; ++block) {
        next = append_offsets(Target{}, plane[block] & mask[block],
                              pixels.offsets.data() + 32 * block, 0, next);
      }
    }
    t.starts.back() = static_cast<int32_t>(next - t.events.get());
  }
};

template <int V>
struct Accumulate {
  static constexpr int64_t kLanes = 16 * V;

  template <class Target>
  LAMPYRIS_INLINE static void run(const EventGradWeight* grad, int64_t begin, int64_t end) {
    const SpikeConv2dShape& s = grad->shape();
    std::vector<Line> dy_lines, sum_lines;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t part = item % grad->parts(), block = item / grad->parts() % grad->blocks();
      const int64_t group = item / grad->parts() / grad->blocks();
      const int64_t first = part * s.group_in() / grad->parts();
      const int64_t last = (part + 1) * s.group_in() / grad->parts();
      const int64_t lanes = std::min(kLanes, s.group_out() - block * kLanes);
      const int64_t out = group * s.group_out() + block * kLanes;
      sum_lines.assign(static_cast<size_t>((last - first) * s.taps() * V), Line{});
      float* sums = sum_lines.data()->lanes;
      for (int64_t t = 0; t < grad->tiles(); ++t) {
        const GradTile& tile = grad->tile(t);
        dy_lines.resize(static_cast<size_t>(tile.images * grad->border_rows(tile) *
                                            grad->border_columns() * V));
        float* dy = dy_lines.data()->lanes;
        copy_tile(*grad, tile, out, lanes, dy);
        for (int64_t c = first; c < last; ++c) {
          channel<Target>(*grad, tile, group * s.group_in() + c, dy,
                          sums + (c - first) * s.taps() * kLanes);
        }
      }
      write<Target>(sums, (last - first) * s.taps(), lanes,
                    grad->problem().grad_weight + (out * s.group_in() + first) * s.taps(),
                    s.group_in() * s.taps());
    }
  }

  // Sums [count][kLanes] to rows of `count`, one a lane.
  template <class Target>
  LAMPYRIS_INLINE static void write(const float* sums, int64_t count, int64_t lanes, float* to,
                                    int64_t row) {
    for (int64_t o = 0; o < lanes; o += kTransposeSide) {
      for (int64_t k = 0; k < count; k += kTransposeSide) {
        if (o + kTransposeSide <= lanes && k + kTransposeSide <= count) {
          transpose_tile(Target{}, sums + k * kLanes + o, kLanes, to + o * row + k, row);
          continue;
        }
        for (int64_t i = o; i < std::min(o + kTransposeSide, lanes); ++i) {
          for (int64_t e = k; e < std::min(k + kTransposeSide, count); ++e) {
            to[i * row + e] = sums[e * kLanes + i];
          }
        }
      }
    }
  }

  // dY of output channels [out, out + lanes) with the border.
  LAMPYRIS_INLINE static void copy_tile(const EventGradWeight& grad, const GradTile& t,
                                        int64_t out, int64_t lanes, float* dy) {
    const SpikeConv2dShape& s = grad.shape();
    const int64_t rows = grad.border_rows(t), columns = grad.border_columns();
    const int64_t left = -grad.first_column();
    const int64_t inside = std::min(s.out_width(), columns - left);
    for (int64_t r = 0; r < t.images * rows; ++r) {
      const int64_t y = grad.first_row(t.row) + r % rows;
      float* to = dy + r * columns * kLanes;
      if (y < 0 || y >= s.out_height()) {
        std::fill_n(to, columns * kLanes, 0.0F);
        continue;
      }
      const int64_t row = (t.image + r / rows) * s.out_height() + y;
      const float* from = grad.problem().grad + row * s.out_width() * s.out_channels + out;
      to = std::fill_n(to, left * kLanes, 0.0F);
      for (int64_t x = 0; x < inside; ++x, from += s.out_channels, to += kLanes) {
        if (lanes == kLanes) {
          for (int64_t o = 0; o < kLanes; ++o) to[o] = from[o];
        } else {
          std::fill(std::copy_n(from, lanes, to), to + kLanes, 0.0F);
        }
      }
      std::fill_n(to, (columns - left - inside) * kLanes, 0.0F);
    }
  }

  // All taps of one input channel over one tile.
  template <class Target>
  LAMPYRIS_INLINE static void channel(const EventGradWeight& grad, const GradTile& t, int64_t c,
                                      const float* dy, float* sums) {
    const SpikeConv2dShape& s = grad.shape();
    const int64_t classes = s.stride * s.stride;
    GradTaps a{};
    a.pixel_bytes = kLanes * static_cast<int64_t>(sizeof(float));
    a.row_bytes = grad.border_columns() * a.pixel_bytes;
    a.next_row = s.stride * s.kernel_width * kLanes;
    a.next_column = s.stride * kLanes;
    for (int64_t k = 0; k < classes; ++k) {
      const int64_t ky = k / s.stride, kx = k % s.stride;
      if (ky >= s.kernel_height || kx >= s.kernel_width) continue;
      a.event = t.events.get() + t.starts[static_cast<size_t>(c * classes + k)];
      a.end = t.events.get() + t.starts[static_cast<size_t>(c * classes + k + 1)];
      if (a.event == a.end) continue;
      const int64_t rows = (s.kernel_height - ky - 1) / s.stride + 1;
      const int64_t columns = (s.kernel_width - kx - 1) / s.stride + 1;
      a.dy = reinterpret_cast<const char*>(dy);
      a.sums = sums + (ky * s.kernel_width + kx) * kLanes;
      if (rows == 3 && columns == 3 && V <= 2) {
        grad_taps<3, 3, V <= 2 ? V : 1>(Target{}, a);
      } else if (rows == 2 && columns == 2) {
        grad_taps<2, 2, V>(Target{}, a);
      } else {
        for (int64_t ty = 0; ty < rows; ++ty) tap_row<Target>(a, ty, columns);
      }
    }
  }

  template <class Target>
  LAMPYRIS_INLINE static void tap_row(const GradTaps& all, int64_t ty, int64_t columns) {
    constexpr int64_t kMost = 4;
    for (int64_t tx = 0; tx < columns; tx += kMost) {
      GradTaps a = all;
      a.dy -= ty * a.row_bytes + tx * a.pixel_bytes;
      a.sums += ty * a.next_row + tx * a.next_column;
      switch (columns - tx) {
        case 1:
          grad_taps<1, 1, V>(Target{}, a);
          break;
        case 2:
          grad_taps<1, 2, V>(Target{}, a);
          break;
        case 3:
          grad_taps<1, 3, V>(Target{}, a);
          break;
        default:
          grad_taps<1, 4, V>(Target{}, a);
      }
    }
  }
};

}  // namespace

EventGradWeight::EventGradWeight(const SpikeConv2dGradWeight<float>& a, int64_t parts) : a_(a) {
  const SpikeConv2dShape& s = a_.shape;
  const int64_t out = s.group_out();
  vectors_ = out <= 16 ? 1 : s.taps() == 1 && out > 32 ? 4 : 2;
  blocks_ = (out + lanes() - 1) / lanes();
  parts_ = std::clamp<int64_t>(parts, 1, s.group_in());
  const int64_t row_bytes = border_columns() * lanes() * static_cast<int64_t>(sizeof(float));
  GradTile whole;
  whole.rows = s.in_height;
  const int64_t images = kTileBytes / (border_rows(whole) * row_bytes);
  if (images >= 1) {
    for (int64_t n = 0; n < s.images; n += images) {
      tiles_.push_back({n, std::min(images, s.images - n), 0, s.in_height, nullptr, {}});
    }
    return;
  }
  const int64_t halo = (s.kernel_height - 1) / s.stride;
  const int64_t band = std::max<int64_t>({4, halo, kTileBytes / row_bytes - halo}) * s.stride;
  for (int64_t n = 0; n < s.images; ++n) {
    for (int64_t row = 0; row < s.in_height; row += band) {
      tiles_.push_back({n, 1, row, std::min(band, s.in_height - row), nullptr, {}});
    }
  }
}

int64_t EventGradWeight::first_row(int64_t input_row) const {
  const SpikeConv2dShape& s = a_.shape;
  return floor_divide(input_row + s.padding - (s.kernel_height - 1), s.stride);
}

int64_t EventGradWeight::border_rows(const GradTile& t) const {
  const SpikeConv2dShape& s = a_.shape;
  return (t.row + t.rows - 1 + s.padding) / s.stride - first_row(t.row) + 1;
}

int64_t EventGradWeight::first_column() const {
  const SpikeConv2dShape& s = a_.shape;
  return std::min<int64_t>(0, floor_divide(s.padding - (s.kernel_width - 1), s.stride));
}

int64_t EventGradWeight::border_columns() const {
  const SpikeConv2dShape& s = a_.shape;
  return (s.in_width - 1 + s.padding) / s.stride - first_column() + 1;
}

void EventGradWeight::list(int64_t begin, int64_t end) {
  dispatch<ListEvents>(this, begin, end);
}

void EventGradWeight::accumulate(int64_t begin, int64_t end) const {
  if (vectors_ == 1) return dispatch<Accumulate<1>>(this, begin, end);
  if (vectors_ == 2) return dispatch<Accumulate<2>>(this, begin, end);
  dispatch<Accumulate<4>>(this, begin, end);
}

}  // namespace lampyris
