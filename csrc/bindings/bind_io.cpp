// lampyris._native.io: weight images and CRC-32C. Bytes in, bytes out.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstring>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "core/error.h"
#include "firefly/image.h"
#include "io/crc32c.h"
#include "io/file_error.h"

namespace py = pybind11;

namespace lampyris {
namespace {

// A contiguous Python buffer, held while C++ reads it.
class BufferView {
 public:
  explicit BufferView(const py::object& object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw py::error_already_set();
  }
  ~BufferView() { PyBuffer_Release(&view_); }
  BufferView(const BufferView&) = delete;
  BufferView& operator=(const BufferView&) = delete;

  std::span<const uint8_t> bytes() const {
    return {static_cast<const uint8_t*>(view_.buf), static_cast<size_t>(view_.len)};
  }

 private:
  Py_buffer view_{};
};

using TensorTuple = std::tuple<std::string, std::string, py::bytes>;  // name, dtype, bytes

py::bytes to_bytes(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ImageDtype parse_dtype(const std::string& name, const std::string& dtype) {
  if (dtype == "U8") return ImageDtype::kU8;
  if (dtype == "U32") return ImageDtype::kU32;
  fail("weight image: dtype of tensor {}, expected U8 or U32, got {}", name, dtype);
}

py::bytes write(const std::string& plan_json, const std::vector<TensorTuple>& tensors) {
  Image image{plan_json, {}};
  for (const auto& [name, dtype, content] : tensors) {
    const auto view = static_cast<std::string_view>(content);
    image.tensors.push_back({name, parse_dtype(name, dtype), {view.begin(), view.end()}});
  }
  std::vector<uint8_t> file;
  {
    py::gil_scoped_release release;
    file = write_image(image);
  }
  return to_bytes(file);
}

std::pair<std::string, std::vector<TensorTuple>> read(const py::object& data) {
  const BufferView view(data);
  Image image;
  {
    py::gil_scoped_release release;
    image = read_image(view.bytes());
  }
  std::vector<TensorTuple> tensors;
  for (const auto& tensor : image.tensors) {
    tensors.emplace_back(tensor.name, tensor.dtype == ImageDtype::kU32 ? "U32" : "U8",
                         to_bytes(tensor.bytes));
  }
  return {image.plan_json, tensors};
}

uint32_t checksum(const py::object& data, uint32_t previous) {
  const BufferView view(data);
  py::gil_scoped_release release;
  return crc32c(view.bytes(), previous);
}

// FileError -> OSError(errno, message, path), which Python turns into FileNotFoundError and so on.
void translate_file_error(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const FileError& error) {
    const int code = error.code().value();
    const auto path =
        py::reinterpret_steal<py::object>(PyUnicode_DecodeFSDefault(error.path().c_str()));
    PyErr_SetObject(PyExc_OSError, py::make_tuple(code, std::strerror(code), path).ptr());
  }
}

}  // namespace

void bind_io(py::module_& m) {
  py::register_exception_translator(translate_file_error);
  m.def("write_image", &write, py::arg("plan_json"), py::arg("tensors"),
        "File bytes of a plan (JSON text) and tensors [(name, 'U8' | 'U32', bytes)].");
  m.def("read_image", &read, py::arg("data"),
        "(plan JSON text, [(name, dtype, bytes)]) of a weight image; ValueError when refused.");
  m.def("crc32c", &checksum, py::arg("data"), py::arg("previous") = 0,
        "CRC-32C of a contiguous buffer, continuing `previous`.");
}

}  // namespace lampyris
