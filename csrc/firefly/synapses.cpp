#include "firefly/synapses.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

#include "cpu/dispatch.h"
#include "cpu/parallel.h"
#include "cpu/spike_sums_amx.h"

namespace lampyris::firefly {

namespace {

constexpr int64_t kLanes = 32;  // 16-bit lanes of a 64-byte vector
typedef uint16_t Lanes __attribute__((vector_size(2 * kLanes), aligned(2), may_alias));

// Planes hold their border, so nothing is padded; a 64-bit word is two of 32 bits.
static_assert(std::endian::native == std::endian::little);

SpikeSums sums_of(const SpikePlanes& planes, const SynapseShape& s) {
  SpikeSums sums;
  sums.channels = int64_t{s.ci_tiles} * s.parallelism;
  sums.height = planes.rows;
  sums.width = planes.columns;
  sums.words = int64_t{2} * planes.words;
  sums.outputs = int64_t{s.co_tiles} * s.parallelism;
  sums.out_height = s.out_h;
  sums.out_width = s.out_w;
  sums.kernel_height = sums.kernel_width = s.kernel;
  sums.stride = s.stride;
  return sums;
}

const uint32_t* words_of(const SpikePlanes& planes, int t) {
  return reinterpret_cast<const uint32_t*>(planes.at(t, 0, 0));
}

SumsKernel sums_kernel(const SpikeSums& s, const SpikePlanes& planes) {
  return choose_sums_kernel(s, spike_density(s, words_of(planes, 0), planes.steps));
}

// Calls visit(o, c, tap, weights of outputs [o, o + P)) for output tiles [begin, end).
template <class Visit>
void for_weights(const int8_t* packed, const SynapseShape& s, int64_t begin, int64_t end,
                 const Visit& visit) {
  const int64_t p = s.parallelism, taps = int64_t{s.kernel} * s.kernel;
  packed += begin * s.ci_tiles * taps * p * p;
  for (int64_t o = begin; o < end; ++o)
    for (int64_t i = 0; i < s.ci_tiles; ++i)
      for (int64_t tap = 0; tap < taps; ++tap)
        for (int64_t ip = 0; ip < p; ++ip, packed += p) visit(o * p, i * p + ip, tap, packed);
}

}  // namespace

Synapses::Synapses(const int8_t* packed, const SpikePlanes& planes, const SynapseShape& shape)
    : planes_(planes),
      weights_(sums_of(planes, shape), sums_kernel(sums_of(planes, shape), planes)) {
  const SpikeSums& s = weights_.shape();
  const int64_t fan_in = s.channels * s.taps();
  const size_t bytes = static_cast<size_t>(s.outputs * fan_in);
  const auto flat = std::make_unique_for_overwrite<int8_t[]>(bytes);
  constexpr int64_t kGrain = 1 << 18;  // bytes
  parallel(0, shape.co_tiles, kGrain / (fan_in * shape.parallelism), [&](int64_t b, int64_t e) {
    for_weights(packed, shape, b, e, [&](int64_t o, int64_t c, int64_t tap, const int8_t* weights) {
      int8_t* to = flat.get() + o * fan_in + c * s.taps() + tap;
      for (int64_t op = 0; op < shape.parallelism; ++op) to[op * fan_in] = weights[op];
    });
  });
  parallel(0, weights_.parts(), 1 + kGrain * weights_.parts() / (s.outputs * fan_in),
           [&](int64_t b, int64_t e) { weights_.pack(flat.get(), b, e); });
  const int64_t strip = weights_.kernel() == SumsKernel::kTiles ? tiled_sums_rows(s) : 1;
  strip_ = static_cast<int>(std::min(strip, s.out_height));
}

void Synapses::rows(int t, int y, int count, SpikeTile& scratch, int32_t* sums) const {
  scratch.load(weights_, words_of(planes_, t), y, y + count);
  scratch.sums(weights_, y, y + count, sums, outputs());
}

int64_t grain_rows(const SynapseShape& s, int steps) {
  constexpr int64_t kWork = 1 << 23;  // synapses: some 40 microseconds
  const int64_t p = s.parallelism;
  const int64_t fan_in = s.ci_tiles * p * s.kernel * s.kernel;
  const int64_t row = int64_t{steps} * s.out_w * s.co_tiles * p * fan_in;
  return kWork / row + 1;
}

// The positive and the negative weights of every lane, for each input-channel tile.
bool tile_sums_fit(const int8_t* packed, const SynapseShape& s) {
  constexpr int kMost = 32;  // lanes
  const int p = s.parallelism;
  const int64_t fan_in = int64_t{s.kernel} * s.kernel * p;
  for (int64_t tile = 0; tile < int64_t{s.co_tiles} * s.ci_tiles; ++tile) {
    int32_t above[kMost] = {}, below[kMost] = {};
    for (int64_t i = 0; i < fan_in; ++i, packed += p)
      for (int l = 0; l < p; ++l) {
        above[l] += std::max<int32_t>(packed[l], 0);
        below[l] += std::min<int32_t>(packed[l], 0);
      }
    for (int l = 0; l < p; ++l)
      if (above[l] > INT16_MAX || below[l] < INT16_MIN) return false;
  }
  return true;
}

TileSynapses::TileSynapses(const int8_t* packed, const SpikePlanes& planes,
                           const SynapseShape& shape)
    : planes_(planes), shape_(shape) {
  lanes_ = (int64_t{shape.co_tiles} * shape.parallelism + kLanes - 1) / kLanes * kLanes;
  const int64_t taps = int64_t{shape.kernel} * shape.kernel, channels = int64_t{planes.words} * 64;
  rows_.assign(static_cast<size_t>(taps * channels * lanes_), 0);
  for_weights(packed, shape, 0, shape.co_tiles,
              [&](int64_t o, int64_t c, int64_t tap, const int8_t* weights) {
                int16_t* to = rows_.data() + (tap * channels + c) * lanes_ + o;
                std::copy_n(weights, shape.parallelism, to);
              });
}

struct TileRow {
  template <class Target>
  static LAMPYRIS_INLINE void run(const TileSynapses* s, int t, int y, int tile, int32_t* sums) {
    const SynapseShape& shape = s->shape_;
    const int p = shape.parallelism, outputs = shape.co_tiles * p;
    const int word = tile * p / 64, shift = tile * p % 64;
    const uint64_t mask = (uint64_t{1} << p) - 1;
    for (int x = 0; x < shape.out_w; ++x, sums += outputs) {
      for (int64_t first = 0; first < s->lanes_; first += kLanes) {
        Lanes part = {};
        for (int tap = 0; tap < shape.kernel * shape.kernel; ++tap) {
          const uint64_t* words = s->planes_.at(t, y * shape.stride + tap / shape.kernel,
                                                x * shape.stride + tap % shape.kernel);
          const int64_t row = (int64_t{tap} * s->planes_.words + word) * 64 + shift;
          const int16_t* weights = s->rows_.data() + row * s->lanes_ + first;
          for (uint64_t bits = words[word] >> shift & mask; bits != 0; bits &= bits - 1)
            part += *reinterpret_cast<const Lanes*>(weights + std::countr_zero(bits) * s->lanes_);
        }
        int16_t values[kLanes];  // unsigned lanes wrapped modulo 2^16
        std::memcpy(values, &part, sizeof(values));
        std::copy_n(values, std::min<int64_t>(kLanes, outputs - first), sums + first);
      }
    }
  }
};

void TileSynapses::row(int t, int y, int tile, int32_t* sums) const {
  dispatch<TileRow>(this, t, y, tile, sums);
}

}  // namespace lampyris::firefly
