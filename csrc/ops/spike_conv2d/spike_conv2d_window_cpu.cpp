#include "ops/spike_conv2d/spike_conv2d_window.h"

#include <memory>
#include <new>
#include <vector>

#include "core/neuron.h"
#include "cpu/bits.h"
#include "cpu/event_list.h"
#include "cpu/transpose.h"
#include "ops/spike_conv2d/spike_conv2d_window_run.h"

namespace lampyris {

namespace {

constexpr int64_t kTileBytes = 64 << 10;  // of the gradient that a block of rows reads
constexpr size_t kLine = 64;             // loads that cross a cache line cost double
constexpr int64_t kLeastProducts = 128;   // below, a dot product is all overhead

int64_t border_width(const SpikeConv2dShape& s) { return s.in_width + s.kernel_width - 1; }

int64_t tile_rows(const SpikeConv2dShape& s, bool narrow) {
  const int64_t row = border_width(s) * window_channels(s) * (narrow ? 2 : 4);
  const int64_t rows = kTileBytes / row - (s.kernel_height - 1);
  return std::clamp<int64_t>(rows, std::min<int64_t>(4, s.in_height), s.in_height);
}

int64_t tiles_per_image(const SpikeConv2dShape& s, bool narrow) {
  return (s.in_height + tile_rows(s, narrow) - 1) / tile_rows(s, narrow);
}

// Bit i is set where the window of code i is open, for 32 codes.
LAMPYRIS_INLINE uint32_t window_word(Baseline, const uint8_t* codes, uint8_t bit) {
  uint32_t word = 0;
  for (int i = 0; i < 32; ++i) word |= static_cast<uint32_t>((codes[i] & bit) != 0) << i;
  return word;
}

#if defined(__x86_64__)
LAMPYRIS_INLINE uint32_t window_word(Avx2, const uint8_t* codes, uint8_t bit) {
  return window_word(Baseline{}, codes, bit);
}

LAMPYRIS_TARGET_AVX512 inline uint32_t window_word(Avx512, const uint8_t* codes, uint8_t bit) {
  return _mm256_test_epi8_mask(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)),
                               _mm256_set1_epi8(static_cast<char>(bit)));
}
#endif

template <class Dot>
class WindowTile {
  using Element = typename Dot::Element;
  using Tag = typename Dot::Tag;

 public:
  explicit WindowTile(const WindowGrad& a)
      : a_(a), s_(a.shape), channels_(window_channels(s_)), rows_(tile_rows(s_, Dot::kNarrow)) {
    const int64_t width = border_width(s_);
    border_.reset(new (std::align_val_t{kLine})
                      Element[(rows_ + s_.kernel_height - 1) * width * channels_]);
    for (int64_t k = s_.taps() - 1; k >= 0; --k) {
      const int64_t y = s_.kernel_height - 1 - k / s_.kernel_width;
      const int64_t x = s_.kernel_width - 1 - k % s_.kernel_width;
      offsets_.insert(offsets_.begin(), (y * width + x) * channels_);
    }
    for (int64_t p = 0; p < rows_ * s_.in_width; ++p) {
      at_.push_back((p / s_.in_width * width + p % s_.in_width) * channels_);
    }
    lists_.resize(static_cast<size_t>(32 * (rows_ * s_.in_width + kSpareEvents)));
  }

  LAMPYRIS_INLINE void run(int64_t tile) {
    const int64_t tiles = tiles_per_image(s_, Dot::kNarrow), image = tile / tiles;
    const int64_t row = tile % tiles * rows_;
    const int64_t rows = std::min(rows_, s_.in_height - row);
    load_grad(image, row, rows);
    const int64_t first = (image * s_.in_height + row) * s_.in_width;
    const int64_t pixels = rows * s_.in_width, steps = image / a_.batch;
    const int64_t plane = a_.batch * s_.in_height * s_.in_width * s_.in_channels;
    const uint8_t* codes = a_.codes + steps / kStepsPerByte * plane +
                           (first % (a_.batch * s_.in_height * s_.in_width)) * s_.in_channels;
    const auto bit = static_cast<uint8_t>(kCodeWindow << (kCodeBits * (steps % kStepsPerByte)));
    float* out = a_.grad_in + first * s_.in_channels;
    std::fill_n(out, pixels * s_.in_channels, 0.0F);
    for (int64_t c = 0; c < s_.in_channels; c += 32) {
      const int64_t count = std::min<int64_t>(32, s_.in_channels - c);
      list(codes + c, bit, pixels, count);
      for (int64_t i = 0; i < count; ++i) channel(c + i, i, out + c + i);
    }
  }

