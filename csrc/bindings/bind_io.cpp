// lampyris._native.io: weight images and CRC-32C. Bytes in, bytes out.
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "bindings/firefly_arrays.h"
#include "core/error.h"
#include "firefly/image.h"
#include "io/crc32c.h"
#include "io/file_error.h"

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

py::bytes write(const std::string& plan_json, const std::vector<TensorTuple>& tensors) {
  for (const auto& [name, dtype, content] : tensors) {
    if (dtype != "U8" && dtype != "U32") {
      fail("weight image: dtype of tensor {}, expected U8 or U32, got {}", name, dtype);
    }
  }
  const Image image = to_image(plan_json, tensors);
  std::vector<uint8_t> file;
  {
    py::gil_scoped_release release;
    file = write_image(image);
  }
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

std::pair<std::string, std::vector<TensorTuple>> read(const py::object& data) {
  const BufferView view(data);
  Image image;
  {
    py::gil_scoped_release release;
    image = read_image(view.bytes());
  }
  return from_image(image);
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
