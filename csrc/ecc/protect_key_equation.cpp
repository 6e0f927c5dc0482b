#include "ecc/netlist_field.h"
#include "ecc/protect.h"

namespace lampyris::ecc {

namespace {

using Pairs = std::vector<std::pair<ElementBits, ElementBits>>;

// Roots are the locators. S1 = 0 has no root at t = 2; D = S1^3 + S3 = 0 leaves X + S1 at t = 3.
LocatorPolynomial peterson(Netlist& net, NetlistField& field, const std::vector<ElementBits>& odd) {
  const ElementBits& s1 = odd[0];
  if (odd.size() == 1) return {{s1, field.one()}, false};
  const ElementBits s2 = field.square(s1);
  const ElementBits d = field.add(field.multiply(s1, s2), odd[1]);
  if (odd.size() == 2) {
    ElementBits constant = d;
    constant[0] = net.lor(constant[0], net.lnot(field.nonzero(s1)));
    return {{constant, s2, s1}, false};
  }
  ElementBits e = field.add(field.multiply(s2, odd[1]), odd[2]);
  e[0] = net.lor(e[0], net.lnot(field.nonzero(d)));
  const ElementBits constant = field.add(field.square(d), field.multiply(s1, e));
  return {{constant, e, field.multiply(s1, d), d}, false};
}

// Inversion-free Berlekamp-Massey of a binary code, which skips the even steps, for t = 4 and 5.
// The first three steps are written out, because their operands are known in part. Coefficients
// above x^t are dropped: they stay 0 where at most t bits are wrong.
std::vector<ElementBits> berlekamp_massey(Netlist& net, NetlistField& field,
                                          const std::vector<ElementBits>& odd) {
  const int t = static_cast<int>(odd.size());
  std::vector<ElementBits> s(2 * t);
  for (int j = 1; j < 2 * t; ++j) s[j] = j % 2 ? odd[j / 2] : field.square(s[j / 2]);
  const ElementBits zero = field.zero(), &s1 = s[1];

  const Signal nz0 = field.nonzero(s1), z0 = net.lnot(nz0);
  ElementBits b1 = s1;
  b1[0] = net.lor(b1[0], z0);
  const ElementBits delta1 = field.add(field.multiply(s1, s[2]), s[3]);
  const Signal nz1 = field.nonzero(delta1), z1 = net.lnot(nz1);
  // Lambda = b1 + S1^2 x + delta1 (x^2 where S1 != 0, else x^3; S2 = 0 there).
  const ElementBits low2 = field.gate(nz0, delta1), low3 = field.gate(z0, delta1);
  const ElementBits delta2 = field.sum_of_products({{b1, s[5]}, {s[2], s[4]}, {low2, s[3]}});
  ElementBits b2 = field.gate(z1, b1);
  for (int i = 0; i < field.m(); ++i) b2[i] = net.lor(b2[i], delta1[i]);
  // T = x^2 + S1 x^3 where delta1 != 0, else x^4 or, where S1 = 0 too, x^5.
  const ElementBits s1_on = field.gate(nz1, s1), quad = field.square(delta1);  // = b2 delta1
  std::vector<ElementBits> lambda{
      field.multiply(b2, b1),
      field.multiply(b2, s[2]),
      field.add(field.gate(nz0, quad), field.gate(nz1, delta2)),
      field.sum_of_products({{field.gate(z0, quad), field.one()}, {delta2, s1_on}}),
      field.gate(net.land(z1, nz0), delta2),
      field.gate(net.land(z1, z0), delta2)};
  // L = 0 (z0 z1), 1 (nz0 z1), 2 (nz0 nz1) or 3 (z0 nz1); an update needs L <= 2.
  const Signal update2 = net.land(field.nonzero(delta2), net.lnot(net.land(z0, nz1)));
  const std::vector<ElementBits> x2_lambda{zero, zero, b1, s[2], low2, low3};
  const std::vector<ElementBits> x2_shift{zero, zero, zero, zero, field.gate(nz1, field.one()),
                                          s1_on};
  std::vector<ElementBits> shift;
  for (int j = 0; j <= t; ++j) shift.push_back(field.select(update2, x2_lambda[j], x2_shift[j]));
  ElementBits b = field.select(update2, delta2, b2);
  lambda.resize(t + 1);
  // L exceeds 3 now where it grew from 0 or 1.
  const Signal too_long = net.land(update2, z1);
  for (int i = 3; i < t; ++i) {
    Pairs pairs;
    for (int j = 0; j <= t && j <= 2 * i; ++j) pairs.push_back({lambda[j], s[2 * i + 1 - j]});
    const ElementBits delta = field.sum_of_products(pairs);
    const std::vector<ElementBits> old = lambda;
    for (int j = 0; j <= t; ++j)
      lambda[j] = field.sum_of_products({{b, old[j]}, {delta, shift[j]}});
    const Signal update = net.land(field.nonzero(delta), net.lnot(too_long));
    for (int j = t; j >= 0; --j)
      shift[j] = j < 2 ? zero : field.select(update, old[j - 2], shift[j - 2]);
    b = field.select(update, delta, b);
  }
  return lambda;
}

}  // namespace

LocatorPolynomial build_key_equation(Netlist& net, const BchShape& shape,
                                     const std::vector<ElementBits>& odd) {
  net.set_part(Part::kKeyEquation);
  NetlistField field(net, Field(shape.m));
  if (odd.size() <= 3) return peterson(net, field, odd);
  return {berlekamp_massey(net, field, odd), true};
}

}  // namespace lampyris::ecc
