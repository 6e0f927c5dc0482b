// pack_spikes and unpack_spikes on tensors, instantiated with a backend: a struct with static
// pack_plane(values, shape, plane, x), repack(plane, shape, words, x), unpack(words, shape, values,
// x).
#pragma once

#include <tuple>

#include "ops/pack_spikes/pack_spikes.h"
#include "ops/tensor.h"

namespace lampyris {

inline void check_pack_spikes(const Tensor& x, int64_t dim) {
  if (x.dim() < 1) fail("pack_spikes: spikes must have shape [..., L], got {}", shape_text(x));
  if (dim < 0 || dim >= x.dim()) {
    fail("pack_spikes: dim must be in [0, {}], got {}", x.dim() - 1, dim);
  }
  const ScalarType type = x.scalar_type();
  if (type != ScalarType::Float && type != ScalarType::Double && type != ScalarType::Bool &&
      type != ScalarType::Byte) {
    fail("pack_spikes: spikes must have dtype float32, float64, bool or uint8, got {}",
         dtype_text(x));
  }
}

// The dense side in logical order: dims before `dim`, the packed one, dims after it.
inline SpikeShape spike_shape(const Sizes& sizes, int64_t dim) {
  SpikeShape s{1, 1, sizes[dim], 1};
  for (int64_t d = 0; d < dim; ++d) s.outer *= sizes[d];
  for (size_t d = dim + 1; d < sizes.size(); ++d) s.inner *= sizes[d];
  return s;
}

inline Sizes packed_sizes(Sizes sizes, int64_t dim) {
  const int64_t length = sizes[dim];
  sizes.erase(sizes.begin() + dim);
  sizes.push_back((length + 31) / 32);
  return sizes;
}

template <class Backend, typename T>
Tensor pack_typed(const Tensor& x, int64_t dim) {
  // With the packed dimension innermost in memory (channels_last) lines are rows of the plane.
  std::vector<int64_t> order;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (d != dim) order.push_back(d);
  }
  order.push_back(dim);
  const Tensor moved = torch::stable::permute(x, order);
  const bool in_place = moved.is_contiguous();
  const Tensor dense = in_place ? moved : torch::stable::contiguous(x);
  const SpikeShape s = spike_shape(sizes_of(dense), in_place ? x.dim() - 1 : dim);
  const Tensor words = empty(packed_sizes(sizes_of(x), dim), ScalarType::Int, x);
  if (s.elements() == 0) return words;
  uint32_t* out = reinterpret_cast<uint32_t*>(words.mutable_data_ptr<int32_t>());
  const T* values = static_cast<const T*>(dense.const_data_ptr());
  if (s.plane_is_packed()) {
    Backend::pack_plane(values, s, out, x);
    return words;
  }
  const Tensor plane = empty({s.plane_words()}, ScalarType::Int, x);
  uint32_t* bits = reinterpret_cast<uint32_t*>(plane.mutable_data_ptr<int32_t>());
  Backend::pack_plane(values, s, bits, x);
  Backend::repack(bits, s, out, x);
  return words;
}

// (carrier, words)
template <class Backend>
std::tuple<Tensor, Tensor> pack_spikes(Tensor x, int64_t dim) {
  check_pack_spikes(x, dim);
  const ScalarType type = x.scalar_type();
  const ScalarType carrier = type == ScalarType::Double ? type : ScalarType::Float;
  Tensor words = type == ScalarType::Float    ? pack_typed<Backend, float>(x, dim)
                 : type == ScalarType::Double ? pack_typed<Backend, double>(x, dim)
                                              : pack_typed<Backend, uint8_t>(x, dim);
  return {make_carrier(sizes_of(x), carrier, x), words};
}

inline void check_unpack_spikes(const Tensor& carrier, const Tensor& words, int64_t dim) {
  if (dim < 0 || dim >= carrier.dim()) {
    fail("unpack_spikes: dim must be in [0, {}], got {}", carrier.dim() - 1, dim);
  }
  const Sizes want = packed_sizes(sizes_of(carrier), dim);
  if (sizes_of(words) != want) {
    fail("unpack_spikes: words must have shape {}, got {}", shape_text(want), shape_text(words));
  }
  check_dtype("unpack_spikes", "words", words, ScalarType::Int);
  check_device("unpack_spikes", "words", words, carrier);
}

template <class Backend, typename T>
Tensor unpack_typed(const Tensor& carrier, const Tensor& words, int64_t dim, ScalarType type) {
  const Sizes sizes = sizes_of(carrier);
  const SpikeShape s = spike_shape(sizes, dim);
  const Tensor out = empty(sizes, type, carrier);
  if (s.elements() == 0) return out;
  const Tensor dense = torch::stable::contiguous(words);
  Backend::unpack(reinterpret_cast<const uint32_t*>(dense.const_data_ptr<int32_t>()), s,
                  static_cast<T*>(out.mutable_data_ptr()), carrier);
  return out;
}

template <class Backend>
Tensor unpack_spikes(Tensor carrier, Tensor words, int64_t dim, ScalarType dtype) {
  check_unpack_spikes(carrier, words, dim);
  switch (dtype) {
    case ScalarType::Float:
      return unpack_typed<Backend, float>(carrier, words, dim, dtype);
    case ScalarType::Double:
      return unpack_typed<Backend, double>(carrier, words, dim, dtype);
    case ScalarType::Bool:
      return unpack_typed<Backend, uint8_t>(carrier, words, dim, dtype);
    default:
      fail("unpack_spikes: dtype must be float32, float64 or bool, got {}", dtype_text(dtype));
  }
}

}  // namespace lampyris
