// Weights to the order of a kernel. Operators keep no state between calls, so this runs every time:
// 16 x 16 bytes are transposed at once.
#include <algorithm>

#include "cpu/spike_sums_kernels.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace lampyris {

namespace {

constexpr int64_t kTile = 16;

// Row k of the result holds byte k of each source.
#if defined(__x86_64__)
void transpose(const int8_t* const* sources, int8_t (*out)[kTile]) {
  __m128i a[kTile], b[kTile];
  for (int i = 0; i < kTile; ++i) {
    a[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(sources[i]));
  }
  // Four perfect shuffles of 16 rows transpose 16 x 16.
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < kTile / 2; ++i) {
      b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + kTile / 2]);
      b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + kTile / 2]);
    }
    std::copy_n(b, kTile, a);
  }
  for (int i = 0; i < kTile; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(out[i]), a[i]);
}
#else
void transpose(const int8_t* const* sources, int8_t (*out)[kTile]) {
  for (int64_t k = 0; k < kTile; ++k) {
    for (int64_t i = 0; i < kTile; ++i) out[k][i] = sources[i][k];
  }
}
#endif

// block[k'][i] = weight of output o + i at k + k' of its fan-in, for k' < columns; 0 past `count`.
void transposed(const int8_t* weight, int64_t count, int64_t fan_in, int64_t o, int64_t k,
                int64_t columns, int8_t (*block)[kTile]) {
  static constexpr int8_t kZeros[kTile] = {};
  const int8_t* sources[kTile];
  int8_t tails[kTile][kTile] = {};
  for (int64_t i = 0; i < kTile; ++i) {
    sources[i] = o + i < count ? weight + (o + i) * fan_in + k : kZeros;
    if (columns == kTile || o + i >= count) continue;
    std::copy_n(sources[i], columns, tails[i]);
    sources[i] = tails[i];
  }
  transpose(sources, block);
}

// A row of the event kernel: output 64 v + 32 h + i is byte 64 v + 2 i + h, plus 128. `low` are 16
// outputs with h = 0, `high` those 32 further.
void interleave(const int8_t* low, const int8_t* high, uint8_t* to) {
#if defined(__x86_64__)
  const __m128i flip = _mm_set1_epi8(-128);
  const __m128i a = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low)), flip);
  const __m128i b = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), flip);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_unpacklo_epi8(a, b));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to + kTile), _mm_unpackhi_epi8(a, b));
#else
  for (int64_t i = 0; i < kTile; ++i) {
    to[2 * i] = static_cast<uint8_t>(low[i] + 128);
    to[2 * i + 1] = static_cast<uint8_t>(high[i] + 128);
  }
#endif
}

}  // namespace

int64_t SpikeWeights::parts() const {
  switch (kernel_) {
    case SumsKernel::kEvent:
      return shape_.groups * blocks_ * lanes_ / kSumLanes;
    case SumsKernel::kVnni:
      return blocks_ * lanes_ / kVnniLanes;
    default:
      return 1;
  }
}

// 64 outputs of a group.
void SpikeWeights::pack_rows(const int8_t* weight, int64_t part) {
  const int64_t taps = shape_.taps(), channels = shape_.group_channels();
  const int64_t outputs = shape_.group_outputs(), fan_in = taps * channels;
  const int64_t vectors = blocks_ * lanes_ / kSumLanes, g = part / vectors;
  const int64_t o = part % vectors * kSumLanes;
  uint8_t* const block = bytes_.data() + (g * blocks_ + o / lanes_) * block_bytes() + o % lanes_;
  weight += g * outputs * fan_in;
  for (int64_t k = 0; k < fan_in; k += kTile) {
    const int64_t columns = std::min(kTile, fan_in - k);
    int8_t quarters[4][kTile][kTile];
    for (int64_t q = 0; q < 4; ++q) {
      transposed(weight, outputs, fan_in, o + q * kTile, k, columns, quarters[q]);
    }
    for (int64_t i = 0; i < columns; ++i) {
      const int64_t c = (k + i) / taps, tap = (k + i) % taps;
      const int64_t ky = tap / shape_.kernel_width, kx = tap % shape_.kernel_width;
      const int64_t row = (kx * shape_.kernel_height + ky) * row_words() * 32 + c;
      interleave(quarters[0][i], quarters[2][i], block + row * lanes_);
      interleave(quarters[1][i], quarters[3][i], block + row * lanes_ + 2 * kTile);
    }
  }
}

void SpikeWeights::pack_channels(const int8_t* weight) {
  for (int64_t c = 0; c < shape_.channels; ++c) {
    for (int64_t tap = 0; tap < shape_.taps(); ++tap) {
      rows_.data()[tap * lanes_ + c] = *weight++;
    }
  }
}

// 16 outputs.
void SpikeWeights::pack_bytes(const int8_t* weight, int64_t part) {
  constexpr int64_t kFour = 4;
  const int64_t taps = shape_.taps(), fan_in = taps * shape_.channels, o = part * kVnniLanes;
  uint8_t* const block = bytes_.data() + o / lanes_ * taps * quads() * lanes_ * kFour;
  const int64_t lane = o % lanes_;
  if (shape_.channels % kFour != 0) {
    for (int64_t q = 0; q < taps * quads(); ++q) {
      std::fill_n(block + (q * lanes_ + lane) * kFour, kTile * kFour, uint8_t{0});
    }
  }
  for (int64_t k = 0; k < fan_in; k += kTile) {
    const int64_t columns = std::min(kTile, fan_in - k);
    int8_t bytes[kTile][kTile];
    transposed(weight, shape_.outputs, fan_in, o, k, columns, bytes);
    for (int64_t j = 0; j < columns; ++j) {
      const int64_t c = (k + j) / taps, quad = (k + j) % taps * quads() + c / kFour;
      uint8_t* to = block + (quad * lanes_ + lane) * kFour + c % kFour;
      for (int64_t i = 0; i < kTile; ++i) to[kFour * i] = static_cast<uint8_t>(bytes[j][i]);
    }
  }
}

}  // namespace lampyris
