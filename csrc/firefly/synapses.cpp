#include "firefly/synapses.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "cpu/dispatch.h"

namespace lampyris::firefly {

namespace {

constexpr int kLanes = 32;         // 16-bit lanes of a 64-byte vector
constexpr int kWordsPerFlush = 4;  // 4 words * 64 spikes * 127 = 32512 < 2^15
constexpr int kBlocks = 4;         // vectors of lanes held in registers
typedef uint16_t Lanes __attribute__((vector_size(2 * kLanes), aligned(2), may_alias));

// Adds the rows of the set bits. Unsigned lanes wrap modulo 2^16.
template <int N>
LAMPYRIS_INLINE void add_rows(uint64_t bits, const int16_t* rows, int64_t lanes, Lanes* part) {
  while (bits != 0) {
    const int16_t* row = rows + std::countr_zero(bits) * lanes;
    bits &= bits - 1;
    for (int v = 0; v < N; ++v) part[v] += *reinterpret_cast<const Lanes*>(row + v * kLanes);
  }
}

template <int N>
LAMPYRIS_INLINE void widen_add(Lanes* part, int32_t* sums) {
  int16_t values[N * kLanes];
  std::memcpy(values, part, sizeof(values));
  for (int l = 0; l < N * kLanes; ++l) sums[l] += values[l];
  for (int v = 0; v < N; ++v) part[v] = Lanes{};
}

template <int N>
LAMPYRIS_INLINE void exact_block(const RowJob& job, int first) {
  const Synapses& s = *job.synapses;
  const int64_t lanes = s.lanes;
  const int64_t row_words = int64_t{job.planes->columns} * s.words;
  const uint64_t* top = job.planes->at(job.t, job.y * job.stride, 0);
  for (int x = 0; x < job.width; ++x) {
    int32_t* sums = job.sums + x * lanes + first;
    std::memset(sums, 0, sizeof(int32_t) * N * kLanes);
    Lanes part[N] = {};
    const int16_t* rows = s.rows.data() + first;
    int pending = 0;
    for (int ky = 0; ky < s.kernel; ++ky) {
      const uint64_t* words = top + ky * row_words + int64_t{x} * job.stride * s.words;
      for (int w = 0; w < s.kernel * s.words; ++w, rows += 64 * lanes) {
        if (words[w] == 0) continue;
        add_rows<N>(words[w], rows, lanes, part);
        if (!s.narrow && ++pending == kWordsPerFlush) {
          widen_add<N>(part, sums);
          pending = 0;
        }
      }
    }
    widen_add<N>(part, sums);
  }
}

struct ExactRow {
  template <class Target>
  static LAMPYRIS_INLINE void run(const RowJob& job) {
    int first = 0;
    for (; first + kBlocks * kLanes <= job.synapses->lanes; first += kBlocks * kLanes)
      exact_block<kBlocks>(job, first);
    switch ((job.synapses->lanes - first) / kLanes) {
      case 3:
        exact_block<3>(job, first);
        break;
      case 2:
        exact_block<2>(job, first);
        break;
      case 1:
        exact_block<1>(job, first);
        break;
      default:
        break;
    }
  }
};

struct TileRow {
  template <class Target>
  static LAMPYRIS_INLINE void run(const RowJob& job, const int& tile, const int& parallelism) {
    const Synapses& s = *job.synapses;
    const int word = tile * parallelism / 64, shift = tile * parallelism % 64;
    const uint64_t mask = (uint64_t{1} << parallelism) - 1;
    for (int x = 0; x < job.width; ++x) {
      for (int first = 0; first < s.lanes; first += kLanes) {
        Lanes part[1] = {};
        for (int tap = 0; tap < s.taps; ++tap) {
          const uint64_t* words = job.planes->at(job.t, job.y * job.stride + tap / s.kernel,
                                                 x * job.stride + tap % s.kernel);
          const uint64_t bits = words[word] >> shift & mask;
          const int64_t row = (int64_t{tap} * s.words + word) * 64 + shift;
          add_rows<1>(bits, s.rows.data() + row * s.lanes + first, s.lanes, part);
        }
        int32_t* sums = job.sums + int64_t{x} * s.lanes + first;
        std::memset(sums, 0, sizeof(int32_t) * kLanes);
        widen_add<1>(part, sums);
      }
    }
  }
};

// Positive and negative sums per lane, for each input-channel tile and over all of them: what any
// spikes can give at most.
void prove(Synapses& s, int ci_tiles, int parallelism) {
  const size_t lanes = static_cast<size_t>(s.lanes);
  std::vector<int32_t> total(lanes, 0), above(lanes), below(lanes);
  for (int tile = 0; tile < ci_tiles; ++tile) {
    std::fill(above.begin(), above.end(), 0);
    std::fill(below.begin(), below.end(), 0);
    for (int tap = 0; tap < s.taps; ++tap) {
      const int64_t row = int64_t{tap} * s.words * 64 + tile * parallelism;
      const int16_t* w = s.rows.data() + row * s.lanes;
      for (int i = 0; i < parallelism; ++i, w += lanes)
        for (size_t l = 0; l < lanes; ++l) {
          above[l] += std::max<int32_t>(w[l], 0);
          below[l] += std::min<int32_t>(w[l], 0);
        }
    }
    for (size_t l = 0; l < lanes; ++l) {
      s.tiles_fit = s.tiles_fit && above[l] <= INT16_MAX && below[l] >= INT16_MIN;
      total[l] += above[l] - below[l];
    }
  }
  s.narrow = *std::max_element(total.begin(), total.end()) <= INT16_MAX;
}

}  // namespace

Synapses load_synapses(const int8_t* packed, int co_tiles, int ci_tiles, int kernel,
                       int parallelism) {
  Synapses s;
  s.kernel = kernel;
  s.taps = kernel * kernel;
  s.words = (ci_tiles * parallelism + 63) / 64;
  s.outputs = co_tiles * parallelism;
  s.lanes = (s.outputs + kLanes - 1) / kLanes * kLanes;
  s.rows.assign(static_cast<size_t>(int64_t{s.taps} * s.words * 64 * s.lanes), 0);
  for (int o = 0; o < co_tiles; ++o)
    for (int i = 0; i < ci_tiles; ++i)
      for (int tap = 0; tap < s.taps; ++tap)
        for (int ip = 0; ip < parallelism; ++ip, packed += parallelism) {
          const int64_t row = int64_t{tap} * s.words * 64 + i * parallelism + ip;
          int16_t* out = s.rows.data() + row * s.lanes + o * parallelism;
          std::copy(packed, packed + parallelism, out);
        }
  prove(s, ci_tiles, parallelism);
  return s;
}

void accumulate_row(const RowJob& job) { dispatch<ExactRow>(job); }

void accumulate_tile_row(const RowJob& job, int tile, int parallelism) {
  dispatch<TileRow>(job, tile, parallelism);
}

}  // namespace lampyris::firefly
