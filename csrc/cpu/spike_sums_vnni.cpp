// Dense sums with vpdpbusd: spikes become bytes 0 and 1 in a zero-bordered map, four channels of a
// pixel are multiplied with four weights of 16 outputs at once. Outputs of kPixels pixels stay in
// registers over the whole fan-in.
#include <algorithm>
#include <cstring>

#include "cpu/bits.h"
#include "cpu/dispatch.h"
#include "cpu/spike_sums_kernels.h"

#define LAMPYRIS_TARGET_VNNI \
  __attribute__((target(LAMPYRIS_V4 ",avx512vnni")))

namespace lampyris {

#if defined(__x86_64__)

namespace {

constexpr int kPixels = 6;
constexpr int64_t kSlack = 64;  // bytes that expand_pixel may write past a pixel

// Bytes of a pixel: channels, 4 to a product.
int64_t pixel_bytes(const SpikeWeights& w) { return 4 * w.quads(); }

int64_t padded_width(const SpikeSums& s) { return s.width + 2 * s.padding; }

LAMPYRIS_TARGET_VNNI void expand_rows(const SpikeSums& s, const uint32_t* words, int64_t rows,
                                      int64_t bytes, uint8_t* out) {
  for (int64_t y = 0; y < rows; ++y) {
    std::memset(out, 0, static_cast<size_t>(s.padding * bytes));
    out += s.padding * bytes;
    for (int64_t x = 0; x < s.width; ++x, words += s.words, out += bytes) {
      for (int64_t c = 0; c < bytes; c += 32) {
        const __m256i ones = _mm256_maskz_set1_epi8(words[c / 32], 1);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + c), ones);
      }
    }
    std::memset(out, 0, static_cast<size_t>(s.padding * bytes));
    out += s.padding * bytes;
  }
}

template <int N, int P>
LAMPYRIS_TARGET_VNNI void pixels(const SpikeSums& s, const uint8_t* const* rows, int64_t step,
                                 const uint8_t* weights, int64_t row_quads, int64_t count,
                                 int32_t* to, int64_t pitch) {
  __m512i sums[P][N];
  for (int p = 0; p < P; ++p) {
    for (int v = 0; v < N; ++v) sums[p][v] = _mm512_setzero_si512();
  }
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    const uint8_t* row = rows[ky];
    if (row == nullptr) {
      weights += row_quads * N * 64;
      continue;
    }
    for (int64_t q = 0; q < row_quads; ++q, row += 4, weights += N * 64) {
      __m512i w[N];
      for (int v = 0; v < N; ++v) w[v] = _mm512_load_si512(weights + 64 * v);
      for (int p = 0; p < P; ++p) {
        int32_t four;
        std::memcpy(&four, row + p * step, sizeof(four));
        const __m512i spikes = _mm512_set1_epi32(four);
        for (int v = 0; v < N; ++v) sums[p][v] = _mm512_dpbusd_epi32(sums[p][v], spikes, w[v]);
      }
    }
  }
  for (int p = 0; p < P; ++p, to += pitch) {
    for (int v = 0; v < N; ++v) {
      const int64_t left = count - v * kVnniLanes;
      if (left >= kVnniLanes) {
        _mm512_storeu_si512(to + v * kVnniLanes, sums[p][v]);
      } else if (left > 0) {
        const __mmask16 keep = static_cast<__mmask16>((1U << left) - 1);
        _mm512_mask_storeu_epi32(to + v * kVnniLanes, keep, sums[p][v]);
      }
    }
  }
}

template <int N>
void some_pixels(int64_t some, const SpikeSums& s, const uint8_t* const* rows, int64_t step,
                 const uint8_t* weights, int64_t row_quads, int64_t count, int32_t* to,
                 int64_t pitch) {
  switch (some) {
    case 1:
      return pixels<N, 1>(s, rows, step, weights, row_quads, count, to, pitch);
    case 2:
      return pixels<N, 2>(s, rows, step, weights, row_quads, count, to, pitch);
    case 3:
      return pixels<N, 3>(s, rows, step, weights, row_quads, count, to, pitch);
    case 4:
      return pixels<N, 4>(s, rows, step, weights, row_quads, count, to, pitch);
    case 5:
      return pixels<N, 5>(s, rows, step, weights, row_quads, count, to, pitch);
    default:
      return pixels<N, kPixels>(s, rows, step, weights, row_quads, count, to, pitch);
  }
}

}  // namespace

struct VnniSumsLoad {
  static void run(SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end) {
    const SpikeSums& s = w.shape();
    const int64_t first = first_row(s, begin);
    const int64_t last = (end - 1) * s.stride - s.padding + s.kernel_height;
    const int64_t rows = std::clamp<int64_t>(last, first, s.height) - first;
    const int64_t bytes = pixel_bytes(w);
    uint8_t* out = tile.bytes_.reserve(rows * padded_width(s) * bytes + kSlack);
    expand_rows(s, tile.image_ + first * s.width * s.words, rows, bytes, out);
  }

  // The first input row that output row y reads.
  static int64_t first_row(const SpikeSums& s, int64_t y) {
    return std::clamp<int64_t>(y * s.stride - s.padding, 0, s.height);
  }
};

struct VnniSumsRows {
  template <int N>
  static void run(const SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end,
                  int32_t* out, int64_t pitch) {
    const SpikeSums& s = w.shape();
    const int64_t bytes = pixel_bytes(w), row_bytes = padded_width(s) * bytes;
    const int64_t row_quads = s.kernel_width * w.quads();
    const int64_t first = VnniSumsLoad::first_row(s, tile.first_);
    const uint8_t* rows[kVnniKernel];
    for (int64_t b = 0; b < w.blocks(); ++b) {
      const uint8_t* weights = w.bytes() + b * s.kernel_height * row_quads * N * 64;
      const int64_t count = std::min(w.lanes(), s.outputs - b * w.lanes());
      for (int64_t y = begin; y < end; ++y) {
        int32_t* to = out + (y - begin) * s.out_width * pitch + b * w.lanes();
        for (int64_t x = 0; x < s.out_width; x += kPixels, to += kPixels * pitch) {
          for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
            const int64_t iy = y * s.stride - s.padding + ky;
            rows[ky] = iy < 0 || iy >= s.height ? nullptr
                                                : tile.bytes_.data() +
                                                      (iy - first) * row_bytes +
                                                      x * s.stride * bytes;
          }
          some_pixels<N>(std::min<int64_t>(kPixels, s.out_width - x), s, rows, s.stride * bytes,
                         weights, row_quads, count, to, pitch);
        }
      }
    }
  }
};

bool vnni_sums_available() { return has_vnni(); }

void load_bytes(SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end) {
  VnniSumsLoad::run(tile, w, begin, end);
}

void vnni_sums(const SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end,
               int32_t* out, int64_t pitch) {
  switch (w.lanes() / kVnniLanes) {
    case 1:
      return VnniSumsRows::run<1>(tile, w, begin, end, out, pitch);
    case 2:
      return VnniSumsRows::run<2>(tile, w, begin, end, out, pitch);
    case 3:
      return VnniSumsRows::run<3>(tile, w, begin, end, out, pitch);
    default:
      return VnniSumsRows::run<4>(tile, w, begin, end, out, pitch);
  }
}

#else

bool vnni_sums_available() { return false; }
void load_bytes(SpikeTile&, const SpikeWeights&, int64_t, int64_t) {}
void vnni_sums(const SpikeTile&, const SpikeWeights&, int64_t, int64_t, int32_t*, int64_t) {}

#endif

}  // namespace lampyris
