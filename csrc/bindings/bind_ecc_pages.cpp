// lampyris._native.ecc: check words of memory sections, on buffers in place.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "bindings/ecc_arrays.h"
#include "core/error.h"
#include "ecc/page_code.h"

namespace py = pybind11;

namespace lampyris {
namespace {

const ecc::PageCode& code_of(const std::string& name) {
  const ecc::Preset* preset = ecc::find_preset(name);
  if (preset == nullptr) fail("ecc: preset must be {}, got {}", ecc::preset_names(), name);
  return ecc::PageCode::of(*preset);
}

// Bytes of a contiguous buffer; writing into one that is read-only is refused.
std::span<uint8_t> bytes_of(const py::buffer_info& info, const char* what) {
  if (info.itemsize != 1 || info.ndim != 1 || (info.size > 0 && info.strides[0] != 1))
    fail("ecc: {} must be bytes or a contiguous uint8 array [n], got {} axes of format {}", what,
         info.ndim, info.format);
  return {static_cast<uint8_t*>(info.ptr), static_cast<size_t>(info.size)};
}

py::list presets() {
  py::list list;
  for (const ecc::Preset& preset : ecc::presets()) {
    py::dict d;
    d["name"] = std::string(preset.name), d["page_bytes"] = preset.page_bytes;
    d["word_bytes"] = preset.word_bytes, d["t"] = preset.t, d["m"] = preset.m;
    d["polynomial"] = preset.primitive;
    d["masks"] = std::vector<uint64_t>(preset.masks.begin(), preset.masks.end());
    list.append(d);
  }
  return list;
}

py::bytes encode_section(const std::string& preset, const py::buffer& data) {
  const auto& code = code_of(preset);
  const py::buffer_info info = data.request();
  const auto bytes = bytes_of(info, "data");
  std::string words(static_cast<size_t>(code.word_bytes(bytes.size())), '\0');
  {
    py::gil_scoped_release release;
    code.encode(bytes, {reinterpret_cast<uint8_t*>(words.data()), words.size()});
  }
  return words;
}

std::vector<int64_t> check_section(const std::string& preset, const py::buffer& data,
                                   const py::buffer& words) {
  const auto& code = code_of(preset);
  const py::buffer_info info = data.request(), word_info = words.request();
  const auto bytes = bytes_of(info, "data"), checks = bytes_of(word_info, "words");
  py::gil_scoped_release release;
  return code.check(bytes, checks);
}

// ([(page, wrong bits)] corrected, [page] beyond correction).
std::pair<std::vector<std::pair<int64_t, int>>, std::vector<int64_t>> repair_section(
    const std::string& preset, const py::buffer& data, const py::buffer& words) {
  const auto& code = code_of(preset);
  const py::buffer_info info = data.request(), word_info = words.request();
  if (info.readonly || word_info.readonly)
    fail("ecc: data and words must be writable, got a read-only buffer");
  const auto bytes = bytes_of(info, "data"), checks = bytes_of(word_info, "words");
  std::pair<std::vector<std::pair<int64_t, int>>, std::vector<int64_t>> found;
  py::gil_scoped_release release;
  for (const int64_t page : code.check(bytes, checks)) {
    const ecc::PageErrors errors = code.repair(bytes, checks, page);
    if (errors.correctable) {
      found.first.emplace_back(page, errors.count());
    } else {
      found.second.push_back(page);
    }
  }
  return found;
}

}  // namespace

void bind_ecc_pages(py::module_& m) {
  m.def("presets", &presets);
  m.def("encode_section", &encode_section, py::arg("preset"), py::arg("data"));
  m.def("check_section", &check_section, py::arg("preset"), py::arg("data"), py::arg("words"));
  m.def("repair_section", &repair_section, py::arg("preset"), py::arg("data"), py::arg("words"));
}

}  // namespace lampyris
