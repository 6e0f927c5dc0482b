#include "ops/spike_linear/spike_linear.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "cpu/bits.h"
#include "cpu/event_list.h"
#include "cpu/transpose.h"

namespace lampyris {

namespace {

constexpr int64_t kSlice = 1024;            // rows of a block: 512 KiB, half of a usual L2
constexpr int64_t kChunkEvents = 1 << 16;   // of one list: 256 KiB

// The widest vector whose 8 sums fit the registers.
template <class Target>
struct Lanes {
  using Vector = float __attribute__((vector_size(16), aligned(4)));
};
template <>
struct Lanes<Avx2> {
  using Vector = float __attribute__((vector_size(32), aligned(4)));
};
template <>
struct Lanes<Avx512> {
  using Vector = float __attribute__((vector_size(64), aligned(4)));
};

// sums[0..8 vectors) += the rows of the block at the events.
template <typename Vector>
LAMPYRIS_INLINE void add_rows(const float* block, const int32_t* events, int64_t count,
                              float* sums) {
  constexpr int kSums = 8;
  Vector acc[kSums];
  Vector* const memory = reinterpret_cast<Vector*>(sums);
#pragma GCC unroll 8
  for (int j = 0; j < kSums; ++j) acc[j] = memory[j];
  for (int64_t e = 0; e < count; ++e) {
    const auto* row = reinterpret_cast<const Vector*>(block + int64_t{events[e]} * kEventBlock);
#pragma GCC unroll 8
    for (int j = 0; j < kSums; ++j) acc[j] += row[j];
  }
#pragma GCC unroll 8
  for (int j = 0; j < kSums; ++j) memory[j] = acc[j];
}

struct EventRows {
  template <class Target>
  LAMPYRIS_INLINE static void run(const EventGemm& g, int64_t begin, int64_t end) {
    const int64_t slices = std::max<int64_t>(1, (g.depth + kSlice - 1) / kSlice);
    const int64_t words = (g.depth + 31) / 32, slice_words = kSlice / 32;
    std::vector<int32_t> events;
    std::vector<int64_t> starts;
    for (int64_t first = begin; first < end;) {
      events.clear();
      starts.assign(1, 0);
      int64_t last = first, count = 0;
      for (; last < end && (count < kChunkEvents || last == first); ++last) {
        events.resize(static_cast<size_t>(count + g.depth + kSpareEvents));
        for (int64_t s = 0; s < slices; ++s) {
          const int64_t stop = std::min(words, (s + 1) * slice_words);
          for (int64_t w = s * slice_words; w < stop; ++w) {
            const uint32_t word = g.words[last * words + w];
            if (word == 0) continue;
            count += append_events(Target{}, word, static_cast<int32_t>(32 * (w - s * slice_words)),
                                   events.data() + count);
          }
          starts.push_back(count);
        }
      }
      for (int64_t b = 0; b < event_blocks(g.columns); ++b) {
        for (int64_t s = 0; s < slices; ++s) {
          slice<Target>(g, b, s, slices, first, last, events.data(), starts.data());
        }
      }
      first = last;
    }
  }

  template <class Target>
  LAMPYRIS_INLINE static void slice(const EventGemm& g, int64_t b, int64_t s, int64_t slices,
                                    int64_t first, int64_t last, const int32_t* events,
                                    const int64_t* starts) {
    using Vector = typename Lanes<Target>::Vector;
    constexpr int64_t kWide = 8 * sizeof(Vector) / sizeof(float);
    const int64_t column = b * kEventBlock, count = std::min(kEventBlock, g.columns - column);
    const float* block = g.packed + (b * g.depth + s * kSlice) * kEventBlock;
    float bias[kEventBlock] = {}, spare[kEventBlock] = {};
    if (g.bias != nullptr) std::copy_n(g.bias + column, count, bias);
    for (int64_t r = first; r < last; ++r) {
      const int64_t k = (r - first) * slices + s;
      float* const out = g.out + r * g.columns + column;
      float* const sums = count == kEventBlock ? out : spare;
      if (s == 0) {
        std::memcpy(sums, bias, sizeof(bias));
      } else if (sums == spare) {
        std::copy_n(out, count, spare);
      }
      for (int64_t c = 0; c < count; c += kWide) {
        add_rows<Vector>(block + c, events + starts[k], starts[k + 1] - starts[k], sums + c);
      }
      if (sums == spare) std::copy_n(spare, count, out);
    }
  }
};

// Rounded to the nearest bfloat16, ties to even; NaN stays NaN.
LAMPYRIS_INLINE float to_bfloat16_value(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) & 0xFFFF0000U;
  return value != value ? value : std::bit_cast<float>(rounded);
}

struct PackBlocks {
  template <class Target>
  LAMPYRIS_INLINE static void run(const MatrixView& m, int64_t depth, int64_t columns,
                                  bool to_bfloat16, float* packed, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t column = b * kEventBlock, count = std::min(kEventBlock, columns - column);
      const float* from = m.values + column * m.column;
      float* to = packed + b * depth * kEventBlock;
      if (m.column == 1) {
        for (int64_t d = 0; d < depth; ++d) {
          std::copy_n(from + d * m.row, count, to + d * kEventBlock);
          std::fill_n(to + d * kEventBlock + count, kEventBlock - count, 0.0F);
        }
      } else {
        transposed<Target>(m, from, depth, count, to);
      }
      if (to_bfloat16) {
        for (int64_t i = 0; i < depth * kEventBlock; ++i) to[i] = to_bfloat16_value(to[i]);
      }
    }
  }

