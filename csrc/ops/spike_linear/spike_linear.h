// Spikes times a matrix, event by event: each spike adds one row of the matrix to the output. The
// matrix is packed into blocks of kEventBlock columns, so that a slice of rows stays in L2 while
// all events of a chunk pass over it. Forward: matrix = weight transposed. Gradient of the weight:
// the spikes transposed, matrix = gradient of the output.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace lampyris {

inline constexpr int64_t kEventBlock = 128;  // columns: 8 AVX-512 registers of sums

inline int64_t event_blocks(int64_t columns) { return (columns + kEventBlock - 1) / kEventBlock; }

// out [rows, columns] = spikes [rows, depth] times the matrix [depth, columns], plus bias.
struct EventGemm {
  int64_t rows = 0, depth = 0, columns = 0;
  const uint32_t* words = nullptr;  // [rows, ceil(depth / 32)]
  const float* packed = nullptr;    // [event_blocks(columns)][depth][kEventBlock]
  const float* bias = nullptr;      // [columns], may be null
  float* out = nullptr;             // [rows, columns]
};

// Block `b` of a matrix [depth, columns] whose element (d, c) is values[d * row + c * column];
// missing columns are 0. to_bfloat16 rounds the values.
struct MatrixView {
  const float* values = nullptr;
  int64_t row = 0, column = 0;
};
void pack_event_blocks(const MatrixView& matrix, int64_t depth, int64_t columns, bool to_bfloat16,
                       float* packed, int64_t begin, int64_t end);

// Rows [begin, end). The sum of a row is taken in rising order of depth, whatever the range.
void event_gemm_rows(const EventGemm& g, int64_t begin, int64_t end);

// words [rows, ceil(depth / 32)] to [depth, ceil(rows / 32)], for words [begin, end) of a row.
void transpose_words(const uint32_t* words, int64_t rows, int64_t depth, uint32_t* out,
                     int64_t begin, int64_t end);

// out [columns, rows] = in [rows, columns] transposed, for blocks of 16 columns [begin, end).
void transpose_matrix(const float* in, int64_t rows, int64_t columns, float* out, int64_t begin,
                      int64_t end);

// out [rows, outputs] = spikes [rows, inputs] times weight [outputs, inputs] transposed, plus bias.
template <typename T>
struct SpikeLinear {
  int64_t rows = 0, inputs = 0, outputs = 0;
  const uint32_t* words = nullptr;  // [rows, ceil(inputs / 32)]
  const T* weight = nullptr;
  const T* bias = nullptr;  // [outputs], may be null
  T* out = nullptr;
};

// `packed` holds ceil(inputs / 32) * 32 rows of the outputs padded to 64, times the terms: one for
// bfloat16 operands, three for float32.
void spike_linear_gemm_cuda(const SpikeLinear<float>& a, bool to_bfloat16, uint16_t* packed,
                            CUstream_st* stream);
void spike_linear_cuda(const SpikeLinear<double>& a, CUstream_st* stream);

}  // namespace lampyris
