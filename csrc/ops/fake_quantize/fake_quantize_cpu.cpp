#include <algorithm>

#include "cpu/dispatch.h"
#include "ops/fake_quantize/fake_quantize.h"

namespace lampyris {

namespace {

// First element, length and channel of a piece.
struct Piece {
  int64_t first, count, channel;
};

template <typename T>
LAMPYRIS_INLINE Piece piece_at(const FakeQuantize<T>& a, int64_t piece) {
  const int64_t per_row = pieces_per_row(a);
  const int64_t row = piece / per_row, start = piece % per_row * kQuantizePiece;
  return {row * a.inner + start, std::min(kQuantizePiece, a.inner - start), row % a.channels};
}

template <typename T>
struct ForwardPieces {
  template <class Target>
  LAMPYRIS_INLINE static void run(const FakeQuantize<T>& a, T* out, int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const Piece p = piece_at(a, k);
      const QuantizeConstants<T> c = a.at(p.channel);
      const T* __restrict__ x = a.x + p.first;
      T* __restrict__ y = out + p.first;
      if (a.mask == nullptr) {
        for (int64_t i = 0; i < p.count; ++i) y[i] = fake_quantize_value(x[i], c);
      } else {
        const uint8_t* __restrict__ mask = a.mask + p.first;
        for (int64_t i = 0; i < p.count; ++i) y[i] = mask[i] ? fake_quantize_value(x[i], c) : T(0);
      }
    }
  }
};

template <typename T>
struct BackwardPieces {
  template <class Target>
  LAMPYRIS_INLINE static void run(const FakeQuantize<T>& a, const T* grad, T* grad_x, double* sums,
                                  int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const Piece p = piece_at(a, k);
      // Sixteen running sums, so that lanes add in a fixed order whatever the vector width.
      constexpr int64_t kLanes = 16;
      T scale[kLanes] = {}, offset[kLanes] = {};
      int64_t i = 0;
      for (; i + kLanes <= p.count; i += kLanes) {
        lanes<kLanes>(a, p, grad, grad_x, i, kLanes, scale, offset);
      }
      if (i < p.count) lanes<kLanes>(a, p, grad, grad_x, i, p.count - i, scale, offset);
      double total_scale = 0, total_offset = 0;
      for (int64_t j = 0; j < kLanes; ++j) {
        total_scale += static_cast<double>(scale[j]);
        total_offset += static_cast<double>(offset[j]);
      }
      sums[2 * k] = total_scale;
      sums[2 * k + 1] = total_offset;
    }
  }

  template <int64_t kLanes>
  LAMPYRIS_INLINE static void lanes(const FakeQuantize<T>& a, const Piece& p, const T* grad,
                                    T* grad_x, int64_t start, int64_t count, T* __restrict__ scale,
                                    T* __restrict__ offset) {
    const QuantizeConstants<T> c = a.at(p.channel);
    const T* __restrict__ x = a.x + p.first + start;
    const T* __restrict__ g = grad + p.first + start;
    T* __restrict__ gx = grad_x + p.first + start;
    const uint8_t* __restrict__ mask = a.mask == nullptr ? nullptr : a.mask + p.first + start;
    const int64_t n = count == kLanes ? kLanes : count;
    if (mask == nullptr && n == kLanes) {
      for (int64_t j = 0; j < kLanes; ++j) one(x[j], g[j], c, gx[j], scale[j], offset[j]);
    } else {
      for (int64_t j = 0; j < n; ++j) {
        const T kept = mask == nullptr || mask[j] ? g[j] : T(0);
        one(x[j], kept, c, gx[j], scale[j], offset[j]);
      }
    }
  }

  LAMPYRIS_INLINE static void one(T x, T g, const QuantizeConstants<T>& c, T& gx, T& scale,
                                  T& offset) {
    T to_x, to_scale, to_offset;
    fake_quantize_gradient(x, c, to_x, to_scale, to_offset);
    gx = g * to_x;
    scale += g * to_scale;
    offset += g * to_offset;
  }
};

template <typename T>
void reduce(const FakeQuantize<T>& a, const double* sums, double factor, T* grad_scale,
            T* grad_offset) {
  const int64_t per_row = pieces_per_row(a);
  for (int64_t c = 0; c < a.channels; ++c) {
    double scale = 0, offset = 0;
    for (int64_t o = 0; o < a.outer; ++o) {
      for (int64_t k = 0; k < per_row; ++k) {
        const int64_t piece = (o * a.channels + c) * per_row + k;
        scale += sums[2 * piece];
        offset += sums[2 * piece + 1];
      }
    }
    if (grad_scale != nullptr) grad_scale[c] = static_cast<T>(scale * factor);
    if (grad_offset != nullptr) grad_offset[c] = static_cast<T>(offset * factor);
  }
}

}  // namespace

void fake_quantize_pieces(const FakeQuantize<float>& a, float* out, int64_t begin, int64_t end) {
  dispatch<ForwardPieces<float>>(a, out, begin, end);
}

void fake_quantize_pieces(const FakeQuantize<double>& a, double* out, int64_t begin, int64_t end) {
  dispatch<ForwardPieces<double>>(a, out, begin, end);
}

void fake_quantize_backward_pieces(const FakeQuantize<float>& a, const float* grad, float* grad_x,
                                   double* sums, int64_t begin, int64_t end) {
  dispatch<BackwardPieces<float>>(a, grad, grad_x, sums, begin, end);
}

void fake_quantize_backward_pieces(const FakeQuantize<double>& a, const double* grad,
                                   double* grad_x, double* sums, int64_t begin, int64_t end) {
  dispatch<BackwardPieces<double>>(a, grad, grad_x, sums, begin, end);
}

void fake_quantize_reduce(const FakeQuantize<float>& a, const double* sums, double factor,
                          float* grad_scale, float* grad_offset) {
  reduce(a, sums, factor, grad_scale, grad_offset);
}

void fake_quantize_reduce(const FakeQuantize<double>& a, const double* sums, double factor,
                          double* grad_scale, double* grad_offset) {
  reduce(a, sums, factor, grad_scale, grad_offset);
}

}  // namespace lampyris
