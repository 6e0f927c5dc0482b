#include "ecc/field.h"

#include "core/error.h"

namespace lampyris::ecc {
namespace {

// The powers of x modulo `polynomial` return to 1 after 2^m - 1 steps and not before.
constexpr bool primitive_of_degree(uint32_t polynomial, int m) {
  if (polynomial >> m != 1) return false;
  uint32_t x = 1;
  for (uint32_t e = 1; e < uint32_t{1} << m; ++e) {
    x <<= 1;
    if ((x >> m & 1) != 0) x ^= polynomial;
    if (x == 1) return e == (uint32_t{1} << m) - 1;
  }
  return false;
}

constexpr bool all_primitive() {
  for (int m = kSmallestField; m <= kLargestField; ++m)
    if (!primitive_of_degree(kPrimitive[m], m)) return false;
  return true;
}
static_assert(all_primitive());

uint32_t textbook(int m) { return m >= kSmallestField && m <= kLargestField ? kPrimitive[m] : 0; }

}  // namespace

Field::Field(int m) : Field(m, textbook(m)) {}

Field::Field(int m, uint32_t primitive) : m_(m), primitive_(primitive) {
  if (m < kSmallestField || m > kLargestField) {
    fail("field: m must be {}..{}, got {}", kSmallestField, kLargestField, m);
  }
  if (!primitive_of_degree(primitive, m)) {
    fail("field: primitive must be a primitive polynomial of degree {}, got {:#x}", m, primitive);
  }
  order_ = (1 << m) - 1;
  exp_.resize(static_cast<size_t>(4 * order_ + 1));
  log_.assign(static_cast<size_t>(order_ + 1), 2 * order_);
  uint32_t x = 1;
  for (int e = 0; e < order_; ++e) {
    exp_[e] = exp_[e + order_] = static_cast<Element>(x);
    log_[x] = e;
    x <<= 1;
    if ((x >> m & 1) != 0) x ^= primitive;
  }
  int last = -1;  // a bit of trace 1: bits of trace 1 are solved in pairs with it
  for (int i = 0; i < m; ++i) {
    Element sum = 0, power = exp_[i];
    for (int k = 0; k < m; ++k, power = square(power)) sum ^= power;
    if (sum == 1) trace_ |= uint32_t{1} << i, last = i;
  }
  std::vector<Element> solution(static_cast<size_t>(order_ + 1));
  for (int z = 0; z <= order_; z += 2) {
    const auto e = static_cast<Element>(z);
    solution[square(e) ^ e] = e;
  }
  for (int i = 0; i < m; ++i) {
    const int pair = (trace_ >> i & 1) != 0 ? 1 << last : 0;
    quadratic_[i] = solution[(1 << i) ^ pair];
  }
}

Element Field::power(Element a, int64_t exponent) const {
  if (exponent == 0) return 1;
  if (a == 0) return 0;
  const int64_t e = exponent % order_ * log_[a] % order_;
  return exp_[e < 0 ? e + order_ : e];
}

Element Field::solve_quadratic(Element u) const {
  Element z = 0;
  for (uint32_t rest = u; rest != 0; rest &= rest - 1) z ^= quadratic_[std::countr_zero(rest)];
  return z;
}

}  // namespace lampyris::ecc
