// Roots of polynomials over GF(2^m) in the field: five ways that agree on every polynomial.
#pragma once

#include <array>
#include <span>

#include "ecc/field.h"

namespace lampyris::ecc {

enum class RootFinder {
  kAuto,         // closed forms to degree 4, least affine multiple to 8, Gray order above
  kChien,        // every element in the order of its powers (Chien 1964)
  kGray,         // every element in Gray order, affine parts by one XOR (Truong, Jeng, Reed 2001;
                 // Fedorenko, Trifonov 2002)
  kClosedForm,   // degree <= 4; kGray above
  kLeastAffine,  // degree <= 8 and <= m (Berlekamp, Rumsey, Solomon 1967); kGray above
};

// The distinct non-zero roots of a polynomial (coefficients x^0 first, the last one not 0, degree
// >= 1), in no particular order; returns how many. `roots` has room for the degree.
int find_roots(const Field& field, std::span<const Element> polynomial, RootFinder finder,
               std::span<Element> roots);

// Each by itself.
int roots_chien(const Field& field, std::span<const Element> polynomial, std::span<Element> roots);
int roots_gray(const Field& field, std::span<const Element> polynomial, std::span<Element> roots);
int roots_closed_form(const Field& field, std::span<const Element> polynomial,
                      std::span<Element> roots);
int roots_least_affine(const Field& field, std::span<const Element> polynomial,
                       std::span<Element> roots);

constexpr int kClosedFormDegree = 4;
constexpr int kLeastAffineDegree = 8;

// Solutions x of L(x) = c, L additive: none, or particular + every sum of kernel elements.
struct AffineSolutions {
  bool solvable = false;
  Element particular = 0;
  int dimension = 0;
  std::array<Element, kLargestField> kernel{};
};

// L(x) = sum of coefficients[i] x^(2^i).
AffineSolutions solve_affine(const Field& field, std::span<const Element> coefficients, Element c);

}  // namespace lampyris::ecc
