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

// Calls store(k, o, bytes) with the weights k of outputs [o, o + 16) for every k < fan_in; outputs
// past `count` are 0.
template <class Store>
void for_columns(const int8_t* weight, int64_t count, int64_t fan_in, int64_t padded,
                 const Store& store) {
  static constexpr int8_t kZeros[kTile] = {};
  for (int64_t o = 0; o < padded; o += kTile) {
    for (int64_t k = 0; k < fan_in; k += kTile) {
      const int64_t columns = std::min(kTile, fan_in - k);
      const int8_t* sources[kTile];
      int8_t tails[kTile][kTile] = {}, block[kTile][kTile];
      for (int64_t i = 0; i < kTile; ++i) {
        sources[i] = o + i < count ? weight + (o + i) * fan_in + k : kZeros;
        if (columns == kTile || o + i >= count) continue;
        std::copy_n(sources[i], columns, tails[i]);
        sources[i] = tails[i];
      }
      transpose(sources, block);
      for (int64_t c = 0; c < columns; ++c) store(k + c, o, block[c]);
    }
  }
}

// Weights of outputs [o, o + 16) of a row in the event kernel's order: output 64 v + 32 h + i is
// byte 64 v + 2 i + h, plus 128.
void put_event_weights(uint8_t* row, int64_t o, const int8_t* weights) {
  uint8_t* to = row + o / kSumLanes * kSumLanes + o % 32 * 2 + o / 32 % 2;
  for (int64_t i = 0; i < kTile; ++i) to[2 * i] = static_cast<uint8_t>(weights[i] + 128);
}

}  // namespace

void SpikeWeights::pack_rows(const int8_t* weight) {
  const int64_t taps = shape_.taps(), channels = shape_.group_channels();
  const int64_t outputs = shape_.group_outputs(), fan_in = taps * channels;
  for (int64_t g = 0; g < shape_.groups; ++g) {
    uint8_t* group = bytes_.data() + g * blocks_ * block_bytes();
    const auto store = [&](int64_t k, int64_t o, const int8_t* weights) {
      const int64_t c = k / taps, ky = k % taps / shape_.kernel_width;
      const int64_t kx = k % shape_.kernel_width;
      const int64_t row = (kx * shape_.kernel_height + ky) * row_words() * 32 + c;
      put_event_weights(group + o / lanes_ * block_bytes() + row * lanes_, o % lanes_, weights);
    };
    for_columns(weight + g * outputs * fan_in, outputs, fan_in, blocks_ * lanes_, store);
  }
}

void SpikeWeights::pack_channels(const int8_t* weight) {
  for (int64_t c = 0; c < shape_.channels; ++c) {
    for (int64_t tap = 0; tap < shape_.taps(); ++tap) {
      rows_.data()[tap * lanes_ + c] = *weight++;
    }
  }
}

void SpikeWeights::pack_bytes(const int8_t* weight) {
  const int64_t taps = shape_.taps(), four = 4;
  const int64_t block = taps * quads() * lanes_ * four;
  if (shape_.channels % four != 0) std::fill_n(bytes_.data(), blocks_ * block, uint8_t{0});
  const auto store = [&](int64_t k, int64_t o, const int8_t* bytes) {
    const int64_t c = k / taps, quad = k % taps * quads() + c / four;
    uint8_t* to =
        bytes_.data() + o / lanes_ * block + (quad * lanes_ + o % lanes_) * four + c % four;
    for (int64_t i = 0; i < kTile; ++i) to[four * i] = static_cast<uint8_t>(bytes[i]);
  };
  for_columns(weight, shape_.outputs, taps * shape_.channels, blocks_ * lanes_, store);
}

}  // namespace lampyris
