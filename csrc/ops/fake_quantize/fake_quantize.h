// fake_quantize: x seen as [outer, channels, inner] in memory order, one scale and offset a
// channel.
#pragma once

#include <cstdint>

#include "core/quantize.h"

struct CUstream_st;

namespace lampyris {

template <typename T>
struct FakeQuantize {
  int64_t outer = 1, channels = 1, inner = 1;
  const T* x = nullptr;
  const T* scale = nullptr;       // [channels]
  const T* offset = nullptr;      // [channels] or null
  const uint8_t* mask = nullptr;  // like x, 0 prunes; or null
  T low = T(0), high = T(0);

  LAMPYRIS_INLINE int64_t rows() const { return outer * channels; }

  LAMPYRIS_INLINE QuantizeConstants<T> at(int64_t channel) const {
    return {scale[channel], offset == nullptr ? T(0) : offset[channel], low, high};
  }
};

// Rows longer than this are summed in pieces of this length, so that sums do not depend on threads.
inline constexpr int64_t kQuantizePiece = 4096;

// A piece is at most kQuantizePiece elements of one row (o, c).
template <typename T>
LAMPYRIS_INLINE int64_t pieces_per_row(const FakeQuantize<T>& a) {
  return (a.inner + kQuantizePiece - 1) / kQuantizePiece;
}

// Pieces [begin, end) of all rows.
void fake_quantize_pieces(const FakeQuantize<float>& a, float* out, int64_t begin, int64_t end);
void fake_quantize_pieces(const FakeQuantize<double>& a, double* out, int64_t begin, int64_t end);

// grad_x, and per piece the sums for scale and offset: sums[2 * piece], sums[2 * piece + 1].
void fake_quantize_backward_pieces(const FakeQuantize<float>& a, const float* grad, float* grad_x,
                                   double* sums, int64_t begin, int64_t end);
void fake_quantize_backward_pieces(const FakeQuantize<double>& a, const double* grad,
                                   double* grad_x, double* sums, int64_t begin, int64_t end);

// Sums of the pieces of each channel, in order, times factor. Outputs may be null.
void fake_quantize_reduce(const FakeQuantize<float>& a, const double* sums, double factor,
                          float* grad_scale, float* grad_offset);
void fake_quantize_reduce(const FakeQuantize<double>& a, const double* sums, double factor,
                          double* grad_scale, double* grad_offset);

void fake_quantize_cuda(const FakeQuantize<float>& a, float* out, CUstream_st* stream);
void fake_quantize_cuda(const FakeQuantize<double>& a, double* out, CUstream_st* stream);
void fake_quantize_backward_cuda(const FakeQuantize<float>& a, const float* grad, float* grad_x,
                                 double* sums, double factor, float* grad_scale, float* grad_offset,
                                 CUstream_st* stream);
void fake_quantize_backward_cuda(const FakeQuantize<double>& a, const double* grad, double* grad_x,
                                 double* sums, double factor, double* grad_scale,
                                 double* grad_offset, CUstream_st* stream);

}  // namespace lampyris
