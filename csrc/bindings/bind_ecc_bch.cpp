// lampyris._native.ecc.BchCode: bytes and arrays of bytes in, new arrays out.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <vector>

#include "bindings/ecc_arrays.h"
#include "core/error.h"
#include "ecc/bch_code.h"

namespace py = pybind11;

namespace lampyris {

namespace {

using ecc::BchCode;
using ecc::RootFinder;

std::span<const uint8_t> bytes_of(const py::buffer_info& info, const char* what) {
  const bool bytes = info.itemsize == 1 && (info.format == "B" || info.format == "b");
  if (!bytes || info.ndim != 1 || (info.size > 0 && info.strides[0] != 1)) {
    fail("{}: must be bytes or a contiguous uint8 array [n], got {} axes of format {}", what,
         info.ndim, info.format);
  }
  return {static_cast<const uint8_t*>(info.ptr), static_cast<size_t>(info.size)};
}

using Words = py::array_t<uint64_t, py::array::c_style>;

std::span<const uint64_t> words_of(const Words& words) {
  return {words.data(), static_cast<size_t>(words.size())};
}

template <class T>
py::array_t<T> copy_of(std::span<const T> values) {
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

py::array_t<uint8_t> encode(const BchCode& code, const py::buffer& data) {
  const py::buffer_info info = data.request();
  py::array_t<uint8_t> parity(static_cast<py::ssize_t>(code.parity_bytes()));
  code.encode(bytes_of(info, "encode: data"), {parity.mutable_data(), code.parity_bytes()});
  return parity;
}

// (status as in ecc::Status, positions, corrected data, corrected parity).
py::tuple decode(const BchCode& code, const py::buffer& data, const py::buffer& parity,
                 RootFinder finder) {
  const py::buffer_info data_info = data.request(), parity_info = parity.request();
  auto data_out = copy_of(bytes_of(data_info, "decode: data"));
  auto parity_out = copy_of(bytes_of(parity_info, "decode: parity"));
  const ecc::DecodeResult result =
      code.decode({data_out.mutable_data(), static_cast<size_t>(data_out.size())},
                  {parity_out.mutable_data(), static_cast<size_t>(parity_out.size())}, finder);
  return py::make_tuple(static_cast<int>(result.status), result.positions, data_out, parity_out);
}

Words encode_pages(const BchCode& code, const py::buffer& data) {
  const py::buffer_info info = data.request();
  const auto bytes = bytes_of(info, "encode_pages: data");
  Words words(static_cast<py::ssize_t>(bytes.size() / code.data_bytes()));
  uint64_t* out = words.mutable_data();
  const auto count = static_cast<size_t>(words.size());
  py::gil_scoped_release release;
  code.encode_pages(bytes, {out, count});
  return words;
}

py::array_t<int64_t> check_pages(const BchCode& code, const py::buffer& data, const Words& words) {
  const py::buffer_info info = data.request();
  const auto bytes = bytes_of(info, "check_pages: data");
  const auto expected = words_of(words);
  std::vector<int64_t> dirty;
  {
    py::gil_scoped_release release;
    dirty = code.check_pages(bytes, expected);
  }
  return copy_of(std::span<const int64_t>(dirty));
}

// (corrected data, corrected words, errors corrected on each page or -1).
py::tuple decode_pages(const BchCode& code, const py::buffer& data, const Words& words,
                       RootFinder finder) {
  const py::buffer_info info = data.request();
  auto data_out = copy_of(bytes_of(info, "decode_pages: data"));
  auto words_out = copy_of(words_of(words));
  py::array_t<int32_t> counts(words.size());
  const std::span<uint8_t> pages(data_out.mutable_data(), static_cast<size_t>(data_out.size()));
  uint64_t* word = words_out.mutable_data();
  int32_t* count = counts.mutable_data();
  std::fill_n(count, counts.size(), 0);
  py::gil_scoped_release release;
  for (const int64_t page : code.check_pages(pages, {word, static_cast<size_t>(words.size())})) {
    const size_t bytes = code.data_bytes();
    const ecc::DecodeResult result = code.decode_page(
        pages.subspan(static_cast<size_t>(page) * bytes, bytes), word[page], finder);
    count[page] = result.status == ecc::Status::kUncorrectable ? -1 : result.count;
  }
  py::gil_scoped_acquire acquire;
  return py::make_tuple(data_out, words_out, counts);
}

BchCode make(int64_t data_bits, int t, bool extended, std::optional<int> m,
             std::optional<uint32_t> primitive) {
  if (m && *m < ecc::kSmallestField)
    fail("bch code: m must be {}..{}, got {}", ecc::kSmallestField, ecc::kLargestField, *m);
  if (primitive && *primitive < 2)
    fail("bch code: primitive must be a primitive polynomial, got {:#x}", *primitive);
  return BchCode({m.value_or(0), primitive.value_or(0), t, data_bits, extended});
}

}  // namespace

void bind_ecc_bch(py::module_& m) {
  py::enum_<RootFinder>(m, "RootFinder")
      .value("auto", RootFinder::kAuto)
      .value("chien", RootFinder::kChien)
      .value("gray", RootFinder::kGray)
      .value("closed_form", RootFinder::kClosedForm)
      .value("least_affine", RootFinder::kLeastAffine);
  py::class_<BchCode>(m, "BchCode")
      .def(py::init(&make), py::arg("data_bits"), py::arg("t"), py::arg("extended"), py::arg("m"),
           py::arg("primitive"))
      .def_property_readonly("m", [](const BchCode& c) { return c.parameters().m; })
      .def_property_readonly("primitive", [](const BchCode& c) { return c.parameters().primitive; })
      .def_property_readonly("t", [](const BchCode& c) { return c.parameters().t; })
      .def_property_readonly("extended", [](const BchCode& c) { return c.parameters().extended; })
      .def_property_readonly("data_bits", &BchCode::data_bits)
      .def_property_readonly("parity_bits", &BchCode::parity_bits)
      .def_property_readonly("code_bits", &BchCode::code_bits)
      .def_property_readonly("generator",
                             [](const BchCode& c) { return from_polynomial(c.generator()); })
      .def("encode", &encode, py::arg("data"))
      .def("decode", &decode, py::arg("data"), py::arg("parity"), py::arg("finder"))
      .def("encode_pages", &encode_pages, py::arg("data"))
      .def("check_pages", &check_pages, py::arg("data"), py::arg("words"))
      .def("decode_pages", &decode_pages, py::arg("data"), py::arg("words"), py::arg("finder"));
}

}  // namespace lampyris
