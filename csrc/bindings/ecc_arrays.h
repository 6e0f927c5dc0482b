// Python integers and numpy arrays at the border of lampyris._native.ecc.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "ecc/gf2_polynomial.h"

namespace lampyris {

// Bit i of a non-negative Python integer is the coefficient of x^i.
ecc::Gf2Polynomial to_polynomial(const pybind11::int_& value);
pybind11::int_ from_polynomial(const ecc::Gf2Polynomial& polynomial);

void bind_ecc_bch(pybind11::module_& m);
void bind_ecc_field(pybind11::module_& m);
void bind_ecc_pages(pybind11::module_& m);

}  // namespace lampyris
