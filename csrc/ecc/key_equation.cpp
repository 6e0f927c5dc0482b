#include "ecc/key_equation.h"

#include <algorithm>
#include <initializer_list>

namespace lampyris::ecc {
namespace {

// Without the roots 0 that a locator has when there are fewer errors than its degree.
Locator locator(std::initializer_list<Element> coefficients) {
  Locator out;
  const Element* first = coefficients.begin();
  while (first + 1 < coefficients.end() && *first == 0) ++first;
  const auto size = static_cast<size_t>(coefficients.end() - first);
  if (size < 2) return out;
  out.degree = static_cast<int>(size) - 1;
  out.coefficients = ShortBuffer<Element, kShortLocator>(size);
  std::copy(first, coefficients.end(), out.coefficients.begin());
  return out;
}

}  // namespace

Locator peterson(const Field& field, std::span<const Element> odd) {
  const auto product = [&](Element a, Element b) { return field.multiply(a, b); };
  const Element s1 = odd[0], one = s1 != 0;
  if (odd.size() == 1) return locator({s1, one});
  const Element s1_squared = field.square(s1);
  const Element d = product(s1_squared, s1) ^ odd[1];
  if (d == 0) return locator({s1, one});
  if (odd.size() == 2) {
    if (s1 == 0) return {};
    return locator({d, s1_squared, s1});
  }
  const Element e = product(s1_squared, odd[1]) ^ odd[2];
  return locator({static_cast<Element>(field.square(d) ^ product(s1, e)), e, product(s1, d), d});
}

Locator berlekamp_massey(const Field& field, std::span<const Element> odd) {
  const int t = static_cast<int>(odd.size());
  constexpr size_t kShort = 2 * kShortLocator;
  const auto size = static_cast<size_t>(2 * t + 2);
  ShortBuffer<Element, kShort> s(size), lambda(size), next(size), shifted(size);
  for (int k = 1; k < 2 * t; ++k) s[k] = (k & 1) != 0 ? odd[k / 2] : field.square(s[k / 2]);
  lambda[0] = 1;
  shifted[1] = 1;
  Element b = 1;
  int length = 0;
  for (int i = 0; i < t; ++i) {
    const int last = std::min(2 * i, t);  // degrees do not exceed the steps taken
    Element delta = 0;
    for (int j = 0; j <= last; ++j) delta ^= field.multiply(lambda[j], s[2 * i + 1 - j]);
    const int top = std::min(2 * i + 1, 2 * t - 1);
    if (delta == 0) {
      for (int j = top; j >= 0; --j) shifted[j + 2] = shifted[j];
      shifted[0] = shifted[1] = 0;
      continue;  // lambda times b is the same locator
    }
    for (int j = 0; j <= top; ++j)
      next[j] = field.multiply(b, lambda[j]) ^ field.multiply(delta, shifted[j]);
    if (length <= i) {
      for (int j = top; j >= 0; --j) shifted[j + 2] = lambda[j];
      b = delta;
      length = 2 * i + 1 - length;
    } else {
      for (int j = top; j >= 0; --j) shifted[j + 2] = shifted[j];
    }
    shifted[0] = shifted[1] = 0;
    std::copy(next.begin(), next.end(), lambda.begin());
  }
  Locator out;
  int degree = 2 * t;
  while (degree > 0 && lambda[degree] == 0) --degree;
  if (degree == 0 || degree != length || degree > t) return out;
  out.degree = degree;
  out.coefficients = ShortBuffer<Element, kShortLocator>(static_cast<size_t>(degree + 1));
  for (int j = 0; j <= degree; ++j) out.coefficients[j] = lambda[degree - j];
  return out;
}

Locator solve_key_equation(const Field& field, std::span<const Element> odd) {
  return odd.size() <= 3 ? peterson(field, odd) : berlekamp_massey(field, odd);
}

}  // namespace lampyris::ecc
