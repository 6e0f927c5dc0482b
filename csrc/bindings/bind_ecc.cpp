// lampyris._native.ecc: polynomials over GF(2); the rest is in bind_ecc_*.cpp.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "bindings/ecc_arrays.h"
#include "core/error.h"

namespace py = pybind11;

namespace lampyris {

ecc::Gf2Polynomial to_polynomial(const py::int_& value) {
  if (value < py::int_(0))
    fail("polynomial: bits must be >= 0, got {}", std::string(py::str(value)));
  const auto size = (value.attr("bit_length")().cast<size_t>() + 63) / 64;
  const std::string bytes = value.attr("to_bytes")(size * 8, "little").cast<py::bytes>();
  std::vector<uint64_t> limbs(size);
  for (size_t i = 0; i < bytes.size(); ++i)
    limbs[i / 8] |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << i % 8 * 8;
  return ecc::Gf2Polynomial(std::move(limbs));
}

py::int_ from_polynomial(const ecc::Gf2Polynomial& polynomial) {
  std::string bytes;
  for (const uint64_t limb : polynomial.limbs())
    for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(limb >> shift));
  const py::object integer = py::module_::import("builtins").attr("int");
  return integer.attr("from_bytes")(py::bytes(bytes), "little").cast<py::int_>();
}

void bind_ecc(py::module_& m) {
  bind_ecc_bch(m);
  bind_ecc_field(m);
  bind_ecc_pages(m);
  m.def(
      "is_irreducible", [](const py::int_& f) { return ecc::is_irreducible(to_polynomial(f)); },
      py::arg("polynomial"));
  m.def(
      "is_primitive", [](const py::int_& f) { return ecc::is_primitive(to_polynomial(f)); },
      py::arg("polynomial"));
  m.def(
      "order", [](const py::int_& f) { return ecc::order(to_polynomial(f)); },
      py::arg("polynomial"));
  m.def(
      "multiply",
      [](const py::int_& a, const py::int_& b) {
        return from_polynomial(to_polynomial(a) * to_polynomial(b));
      },
      py::arg("a"), py::arg("b"));
  m.def(
      "mod",
      [](const py::int_& a, const py::int_& b) {
        return from_polynomial(mod(to_polynomial(a), to_polynomial(b)));
      },
      py::arg("a"), py::arg("b"));
}

}  // namespace lampyris