 private:
  // The gradient that the rows meet, with a border of zeros.
  LAMPYRIS_INLINE void load_grad(int64_t image, int64_t row, int64_t rows) {
    const int64_t width = border_width(s_), height = s_.out_height();
    const int64_t above = row + s_.padding - (s_.kernel_height - 1);
    const int64_t left = s_.kernel_width - 1 - s_.padding;
    Element* to = border_.get();
    for (int64_t y = above; y < above + rows + s_.kernel_height - 1; ++y) {
      for (int64_t x = 0; x < width; ++x, to += channels_) {
        const int64_t ox = x - left;
        const bool inside = y >= 0 && y < height && ox >= 0 && ox < s_.out_width();
        const int64_t count = inside ? s_.out_channels : 0;
        if (inside) {
          const int64_t pixel = (image * height + y) * s_.out_width() + ox;
          Dot::convert(a_.grad + pixel * s_.out_channels, count, to);
        }
        std::fill(to + count, to + channels_, Element(0));
      }
    }
  }

  // lists_[i]: pixels of the tile where channel i of 32 has its window open.
  LAMPYRIS_INLINE void list(const uint8_t* codes, uint8_t bit, int64_t pixels, int64_t count) {
    const int64_t room = rows_ * s_.in_width + kSpareEvents;
    std::fill_n(counts_, 32, 0);
    for (int64_t p = 0; p < pixels; p += 32) {
      uint32_t bits[32] = {};
      for (int64_t i = 0; i < std::min<int64_t>(32, pixels - p); ++i) {
        const uint8_t* from = codes + (p + i) * s_.in_channels;
        uint8_t spare[32] = {};
        if (count < 32) from = std::copy_n(from, count, spare) - count;
        bits[i] = window_word(Tag{}, from, bit);
      }
      transpose_bits(Tag{}, bits);
      for (int64_t c = 0; c < count; ++c) {
        int32_t* to = lists_.data() + c * room + counts_[c];
        counts_[c] += append_events(Tag{}, bits[c], static_cast<int32_t>(p), to);
      }
    }
  }

  LAMPYRIS_INLINE void channel(int64_t c, int64_t index, float* out) {
    const int64_t room = rows_ * s_.in_width + kSpareEvents, count = counts_[index];
    const int32_t* pixels = lists_.data() + index * room;
    const Element* weight = static_cast<const Element*>(a_.weight) + c * s_.taps() * channels_;
    const WindowTaps taps{offsets_.data(), s_.taps(), channels_};
    for (int64_t k = 0; k < count; k += kWindowGroup) {
      const int64_t some = std::min<int64_t>(kWindowGroup, count - k);
      int64_t at[kWindowGroup];
      float sums[kWindowGroup];
      for (int64_t g = 0; g < kWindowGroup; ++g) {
        at[g] = at_[static_cast<size_t>(pixels[k + std::min(g, some - 1)])];
      }
      Dot::group(border_.get(), at, weight, taps, sums);
      for (int64_t g = 0; g < some; ++g) out[pixels[k + g] * s_.in_channels] = sums[g];
    }
  }

  const WindowGrad& a_;
  const SpikeConv2dShape& s_;
  int64_t channels_, rows_;
  struct Release {
    void operator()(Element* p) const { ::operator delete[](p, std::align_val_t{kLine}); }
  };
  std::unique_ptr<Element[], Release> border_;
  std::vector<int64_t> offsets_, at_;
  std::vector<int32_t> lists_;
  int64_t counts_[32];
};

