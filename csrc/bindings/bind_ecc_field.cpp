// lampyris._native.ecc.WideField: elements are Python integers.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/ecc_arrays.h"
#include "ecc/wide_field.h"

namespace py = pybind11;

namespace lampyris {

void bind_ecc_field(py::module_& m) {
  using ecc::WideField;
  py::dict polynomials;
  for (const int degree : ecc::wide_degrees()) {
    const auto exponents = ecc::wide_polynomial(degree);
    polynomials[py::int_(degree)] =
        py::tuple(py::cast(std::vector<int>(exponents.begin(), exponents.end())));
  }
  m.attr("wide_polynomials") = polynomials;
  py::class_<WideField>(m, "WideField")
      .def(py::init([](const py::int_& f) { return WideField(to_polynomial(f)); }),
           py::arg("polynomial"))
      .def_property_readonly("m", &WideField::m)
      .def_property_readonly("polynomial",
                             [](const WideField& f) { return from_polynomial(f.polynomial()); })
      .def("multiply",
           [](const WideField& f, const py::int_& a, const py::int_& b) {
             return from_polynomial(
                 f.value(f.multiply(f.element(to_polynomial(a)), f.element(to_polynomial(b)))));
           })
      .def("inverse", [](const WideField& f, const py::int_& a) {
        return from_polynomial(f.value(f.inverse(f.element(to_polynomial(a)))));
      });
}

}  // namespace lampyris
