#include "firefly/synapses.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "cpu/dispatch.h"

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

// Rows are asked for one by one, which matrix tiles are too large for.
SumsKernel row_kernel(const SpikeSums& s, const SpikePlanes& planes) {
  const double density = spike_density(s, words_of(planes, 0), planes.steps);
  const SumsKernel kernel = choose_sums_kernel(s, density);
  return kernel == SumsKernel::kTiles ? SumsKernel::kEvent : kernel;
}

// Calls visit(o, c, tap, weights of outputs [o, o + P)).
template <class Visit>
void for_weights(const int8_t* packed, const SynapseShape& s, const Visit& visit) {
  const int p = s.parallelism, taps = s.kernel * s.kernel;
  for (int o = 0; o < s.co_tiles; ++o)
    for (int i = 0; i < s.ci_tiles; ++i)
      for (int tap = 0; tap < taps; ++tap)
        for (int ip = 0; ip < p; ++ip, packed += p) visit(o * p, i * p + ip, tap, packed);
}

}  // namespace

Synapses::Synapses(const int8_t* packed, const SpikePlanes& planes, const SynapseShape& shape)
    : planes_(planes),
      weights_(sums_of(planes, shape), row_kernel(sums_of(planes, shape), planes)) {
  const int64_t channels = weights_.shape().channels, taps = weights_.shape().taps();
  std::vector<int8_t> flat(static_cast<size_t>(weights_.shape().outputs * channels * taps));
  for_weights(packed, shape, [&](int64_t o, int64_t c, int64_t tap, const int8_t* weights) {
    int8_t* to = flat.data() + (o * channels + c) * taps + tap;
    for (int64_t op = 0; op < shape.parallelism; ++op) to[op * channels * taps] = weights[op];
  });
  weights_.pack(flat.data());
}

void Synapses::row(int t, int y, int32_t* sums) {
  tile_.load(weights_, words_of(planes_, t), y, y + 1);
  tile_.sums(weights_, y, y + 1, sums, outputs());
}

TileSynapses::TileSynapses(const int8_t* packed, const SpikePlanes& planes,
                           const SynapseShape& shape)
    : planes_(planes), shape_(shape) {
  lanes_ = (int64_t{shape.co_tiles} * shape.parallelism + kLanes - 1) / kLanes * kLanes;
  const int64_t taps = int64_t{shape.kernel} * shape.kernel, channels = int64_t{planes.words} * 64;
  rows_.assign(static_cast<size_t>(taps * channels * lanes_), 0);
  for_weights(packed, shape, [&](int64_t o, int64_t c, int64_t tap, const int8_t* weights) {
    std::copy_n(weights, shape.parallelism, rows_.data() + (tap * channels + c) * lanes_ + o);
  });
  prove();
}

// The positive and the negative weights of every lane, for each input-channel tile.
void TileSynapses::prove() {
  const size_t lanes = static_cast<size_t>(lanes_);
  std::vector<int32_t> above(lanes), below(lanes);
  for (int tile = 0; tile < shape_.ci_tiles; ++tile) {
    std::fill(above.begin(), above.end(), 0);
    std::fill(below.begin(), below.end(), 0);
    for (int tap = 0; tap < shape_.kernel * shape_.kernel; ++tap) {
      const int64_t row = int64_t{tap} * planes_.words * 64 + tile * shape_.parallelism;
      const int16_t* w = rows_.data() + row * lanes_;
      for (int i = 0; i < shape_.parallelism; ++i, w += lanes)
        for (size_t l = 0; l < lanes; ++l) {
          above[l] += std::max<int32_t>(w[l], 0);
          below[l] += std::min<int32_t>(w[l], 0);
        }
    }
    for (size_t l = 0; l < lanes; ++l)
      fit_ = fit_ && above[l] <= INT16_MAX && below[l] >= INT16_MIN;
  }
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
