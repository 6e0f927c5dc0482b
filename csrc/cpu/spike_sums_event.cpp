// Event-driven sums. The spikes under the kernel's rows at an output row become one list in (x, ky,
// c) order, stored as byte offsets of their weights: the spikes of any window are one piece of it,
// and the weights of the window at x start x columns before. One loop a pixel, because its exit is
// what the processor mispredicts.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "cpu/bits.h"
#include "cpu/dispatch.h"
#include "cpu/spike_sums_kernels.h"

namespace lampyris {

namespace {

typedef uint16_t Lanes __attribute__((vector_size(64), aligned(2), may_alias));

// Appends base + i pitch for the set bits i < 64; may write kSlack entries past the returned end.
template <class Target>
LAMPYRIS_INLINE int32_t* append(Target, uint64_t bits, int32_t base, int32_t pitch, int32_t* end) {
  for (; bits != 0; bits &= bits - 1) *end++ = base + std::countr_zero(bits) * pitch;
  return end;
}

constexpr int64_t kSlack = 64;

#if defined(__x86_64__)
// x86-64-v4 with compression of bytes.
struct Vbmi2 {};
#define LAMPYRIS_TARGET_VBMI2 \
  __attribute__((target(LAMPYRIS_V4 ",avx512vbmi,avx512vbmi2")))

LAMPYRIS_TARGET_AVX512 inline int32_t* append(Avx512, uint64_t bits, int32_t base, int32_t pitch,
                                              int32_t* end) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m512i offset = _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32(pitch)),
                                    _mm512_set1_epi32(base));
  const __m512i next = _mm512_set1_epi32(16 * pitch);
  for (int part = 0; part < 4; ++part, bits >>= 16) {
    _mm512_storeu_si512(end, _mm512_maskz_compress_epi32(static_cast<__mmask16>(bits), offset));
    end += std::popcount(bits & 0xFFFFU);
    offset = _mm512_add_epi32(offset, next);
  }
  return end;
}

LAMPYRIS_TARGET_VBMI2 inline void store_offsets(__m128i lanes, __m512i scale, __m512i first,
                                                int32_t* to) {
  const __m512i offset = _mm512_mullo_epi32(_mm512_maskz_cvtepu8_epi32(0xFFFF, lanes), scale);
  _mm512_storeu_si512(to, _mm512_add_epi32(offset, first));
}

LAMPYRIS_TARGET_VBMI2 inline int32_t* append(Vbmi2, uint64_t bits, int32_t base, int32_t pitch,
                                             int32_t* end) {
  alignas(64) static constexpr auto kLane = [] {
    std::array<uint8_t, 64> lane{};
    for (int i = 0; i < 64; ++i) lane[static_cast<size_t>(i)] = static_cast<uint8_t>(i);
    return lane;
  }();
  const __m512i scale = _mm512_set1_epi32(pitch), first = _mm512_set1_epi32(base);
  const __m512i set = _mm512_maskz_compress_epi8(bits, _mm512_load_si512(kLane.data()));
  const int count = std::popcount(bits);
  store_offsets(_mm512_maskz_extracti32x4_epi32(0xF, set, 0), scale, first, end);
  if (count > 16) [[unlikely]] {
    store_offsets(_mm512_maskz_extracti32x4_epi32(0xF, set, 1), scale, first, end + 16);
    store_offsets(_mm512_maskz_extracti32x4_epi32(0xF, set, 2), scale, first, end + 32);
    store_offsets(_mm512_maskz_extracti32x4_epi32(0xF, set, 3), scale, first, end + 48);
  }
  return end + count;
}
#endif

}  // namespace

