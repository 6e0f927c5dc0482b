// lampyris._native.io: weight images and CRC-32C. Bytes in, bytes out.
#include <cstring>
#include <span>
#include <string>
#include <tuple>
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

using RepairRow = std::tuple<std::string, std::string, int64_t, int64_t, int64_t, int64_t, int64_t>;

std::vector<RepairRow> rows_of(const Repairs& repairs) {
  std::vector<RepairRow> rows;
  for (const TensorRepair& r : repairs)
    rows.emplace_back(r.tensor, r.preset, r.pages, r.corrected_pages, r.corrected_bits,
                      r.uncorrectable_pages, r.zeroed_weights);
  return rows;
}

OnUncorrectable policy_of(const std::string& name) {
  if (name == "refuse") return OnUncorrectable::kRefuse;
  if (name == "zero_page") return OnUncorrectable::kZeroPage;
  if (name == "zero_weights") return OnUncorrectable::kZeroWeights;
  fail("weight image: on_uncorrectable, expected refuse, zero_page or zero_weights, got {}", name);
}

py::tuple read_protected(const py::object& data, bool strict, const std::string& on_uncorrectable) {
  const BufferView view(data);
  const ReadOptions options{strict, policy_of(on_uncorrectable)};
  Image image;
  Repairs repairs;
  {
    py::gil_scoped_release release;
    image = read_image(view.bytes(), options, &repairs);
  }
  auto [plan, tensors] = from_image(image);
  return py::make_tuple(plan, tensors, rows_of(repairs));
}

py::tuple repair(const py::object& data) {
  const BufferView view(data);
  std::vector<uint8_t> file;
  Repairs repairs;
  {
    py::gil_scoped_release release;
    file = repair_image(view.bytes(), &repairs);
  }
  return py::make_tuple(py::bytes(reinterpret_cast<const char*>(file.data()), file.size()),
                        rows_of(repairs));
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
  m.def("read_protected", &read_protected, py::arg("data"), py::arg("strict") = false,
        py::arg("on_uncorrectable") = "refuse",
        "As read_image, with (tensor, preset, pages, corrected pages, corrected bits, uncorrectable "
        "pages, zeroed weights) of each protected tensor.");
  m.def("repair_image", &repair, py::arg("data"), "(the file as it was written, rows as above).");
  m.def("crc32c", &checksum, py::arg("data"), py::arg("previous") = 0,
        "CRC-32C of a contiguous buffer, continuing `previous`.");
}

}  // namespace lampyris
