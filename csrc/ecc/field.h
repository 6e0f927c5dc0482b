// GF(2^m), 3 <= m <= 16, by tables: an element is the bits of a polynomial in alpha, the root of a
// primitive polynomial.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace lampyris::ecc {

using Element = uint16_t;

constexpr int kSmallestField = 3;
constexpr int kLargestField = 16;

// The textbook primitive polynomials of degree 3..16 (bit i = coefficient of x^i), as in Lin and
// Costello, MATLAB and galois. Linux' lib/bch.c takes 0x83 for m = 7 and 0x402b for m = 14.
constexpr std::array<uint32_t, kLargestField + 1> kPrimitive = {
    0,     0,     0,     0xb,    0x13,   0x25,   0x43,   0x89,   0x11d,
    0x211, 0x409, 0x805, 0x1053, 0x201b, 0x4443, 0x8003, 0x1100b};

class Field {
 public:
  // Refuses m outside 3..16 and a polynomial that is not primitive of degree m.
  Field(int m, uint32_t primitive);
  explicit Field(int m);  // kPrimitive[m]

  int m() const { return m_; }
  uint32_t primitive() const { return primitive_; }
  int order() const { return order_; }  // 2^m - 1

  Element multiply(Element a, Element b) const { return exp_[log_[a] + log_[b]]; }
  Element square(Element a) const { return exp_[2 * log_[a]]; }
  Element divide(Element a, Element b) const { return exp_[log_[a] + order_ - log_[b]]; }  // b != 0
  Element inverse(Element a) const { return exp_[order_ - log_[a]]; }                      // a != 0
  Element sqrt(Element a) const {
    return a == 0 ? Element{0} : exp_[(log_[a] + (log_[a] & 1) * order_) / 2];
  }
  // alpha^exponent, 0 <= exponent < 2 (2^m - 1).
  Element exp(int exponent) const { return exp_[exponent]; }
  // The exponent of a != 0.
  int log(Element a) const { return log_[a]; }
  Element power(Element a, int64_t exponent) const;
  // The trace of u is 0: z^2 + z = u has solutions.
  bool solvable(Element u) const { return (std::popcount(u & trace_) & 1) == 0; }
  // The solution with bit 0 clear, linear in u; the other is z + 1.
  Element solve_quadratic(Element u) const;

 private:
  int m_;
  uint32_t primitive_;
  int order_;
  // log 0 is twice the order, and exp is 0 from there on: products need no test for zero.
  std::vector<int32_t> log_;
  std::vector<Element> exp_;
  std::array<Element, kLargestField> quadratic_{};  // what each bit of u adds to the solution
  uint32_t trace_ = 0;                              // the trace of u is the parity of u & trace_
};

}  // namespace lampyris::ecc