struct EventSumsLoad {
  template <class Target>
  LAMPYRIS_INLINE static void run(SpikeTile* tile, const SpikeWeights* w, int64_t begin,
                                  int64_t end) {
    const SpikeSums& s = w->shape();
    const int64_t words = w->row_words(), rows = end - begin;
    const int64_t read = (rows - 1) * s.stride + s.kernel_height;
    const int64_t most = read * s.width * s.words * 32;
    int32_t* const first = tile->events_.reserve(s.kernel_height * most + kSlack);
    int32_t* start = tile->starts_.reserve(s.groups * rows * (s.width + 1));
    uint32_t* const columns = tile->columns_.reserve(s.width * s.kernel_height * words + 1);
    int32_t* list = first;
    for (int64_t g = 0; g < s.groups; ++g) {
      for (int64_t y = begin; y < end; ++y) {
        const int64_t top = y * s.stride - s.padding;
        const int64_t low = std::clamp<int64_t>(-top, 0, s.kernel_height);
        const int64_t high = std::clamp<int64_t>(s.height - top, low, s.kernel_height);
        const int64_t column = (high - low) * words;
        for (int64_t ky = low; ky < high; ++ky) {
          gather(*tile, s, g, top + ky, words, column, columns + (ky - low) * words);
        }
        list = scan<Target>(columns, column, s, low * words, words, *w, first, list, start);
        start += s.width + 1;
      }
    }
  }

  // The group's words of every pixel of an input row, `column` words apart.
  LAMPYRIS_INLINE static void gather(const SpikeTile& tile, const SpikeSums& s, int64_t g,
                                     int64_t row, int64_t words, int64_t column, uint32_t* to) {
    const uint32_t* pixel = tile.image_ + row * s.width * s.words;
    const int64_t channels = s.group_channels();
    for (int64_t x = 0; x < s.width; ++x, pixel += s.words, to += column) {
      if (s.groups == 1) {
        for (int64_t k = 0; k < words; ++k) to[k] = pixel[k];
        continue;
      }
      for (int64_t k = 0; k < words; ++k) {
        const uint32_t bits = read_bits(pixel, s.words, g * channels + 32 * k);
        const int64_t left = channels - 32 * k;
        to[k] = left < 32 ? bits & ((1U << left) - 1) : bits;
      }
    }
  }

  template <class Target>
  LAMPYRIS_INLINE static int32_t* scan(const uint32_t* bits, int64_t column, const SpikeSums& s,
                                       int64_t skipped, int64_t words, const SpikeWeights& w,
                                       const int32_t* first, int32_t* list, int32_t* start) {
    const int32_t pitch = static_cast<int32_t>(w.lanes());
    const int32_t step = static_cast<int32_t>(s.kernel_height * words * 32) * pitch;
    int32_t base = static_cast<int32_t>(skipped * 32) * pitch;
    for (int64_t x = 0; x < s.width; ++x, base += step) {
      start[x] = static_cast<int32_t>(list - first);
      int32_t at = base;
      int64_t k = 0;
      for (; k + 2 <= column; k += 2, bits += 2, at += 64 * pitch) {
        uint64_t pair;
        std::memcpy(&pair, bits, sizeof(pair));
        list = append(Target{}, pair, at, pitch, list);
      }
      if (k < column) list = append(Target{}, uint64_t{*bits++}, at, pitch, list);
    }
    start[s.width] = static_cast<int32_t>(list - first);
    return list;
  }
};

