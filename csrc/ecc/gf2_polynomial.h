// Polynomials over GF(2) of any degree: coefficients as bits of 64-bit limbs, x^0 first.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lampyris::ecc {

class Gf2Polynomial {
 public:
  Gf2Polynomial() = default;  // 0
  // Bit i is the coefficient of x^i.
  explicit Gf2Polynomial(uint64_t bits);
  explicit Gf2Polynomial(std::vector<uint64_t> limbs);
  // The sum of x^e; an exponent given twice cancels. Refuses negative exponents.
  static Gf2Polynomial from_exponents(std::span<const int> exponents);

  int degree() const;  // -1 for 0
  bool is_zero() const { return limbs_.empty(); }
  bool coefficient(int exponent) const;
  void flip(int exponent);
  std::vector<int> exponents() const;  // highest first
  // No trailing zero limb; empty for 0.
  std::span<const uint64_t> limbs() const { return limbs_; }
  // Limb i, 0 beyond the end.
  uint64_t limb(size_t i) const { return i < limbs_.size() ? limbs_[i] : 0; }

  Gf2Polynomial& operator^=(const Gf2Polynomial& other);  // sum and difference
  Gf2Polynomial operator<<(int count) const;              // times x^count
  bool operator==(const Gf2Polynomial&) const = default;

 private:
  void trim();
  std::vector<uint64_t> limbs_;
};

Gf2Polynomial operator^(Gf2Polynomial a, const Gf2Polynomial& b);
Gf2Polynomial operator*(const Gf2Polynomial& a, const Gf2Polynomial& b);

// a mod b; the quotient too where asked for. Refuses b = 0.
Gf2Polynomial mod(Gf2Polynomial a, const Gf2Polynomial& b, Gf2Polynomial* quotient = nullptr);
Gf2Polynomial gcd(Gf2Polynomial a, Gf2Polynomial b);
Gf2Polynomial multiply_mod(const Gf2Polynomial& a, const Gf2Polynomial& b, const Gf2Polynomial& f);
// a^(2^count) mod f.
Gf2Polynomial square_mod(Gf2Polynomial a, int count, const Gf2Polynomial& f);
// a^exponent mod f.
Gf2Polynomial power_mod(Gf2Polynomial a, uint64_t exponent, const Gf2Polynomial& f);

// Rabin's test: f of degree n is irreducible if x^(2^n) = x mod f and, for every prime q that
// divides n, x^(2^(n/q)) - x has no factor in common with f.
bool is_irreducible(const Gf2Polynomial& f);

// The smallest e > 0 with x^e = 1 mod f, for irreducible f of degree 1..64 other than x.
uint64_t order(const Gf2Polynomial& f);

// Irreducible and order(f) = 2^degree - 1; degree 1..64.
bool is_primitive(const Gf2Polynomial& f);

// "x^45 + x^4 + x^3 + x + 1"
std::string to_text(const Gf2Polynomial& f);

}  // namespace lampyris::ecc
