// What every operator needs of torch's stable ABI: allocation with strides, the words that errors
// use for shapes, dtypes and devices, and the dtype switch.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "cpu/page_pool.h"

namespace lampyris {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using Sizes = std::vector<int64_t>;

inline Sizes sizes_of(const Tensor& t) {
  const auto sizes = t.sizes();
  return {sizes.begin(), sizes.end()};
}

inline Sizes strides_of(const Tensor& t) {
  const auto strides = t.strides();
  return {strides.begin(), strides.end()};
}

// "[4, 1, 28]"
inline std::string shape_text(const Sizes& sizes) {
  std::string out = "[";
  for (size_t i = 0; i < sizes.size(); ++i) out += (i ? ", " : "") + std::to_string(sizes[i]);
  return out + "]";
}

inline std::string shape_text(const Tensor& t) { return shape_text(sizes_of(t)); }

inline std::string dtype_text(ScalarType type) {
  switch (type) {
    case ScalarType::Float:
      return "float32";
    case ScalarType::Double:
      return "float64";
    case ScalarType::Half:
      return "float16";
    case ScalarType::BFloat16:
      return "bfloat16";
    case ScalarType::Bool:
      return "bool";
    case ScalarType::Byte:
      return "uint8";
    case ScalarType::Char:
      return "int8";
    case ScalarType::Short:
      return "int16";
    case ScalarType::Int:
      return "int32";
    case ScalarType::Long:
      return "int64";
    default:
      return torch::headeronly::toString(type);
  }
}

inline std::string dtype_text(const Tensor& t) { return dtype_text(t.scalar_type()); }

inline std::string device_text(const Tensor& t) {
  if (t.is_cpu()) return "cpu";
  return (t.is_cuda() ? "cuda:" : "device:") + std::to_string(t.get_device_index());
}

inline bool same_device(const Tensor& a, const Tensor& b) { return a.device() == b.device(); }

inline int64_t product(const Sizes& sizes) {
  int64_t n = 1;
  for (const int64_t size : sizes) n *= size;
  return n;
}

// Throws "<op>: <name> and x must be on one device, got cuda:0 and cpu".
inline void check_device(const char* op, const char* name, const Tensor& t, const Tensor& x) {
  if (!same_device(t, x)) {
    fail("{}: {} and x must be on one device, got {} and {}", op, name, device_text(t),
         device_text(x));
  }
}

inline void check_dtype(const char* op, const char* name, const Tensor& t, ScalarType type) {
  if (t.scalar_type() != type) {
    fail("{}: {} must have dtype {}, got {}", op, name, dtype_text(type), dtype_text(t));
  }
}

// Bytes of an element; 0 for types that no result has.
inline int64_t element_bytes(ScalarType type) {
  switch (type) {
    case ScalarType::Double:
    case ScalarType::Long:
      return 8;
    case ScalarType::Float:
    case ScalarType::Int:
      return 4;
    case ScalarType::Half:
    case ScalarType::BFloat16:
    case ScalarType::Short:
      return 2;
    case ScalarType::Byte:
    case ScalarType::Char:
    case ScalarType::Bool:
      return 1;
    default:
      return 0;
  }
}

// A large result on the CPU in memory of the pool, if that is on.
inline std::optional<Tensor> pooled(const Sizes& sizes, const Sizes& strides, ScalarType type,
                                    const Tensor& like) {
  int64_t elements = 1;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) return std::nullopt;
    elements += (sizes[d] - 1) * strides[d];
  }
  void* const data = take_pages(elements * element_bytes(type));
  if (data == nullptr) return std::nullopt;
  return torch::stable::from_blob(data, sizes, strides, like.device(), type, &return_pages);
}

inline Tensor empty_strided(const Sizes& sizes, const Sizes& strides, ScalarType type,
                            const Tensor& like) {
  if (like.is_cpu()) {
    if (auto out = pooled(sizes, strides, type, like)) return *out;
  }
  AtenTensorHandle handle = nullptr;
  const auto device = like.device();
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(
      static_cast<int64_t>(sizes.size()), sizes.data(), strides.data(),
      torch::stable::detail::to<int32_t>(torch::stable::detail::from(type)),
      torch::stable::detail::to<int32_t>(torch::stable::detail::from(device.type())),
      device.index(), &handle));
  return Tensor(handle);
}

inline Sizes contiguous_strides(const Sizes& sizes) {
  Sizes strides = sizes;
  int64_t stride = 1;
  for (size_t d = sizes.size(); d > 0; --d) {
    strides[d - 1] = stride;
    stride *= std::max<int64_t>(sizes[d - 1], 1);
  }
  return strides;
}

inline Tensor empty(const Sizes& sizes, ScalarType type, const Tensor& like) {
  return empty_strided(sizes, contiguous_strides(sizes), type, like);
}

// Zeros of a shape in one element of memory: what gradients of packed spikes flow through.
inline Tensor make_carrier(const Sizes& sizes, ScalarType type, const Tensor& like) {
  Tensor element = torch::stable::new_zeros(like, {1}, type);
  const Sizes strides(sizes.size(), 0);
  AtenTensorHandle handle = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch__reinterpret_tensor(
      element.get(), static_cast<int64_t>(sizes.size()), sizes.data(), strides.data(), 0, &handle));
  return Tensor(handle);
}

template <typename T>
T* data(const std::optional<Tensor>& t) {
  return t.has_value() ? t->mutable_data_ptr<T>() : nullptr;
}

}  // namespace lampyris