// A 16-bit lane of a row holds two weights plus 128: sums of whole lanes and of their upper bytes
// give both, for up to kEventsPerFlush events, at half the bytes of 16-bit weights.
struct EventSumsRows {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeTile* tile, const SpikeWeights* w, int64_t begin,
                                  int64_t end, int32_t* out, int64_t pitch) {
    switch (w->lanes() / kSumLanes) {
      case 1:
        return blocks<1>(*tile, *w, begin, end, out, pitch);
      case 2:
        return blocks<2>(*tile, *w, begin, end, out, pitch);
      case 3:
        return blocks<3>(*tile, *w, begin, end, out, pitch);
      default:
        return blocks<4>(*tile, *w, begin, end, out, pitch);
    }
  }

  template <int N>
  LAMPYRIS_INLINE static void blocks(const SpikeTile& tile, const SpikeWeights& w, int64_t begin,
                                     int64_t end, int32_t* out, int64_t pitch) {
    const SpikeSums& s = w.shape();
    const int64_t group = s.group_outputs();
    const int64_t column = s.kernel_height * w.row_words() * 32 * N * kSumLanes;
    for (int64_t b = 0; b < s.groups * w.blocks(); ++b) {
      const int64_t g = b / w.blocks(), o = b % w.blocks() * N * kSumLanes;
      const int64_t row = g * tile.rows_ + begin - tile.first_;
      const int32_t* start = tile.starts_.data() + row * (s.width + 1);
      const uint8_t* rows = w.bytes() + b * w.block_bytes();
      int32_t* to = out + g * group + o;
      const int64_t count = std::min<int64_t>(N * kSumLanes, group - o);
      for (int64_t y = begin; y < end; ++y, start += s.width + 1) {
        for (int64_t x = 0; x < s.out_width; ++x, to += pitch) {
          const int64_t left = x * s.stride - s.padding;
          pixel<N>(tile.events_.data(), s, start, rows, left, column, count, to);
        }
      }
    }
  }

  // The window whose first column is x = left; `column` bytes of weights a column.
  template <int N>
  LAMPYRIS_INLINE static void pixel(const int32_t* events, const SpikeSums& s, const int32_t* start,
                                    const uint8_t* rows, int64_t left, int64_t column,
                                    int64_t count, int32_t* to) {
    const int64_t from = std::clamp<int64_t>(left, 0, s.width);
    const int64_t until = std::clamp<int64_t>(left + s.kernel_width, from, s.width);
    const int32_t* event = events + start[from];
    int64_t n = start[until] - start[from];
    rows -= left * column;
    Lanes all[N] = {}, upper[N] = {};
    if (n <= kEventsPerFlush && count == N * kSumLanes) {
      add<N>(rows, event, n, all, upper);
      return flush<N>(all, upper, n, to, false);
    }
    alignas(64) int32_t wide[N * kSumLanes] = {};
    for (; n > 0; n -= kEventsPerFlush, event += kEventsPerFlush) {
      const int64_t some = std::min(n, kEventsPerFlush);
      add<N>(rows, event, some, all, upper);
      flush<N>(all, upper, some, wide, true);
    }
    std::copy_n(wide, count, to);
  }

  template <int N>
  LAMPYRIS_INLINE static void add(const uint8_t* rows, const int32_t* event, int64_t n,
                                  Lanes* all, Lanes* upper) {
    for (int64_t i = 0; i < n; ++i) {
      const uint8_t* row = rows + event[i];
      for (int v = 0; v < N; ++v) {
        const Lanes weights = *reinterpret_cast<const Lanes*>(row + 64 * v);
        all[v] += weights;
        upper[v] += weights >> 8;
      }
    }
  }

  // wide = the sums of `events` events, or += when it already holds sums; the sums restart at 0.
  template <int N>
  LAMPYRIS_INLINE static void flush(Lanes* all, Lanes* upper, int64_t events, int32_t* wide,
                                    bool add) {
    const int32_t bias = static_cast<int32_t>(128 * events);
    for (int v = 0; v < N; ++v) {
      uint16_t values[2][32];
      const Lanes lower = all[v] - (upper[v] << 8);
      std::memcpy(values[0], &lower, sizeof(lower));
      std::memcpy(values[1], &upper[v], sizeof(lower));
      int32_t* to = wide + v * kSumLanes;
      if (add) {
        for (int i = 0; i < 32; ++i) to[i] += values[0][i] - bias;
        for (int i = 0; i < 32; ++i) to[32 + i] += values[1][i] - bias;
      } else {
        for (int i = 0; i < 32; ++i) to[i] = values[0][i] - bias;
        for (int i = 0; i < 32; ++i) to[32 + i] = values[1][i] - bias;
      }
      all[v] = upper[v] = Lanes{};
    }
  }
};

namespace {

#if defined(__x86_64__)
LAMPYRIS_TARGET_VBMI2 void load_vbmi2(SpikeTile* tile, const SpikeWeights* w, int64_t begin,
                                      int64_t end) {
  EventSumsLoad::run<Vbmi2>(tile, w, begin, end);
}
#endif

}  // namespace

void load_events(SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end) {
#if defined(__x86_64__)
  if (has_vbmi2()) return load_vbmi2(&tile, &w, begin, end);
#endif
  dispatch<EventSumsLoad>(&tile, &w, begin, end);
}

void event_sums(const SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end,
                int32_t* out, int64_t pitch) {
  dispatch<EventSumsRows>(&tile, &w, begin, end, out, pitch);
}

}  // namespace lampyris
