// GF(2^m), 2 <= m <= 576, in the basis 1, x, ... x^(m-1): 64-bit limbs, carry-less products, and a
// reduction that costs one shift a term of the polynomial.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ecc/gf2_polynomial.h"

namespace lampyris::ecc {

constexpr size_t kWideLimbs = 9;
constexpr int kWidestField = 64 * static_cast<int>(kWideLimbs);

// Bit i of limb i / 64 is the coefficient of x^i; limbs above the field's are 0.
using WideElement = std::array<uint64_t, kWideLimbs>;

// Exponents, highest first, of the polynomials of fewest terms that this house uses: 163, 233, 283,
// 409 and 571 are those of FIPS 186-4. There for m = 8, 16, 32, 45, 64, 128, 131, 163, 193, 233,
// 239, 283, 409 and 571; empty for others.
std::span<const int> wide_polynomial(int m);
std::vector<int> wide_degrees();

class WideField {
 public:
  // Refuses a polynomial that is reducible or of degree outside 2..576.
  explicit WideField(const Gf2Polynomial& polynomial);

  int m() const { return m_; }
  size_t limbs() const { return limbs_; }
  const Gf2Polynomial& polynomial() const { return polynomial_; }

  // The coefficients of an element; refuses degree m and above.
  WideElement element(const Gf2Polynomial& value) const;
  Gf2Polynomial value(const WideElement& element) const;

  WideElement multiply(const WideElement& a, const WideElement& b) const;
  WideElement square(const WideElement& a) const;
  WideElement power(const WideElement& a, uint64_t exponent) const;
  // a^(2^m - 2) by repeated doubling of runs of ones (Itoh, Tsujii 1988); refuses 0.
  WideElement inverse(const WideElement& a) const;

 private:
  using Product = std::array<uint64_t, 2 * kWideLimbs>;
  WideElement reduce(Product& product) const;

  int m_;
  size_t limbs_;
  Gf2Polynomial polynomial_;
  std::vector<int> lower_;  // exponents below m
};

}  // namespace lampyris::ecc