template <class Dot>
LAMPYRIS_INLINE void run_tiles(const WindowGrad& a, int64_t begin, int64_t end) {
  WindowTile<Dot> tile(a);
  for (int64_t k = begin; k < end; ++k) tile.run(k);
}

struct WindowFloat {
  template <class Target>
  LAMPYRIS_INLINE static void run(const WindowGrad& a, int64_t begin, int64_t end) {
#if defined(__x86_64__)
    if constexpr (std::is_same_v<Target, Avx512>) return run_tiles<DotAvx512>(a, begin, end);
    if constexpr (std::is_same_v<Target, Avx2>) return run_tiles<DotAvx2>(a, begin, end);
#endif
    if constexpr (std::is_same_v<Target, Baseline>) run_tiles<DotFloat>(a, begin, end);
  }
};

struct PackWeights {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeConv2dShape& s, const float* weight, float* packed,
                                  int64_t begin, int64_t end) {
    constexpr int64_t kSide = kTransposeSide;
    const int64_t columns = s.in_channels * s.taps(), channels = window_channels(s);
    const int64_t last = end * s.taps();
    for (int64_t k = begin * s.taps(); k < last; k += kSide) {
      for (int64_t o = 0; o < channels; o += kSide) {
        float* to = packed + (k - begin * s.taps()) * channels + o;
        if (k + kSide <= last && o + kSide <= s.out_channels) {
          transpose_tile(Target{}, weight + o * columns + k, columns, to, channels);
          continue;
        }
        for (int64_t i = 0; i < std::min(kSide, last - k); ++i) {
          for (int64_t j = 0; j < kSide; ++j) {
            const bool inside = o + j < s.out_channels;
          to[i * channels + j] = inside ? weight[(o + j) * columns + k + i] : 0.0F;
          }
        }
      }
    }
  }
};

#if defined(__x86_64__)
LAMPYRIS_TARGET_AVX512_BF16 void round_row(const float* from, int64_t count, uint16_t* to) {
  DotBfloat16::convert(from, count, to);
}

LAMPYRIS_TARGET_AVX512_BF16 void window_bfloat16(const WindowGrad& a, int64_t begin, int64_t end) {
  run_tiles<DotBfloat16>(a, begin, end);
}
#endif

}  // namespace

bool windows_fit(const SpikeConv2dShape& s) {
  return s.stride == 1 && s.groups == 1 && s.padding < s.kernel_height &&
         s.padding < s.kernel_width && s.taps() * s.out_channels >= kLeastProducts;
}

int64_t window_tiles(const SpikeConv2dShape& s, bool narrow) {
  return s.images * tiles_per_image(s, narrow);
}

void pack_window_weights(const SpikeConv2dShape& s, const float* weight, bool narrow, void* packed,
                         int64_t begin, int64_t end) {
  const int64_t row = s.taps() * window_channels(s);
  if (!narrow) {
    dispatch<PackWeights>(s, weight, static_cast<float*>(packed) + begin * row, begin, end);
    return;
  }
#if defined(__x86_64__)
  std::vector<float> spare(static_cast<size_t>(row));
  for (int64_t c = begin; c < end; ++c) {
    dispatch<PackWeights>(s, weight, spare.data(), c, c + 1);
    round_row(spare.data(), row, static_cast<uint16_t*>(packed) + c * row);
  }
#endif
}

void window_grad(const WindowGrad& a, bool narrow, int64_t begin, int64_t end) {
#if defined(__x86_64__)
  if (narrow) return window_bfloat16(a, begin, end);
#endif
  dispatch<WindowFloat>(a, begin, end);
}

int64_t count_windows(const uint8_t* codes, int64_t count) {
  constexpr uint64_t kWindows = 0x5555555555555555U * kCodeWindow;
  int64_t total = 0, i = 0;
  for (; i + 8 <= count; i += 8) {
    uint64_t some;
    std::memcpy(&some, codes + i, sizeof(some));
    total += std::popcount(some & kWindows);
  }
  for (; i < count; ++i) total += std::popcount(codes[i] & kWindows);
  return total;
}

}  // namespace lampyris
