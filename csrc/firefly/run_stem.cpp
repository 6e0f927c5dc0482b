// The host's stem: integer convolution of pixels, 16 output channels a vector.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/fixed_point.h"
#include "cpu/dispatch.h"
#include "cpu/parallel.h"
#include "firefly/host.h"

namespace lampyris::firefly {

namespace {

constexpr int64_t kVector = 16;
constexpr int kPixels = 4, kVectors = 2;  // sums kept in registers
typedef int32_t Wide __attribute__((vector_size(4 * kVector), aligned(4), may_alias));
typedef int16_t Narrow __attribute__((vector_size(2 * kVector), aligned(2), may_alias));

struct StemLayer {
  const HostStem& stem;
  int64_t out_h, out_w, lanes;     // lanes: output channels rounded up to vectors
  std::vector<int32_t> weights;    // [c][ky][kx][lanes]
  std::vector<int32_t> bias;       // [lanes]
  std::vector<uint8_t> pixels;     // [t][c][padded height][padded width]
  int64_t padded_h, padded_w;

  StemLayer(const HostStem& s, std::span<const int8_t> weight, std::span<const int32_t> b32,
            std::span<const uint8_t> frame)
      : stem(s) {
    const auto [h, w] = stem_output_size(s);
    out_h = h, out_w = w;
    lanes = (int64_t{s.out_channels} + kVector - 1) / kVector * kVector;
    const int64_t taps = int64_t{s.in_channels} * s.kernel_h * s.kernel_w;
    weights.assign(static_cast<size_t>(taps * lanes), 0);
    bias.assign(static_cast<size_t>(lanes), 0);
    std::copy(b32.begin(), b32.end(), bias.begin());
    for (int64_t o = 0; o < s.out_channels; ++o)
      for (int64_t tap = 0; tap < taps; ++tap)
        weights[static_cast<size_t>(tap * lanes + o)] = weight[static_cast<size_t>(o * taps + tap)];
    pad(frame);
  }

  void pad(std::span<const uint8_t> frame) {
    padded_h = stem.in_height + int64_t{2} * stem.padding;
    padded_w = stem.in_width + int64_t{2} * stem.padding;
    const int64_t planes = int64_t{stem.in_steps} * stem.in_channels;
    pixels.assign(static_cast<size_t>(planes * padded_h * padded_w), 0);
    const uint8_t* in = frame.data();
    for (int64_t plane = 0; plane < planes; ++plane)
      for (int64_t y = 0; y < stem.in_height; ++y, in += stem.in_width)
        std::copy_n(in, stem.in_width,
                    pixels.data() + (plane * padded_h + y + stem.padding) * padded_w +
                        stem.padding);
  }
};

// Vectors [o, o + N) of P pixels from `window` on, to `out` [pixel][lanes]; clamps are counted.
template <int N, int P>
LAMPYRIS_INLINE void stem_pixels(const StemLayer& s, const uint8_t* window, int64_t o, int16_t* out,
                                 Wide& clamped) {
  const HostStem& stem = s.stem;
  Wide sums[P][N];
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < N; ++v)
      sums[p][v] = *reinterpret_cast<const Wide*>(s.bias.data() + o + v * kVector);
  const int32_t* weights = s.weights.data() + o;
  for (int c = 0; c < stem.in_channels; ++c)
    for (int ky = 0; ky < stem.kernel_h; ++ky) {
      const uint8_t* row = window + (c * s.padded_h + ky) * s.padded_w;
      for (int kx = 0; kx < stem.kernel_w; ++kx, ++row, weights += s.lanes)
        for (int p = 0; p < P; ++p) {
          const int32_t pixel = row[p * stem.stride];
          for (int v = 0; v < N; ++v)
            sums[p][v] += *reinterpret_cast<const Wide*>(weights + v * kVector) * pixel;
        }
    }
  const int shift = stem.shift;
  const int32_t half = shift == 0 ? 0 : int32_t{1} << (shift - 1);  // shift_round
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < N; ++v) {
      const Wide wide = (sums[p][v] + half) >> shift;
      Wide value = wide < kCurrentMin ? Wide{} + kCurrentMin : wide;
      value = value > kCurrentMax ? Wide{} + kCurrentMax : value;
      clamped -= value != wide;
      *reinterpret_cast<Narrow*>(out + p * s.lanes + o + v * kVector) =
          __builtin_convertvector(value, Narrow);
    }
}

template <int P>
LAMPYRIS_INLINE void stem_vectors(const StemLayer& s, const uint8_t* window, int16_t* out,
                                  Wide& clamped) {
  int64_t o = 0;
  for (; o + kVectors * kVector <= s.lanes; o += kVectors * kVector)
    stem_pixels<kVectors, P>(s, window, o, out, clamped);
  if (o < s.lanes) stem_pixels<1, P>(s, window, o, out, clamped);
}

// Output row y of frame t, [out_w][lanes]; returns the number of clamps.
struct StemRow {
  template <class Target>
  static LAMPYRIS_INLINE void run(const StemLayer* s, int64_t t, int64_t y, int16_t* out,
                                  int64_t* count) {
    const int64_t stride = s->stem.stride;
    const uint8_t* window = s->pixels.data() +
                            (t * s->stem.in_channels * s->padded_h + y * stride) * s->padded_w;
    Wide clamped = {};
    int64_t x = 0;
    for (; x + kPixels <= s->out_w; x += kPixels)
      stem_vectors<kPixels>(*s, window + x * stride, out + x * s->lanes, clamped);
    for (; x < s->out_w; ++x) stem_vectors<1>(*s, window + x * stride, out + x * s->lanes, clamped);
    for (int i = 0; i < kVector; ++i) *count += clamped[i];
  }
};

}  // namespace

StemResult run_stem(const HostStem& stem, std::span<const int8_t> weight,
                    std::span<const int32_t> bias, std::span<const uint8_t> pixels) {
  const StemLayer layer(stem, weight, bias, pixels);
  const int64_t co = stem.out_channels, plane = layer.out_h * layer.out_w;
  StemResult result;
  result.currents.resize(static_cast<size_t>(stem.in_steps * co * plane));
  std::atomic<int64_t> clamped = 0;
  constexpr int64_t kGrain = 16;  // rows
  parallel(0, stem.in_steps * layer.out_h, kGrain, [&](int64_t begin, int64_t end) {
    std::vector<int16_t> row(static_cast<size_t>(layer.out_w * layer.lanes));
    int64_t count = 0;
    for (int64_t r = begin; r < end; ++r) {
      const int64_t t = r / layer.out_h, y = r % layer.out_h;
      dispatch<StemRow>(&layer, t, y, row.data(), &count);
      int16_t* out = result.currents.data() + t * co * plane + y * layer.out_w;
      for (int64_t o = 0; o < co; ++o, out += plane)
        for (int64_t x = 0; x < layer.out_w; ++x)
          out[x] = row[static_cast<size_t>(x * layer.lanes + o)];
    }
    clamped += count;
  });
  result.clamped = clamped;
  return result;
}

}  // namespace lampyris::firefly