  template <class Target>
  LAMPYRIS_INLINE static void transposed(const MatrixView& m, const float* from, int64_t depth,
                                         int64_t count, float* to) {
    constexpr int64_t kSide = kTransposeSide;
    for (int64_t d = 0; d < depth; d += kSide) {
      for (int64_t c = 0; c < kEventBlock; c += kSide) {
        if (m.row == 1 && d + kSide <= depth && c + kSide <= count) {
          transpose_tile(Target{}, from + c * m.column + d, m.column, to + d * kEventBlock + c,
                         kEventBlock);
          continue;
        }
        for (int64_t i = d; i < std::min(depth, d + kSide); ++i) {
          for (int64_t j = c; j < c + kSide; ++j) {
            to[i * kEventBlock + j] = j < count ? from[i * m.row + j * m.column] : 0.0F;
          }
        }
      }
    }
  }
};

struct TransposeWords {
  template <class Target>
  LAMPYRIS_INLINE static void run(const uint32_t* words, int64_t rows, int64_t depth, uint32_t* out,
                                  int64_t begin, int64_t end) {
    const int64_t width = (depth + 31) / 32, height = (rows + 31) / 32;
    for (int64_t w = begin; w < end; ++w) {
      for (int64_t h = 0; h < height; ++h) {
        uint32_t bits[32] = {};
        const int64_t count = std::min<int64_t>(32, rows - 32 * h);
        for (int64_t i = 0; i < count; ++i) bits[i] = words[(32 * h + i) * width + w];
        transpose_bits(bits);
        const int64_t kept = std::min<int64_t>(32, depth - 32 * w);
        for (int64_t i = 0; i < kept; ++i) out[(32 * w + i) * height + h] = bits[i];
      }
    }
  }
};

struct TransposeMatrix {
  template <class Target>
  LAMPYRIS_INLINE static void run(const float* in, int64_t rows, int64_t columns, float* out,
                                  int64_t begin, int64_t end) {
    constexpr int64_t kSide = kTransposeSide;
    for (int64_t c = kSide * begin; c < std::min(columns, kSide * end); c += kSide) {
      for (int64_t r = 0; r < rows; r += kSide) {
        if (c + kSide <= columns && r + kSide <= rows) {
          transpose_tile(Target{}, in + r * columns + c, columns, out + c * rows + r, rows);
          continue;
        }
        for (int64_t i = r; i < std::min(rows, r + kSide); ++i) {
          for (int64_t j = c; j < std::min(columns, c + kSide); ++j) {
            out[j * rows + i] = in[i * columns + j];
          }
        }
      }
    }
  }
};

}  // namespace

void pack_event_blocks(const MatrixView& matrix, int64_t depth, int64_t columns, bool to_bfloat16,
                       float* packed, int64_t begin, int64_t end) {
  dispatch<PackBlocks>(matrix, depth, columns, to_bfloat16, packed, begin, end);
}

void event_gemm_rows(const EventGemm& g, int64_t begin, int64_t end) {
  dispatch<EventRows>(g, begin, end);
}

void transpose_words(const uint32_t* words, int64_t rows, int64_t depth, uint32_t* out,
                     int64_t begin, int64_t end) {
  dispatch<TransposeWords>(words, rows, depth, out, begin, end);
}

void transpose_matrix(const float* in, int64_t rows, int64_t columns, float* out, int64_t begin,
                      int64_t end) {
  dispatch<TransposeMatrix>(in, rows, columns, out, begin, end);
}

}  // namespace lampyris
