// Arithmetic of GF(2^m), m <= 16, on vectors of signals; bit i is the coefficient of alpha^i.
#pragma once

#include <utility>
#include <vector>

#include "ecc/field.h"
#include "ecc/multiplier.h"

namespace lampyris::ecc {

using ElementBits = std::vector<Signal>;

class NetlistField {
 public:
  NetlistField(Netlist& net, Field field);

  int m() const { return field_.m(); }
  // alpha^e for any e >= 0, as an integer.
  uint32_t power(int64_t e) const { return field_.exp(static_cast<int>(e % field_.order())); }
  ElementBits zero() const { return ElementBits(m(), kLow); }
  ElementBits one() const;

  ElementBits add(const ElementBits& a, const ElementBits& b);
  ElementBits multiply(const ElementBits& a, const ElementBits& b) {
    return sum_of_products({{a, b}});
  }
  // One reduction for all of them.
  ElementBits sum_of_products(const std::vector<std::pair<ElementBits, ElementBits>>& pairs);
  ElementBits square(const ElementBits& a);
  ElementBits gate(Signal on, const ElementBits& a);
  ElementBits select(Signal condition, const ElementBits& then, const ElementBits& otherwise);
  Signal nonzero(const ElementBits& a) { return net_.or_all(a); }

 private:
  Netlist& net_;
  Field field_;
  Rows reduction_, square_;
};

}  // namespace lampyris::ecc
