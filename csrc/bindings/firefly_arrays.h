// numpy arrays and image tuples at the border of lampyris._native.firefly.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "core/error.h"
#include "firefly/image.h"
#include "firefly/program.h"

namespace lampyris {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

using TensorTuple = std::tuple<std::string, std::string, py::bytes>;  // name, dtype, bytes

template <class T>
std::span<const T> view(const Array<T>& array) {
  return {array.data(), static_cast<size_t>(array.size())};
}

// int8 [out, in, kh, kw].
inline firefly::WeightView weight_view(const std::string& name, const Array<int8_t>& weight) {
  if (weight.ndim() != 4) fail("{}: weight must have shape [Co, Ci, kh, kw]", name);
  const auto size = [&](int i) { return static_cast<int>(weight.shape(i)); };
  return {view(weight), size(0), size(1), size(2), size(3)};
}

inline Image to_image(const std::string& plan_json, const std::vector<TensorTuple>& tensors) {
  Image image{plan_json, {}};
  for (const auto& [name, dtype, content] : tensors) {
    const auto bytes = static_cast<std::string_view>(content);
    image.tensors.push_back(
        {name, dtype == "U32" ? ImageDtype::kU32 : ImageDtype::kU8, {bytes.begin(), bytes.end()}});
  }
  return image;
}

// (plan JSON, [(name, dtype, bytes)]).
inline std::pair<std::string, std::vector<TensorTuple>> from_image(const Image& image) {
  std::vector<TensorTuple> tensors;
  for (const ImageTensor& t : image.tensors)
    tensors.emplace_back(t.name, t.dtype == ImageDtype::kU32 ? "U32" : "U8",
                         py::bytes(reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size()));
  return {image.plan_json, tensors};
}

void bind_firefly_program(py::module_& m);
void bind_firefly_device(py::module_& m);
void bind_firefly_v1(py::module_& m);
void bind_firefly_difference(py::module_& m);
void bind_firefly_hdl(py::module_& m);
void bind_firefly_boxes(py::module_& m);

}  // namespace lampyris
