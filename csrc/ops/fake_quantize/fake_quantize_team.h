// The sums of fake_quantize's backward by a team: pieces of a row, then pieces of a channel.
#pragma once

#include "core/team.h"
#include "ops/fake_quantize/fake_quantize.h"

namespace lampyris {

// grad_x of one piece, and its sums for scale and offset.
template <class Team, typename T>
LAMPYRIS_TEAM void fake_quantize_piece(const Team& team, const FakeQuantize<T>& a, const T* grad,
                                       T* grad_x, double* sums, int64_t piece) {
  const int64_t per_row = pieces_per_row(a);
  const int64_t row = piece / per_row, start = piece % per_row * kQuantizePiece;
  const int64_t rest = a.inner - start;
  const int64_t count = rest < kQuantizePiece ? rest : kQuantizePiece;
  const QuantizeConstants<T> c = a.at(row % a.channels);
  double scale = 0, offset = 0;
  for (int64_t i = team.lane(); i < count; i += team.size()) {
    const int64_t k = row * a.inner + start + i;
    const T g = a.mask == nullptr || a.mask[k] ? grad[k] : T(0);
    T to_x, to_scale, to_offset;
    fake_quantize_gradient(a.x[k], c, to_x, to_scale, to_offset);
    grad_x[k] = g * to_x;
    scale += static_cast<double>(g * to_scale);
    offset += static_cast<double>(g * to_offset);
  }
  scale = team.sum(scale);
  offset = team.sum(offset);
  if (team.lane() == 0) {
    sums[2 * piece] = scale;
    sums[2 * piece + 1] = offset;
  }
}

template <class Team, typename T>
LAMPYRIS_TEAM void fake_quantize_channel(const Team& team, const FakeQuantize<T>& a,
                                         const double* sums, double factor, T* grad_scale,
                                         T* grad_offset, int64_t channel) {
  const int64_t per_row = pieces_per_row(a);
  double scale = 0, offset = 0;
  for (int64_t i = team.lane(); i < a.outer * per_row; i += team.size()) {
    const int64_t piece = (i / per_row * a.channels + channel) * per_row + i % per_row;
    scale += sums[2 * piece];
    offset += sums[2 * piece + 1];
  }
  scale = team.sum(scale);
  offset = team.sum(offset);
  if (team.lane() == 0) {
    if (grad_scale != nullptr) grad_scale[channel] = static_cast<T>(scale * factor);
    if (grad_offset != nullptr) grad_offset[channel] = static_cast<T>(offset * factor);
  }
}

}  // namespace lampyris
