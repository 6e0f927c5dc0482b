// From syndromes to the error locator: the polynomial whose roots X = alpha^p name the positions p.
#pragma once

#include <span>

#include "ecc/field.h"
#include "ecc/short_buffer.h"

namespace lampyris::ecc {

constexpr size_t kShortLocator = 20;  // coefficients kept within the object

// Coefficients, x^0 first; the roots are the locators themselves (the reversed locator). `degree`
// is -1 when the syndromes fit no pattern of at most t errors.
struct Locator {
  int degree = -1;
  ShortBuffer<Element, kShortLocator> coefficients;
  std::span<const Element> polynomial() const {
    return {coefficients.data(), static_cast<size_t>(degree + 1)};
  }
};

// `odd` holds S1, S3, ... S(2t-1), not all zero. Division-free Peterson for t <= 3, else
// inversion-free Berlekamp-Massey, which skips every second step because S(2i) = S(i)^2.
// A locator that comes back is a candidate: whoever corrects by it must see the syndromes vanish.
Locator solve_key_equation(const Field& field, std::span<const Element> odd);

// The two by themselves. Peterson's serves t <= 3.
Locator peterson(const Field& field, std::span<const Element> odd);
Locator berlekamp_massey(const Field& field, std::span<const Element> odd);

}  // namespace lampyris::ecc
