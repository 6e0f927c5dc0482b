#include "ecc/netlist_field.h"

namespace lampyris::ecc {

NetlistField::NetlistField(Netlist& net, Field field)
    : net_(net),
      field_(std::move(field)),
      reduction_(reduction_rows(Gf2Polynomial(field_.primitive()))),
      square_(field_.m()) {
  for (int i = 0; i < m(); ++i)
    for (const int k : reduction_[i])
      if (k % 2 == 0) square_[i].push_back(k / 2);
}

ElementBits NetlistField::one() const {
  ElementBits e = zero();
  e[0] = kHigh;
  return e;
}

ElementBits NetlistField::add(const ElementBits& a, const ElementBits& b) {
  ElementBits sum(m());
  for (int i = 0; i < m(); ++i) sum[i] = net_.lxor(a[i], b[i]);
  return sum;
}

ElementBits NetlistField::sum_of_products(
    const std::vector<std::pair<ElementBits, ElementBits>>& pairs) {
  std::vector<std::vector<Signal>> terms(2 * m() - 1);
  for (const auto& [a, b] : pairs)
    for (int i = 0; i < m(); ++i)
      for (int j = 0; j < m(); ++j)
        if (const Signal s = net_.land(a[i], b[j]); s != kLow) terms[i + j].push_back(s);
  std::vector<Signal> d;
  for (auto& t : terms) d.push_back(net_.xor_all(std::move(t)));
  return linear_map(net_, d, reduction_, Sharing::kCse);
}

ElementBits NetlistField::square(const ElementBits& a) {
  return linear_map(net_, a, square_, Sharing::kCse);
}

ElementBits NetlistField::gate(Signal on, const ElementBits& a) {
  ElementBits e(m());
  for (int i = 0; i < m(); ++i) e[i] = net_.land(on, a[i]);
  return e;
}

ElementBits NetlistField::select(Signal condition, const ElementBits& then,
                                 const ElementBits& otherwise) {
  const Signal opposite = net_.lnot(condition);
  ElementBits e(m());
  for (int i = 0; i < m(); ++i)
    e[i] = net_.lor(net_.land(condition, then[i]), net_.land(opposite, otherwise[i]));
  return e;
}

}  // namespace lampyris::ecc
