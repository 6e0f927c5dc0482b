// Generator polynomials of narrow-sense binary BCH codes.
#pragma once

#include "ecc/field.h"
#include "ecc/gf2_polynomial.h"

namespace lampyris::ecc {

// The polynomial over GF(2) of least degree with root alpha^exponent.
Gf2Polynomial minimal_polynomial(const Field& field, int exponent);

// The product of the different minimal polynomials of alpha, alpha^3, ... alpha^(2t-1): every
// multiple of it of degree < 2^m - 1 has weight 2t + 1 or more (or 0). Refuses t < 1 and
// 2t - 1 >= 2^m - 1.
Gf2Polynomial bch_generator(const Field& field, int t);

}  // namespace lampyris::ecc
