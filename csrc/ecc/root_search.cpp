// The two searches through all elements of the field.
#include <bit>

#include "ecc/key_equation.h"
#include "ecc/root_finder.h"

namespace lampyris::ecc {

int roots_chien(const Field& field, std::span<const Element> polynomial, std::span<Element> roots) {
  const int degree = static_cast<int>(polynomial.size()) - 1;
  // Logarithm of each non-zero term c_j alpha^(j p), and what the next p adds to it.
  ShortBuffer<int, kShortLocator> term(polynomial.size()), step(polynomial.size());
  int terms = 0;
  for (int j = 0; j <= degree; ++j) {
    if (polynomial[j] == 0) continue;
    term[terms] = field.log(polynomial[j]);
    step[terms++] = j % field.order();
  }
  int found = 0;
  for (int p = 0; p < field.order() && found < degree; ++p) {
    Element sum = 0;
    for (int j = 0; j < terms; ++j) {
      sum ^= field.exp(term[j]);
      term[j] += step[j];
      if (term[j] >= field.order()) term[j] -= field.order();
    }
    if (sum == 0) roots[found++] = field.exp(p);
  }
  return found;
}

namespace {

// One affine part f0 + f1 x + f2 x^2 + f4 x^4 (+ f8 x^8) along the Gray order.
struct AffinePart {
  Element value = 0;
  std::array<Element, kLargestField> change{};  // its linear part at each basis element

  void start(const Field& field, Element constant, std::span<const Element> linear) {
    value = constant;
    for (int b = 0; b < field.m(); ++b) {
      Element sum = 0, power = field.exp(b);
      for (const Element c : linear) {
        sum ^= field.multiply(c, power);
        power = field.square(power);
      }
      change[b] = sum;
    }
  }
};

// [f0 + f1 x + f2 x^2 + f4 x^4] + x^3 [f3 + f5 x^2]: two XORs and one product an element.
int gray_to_five(const Field& field, std::span<const Element> f, std::span<Element> roots) {
  const auto c = [&](size_t i) { return i < f.size() ? f[i] : Element{0}; };
  AffinePart low, high;
  low.start(field, c(0), std::array{c(1), c(2), c(4)});
  high.start(field, c(3), std::array{Element{0}, c(5)});
  const int degree = static_cast<int>(f.size()) - 1;
  int found = 0;
  Element x = 0;
  for (uint32_t k = 1; k <= static_cast<uint32_t>(field.order()) && found < degree; ++k) {
    const int b = std::countr_zero(k);
    x ^= field.exp(b);
    low.value ^= low.change[b];
    high.value ^= high.change[b];
    const Element cube = field.multiply(field.square(x), x);
    if ((low.value ^ field.multiply(cube, high.value)) == 0) roots[found++] = x;
  }
  return found;
}

}  // namespace

int roots_gray(const Field& field, std::span<const Element> f, std::span<Element> roots) {
  const int degree = static_cast<int>(f.size()) - 1;
  if (degree <= 5) return gray_to_five(field, f, roots);
  // f3 x^3 + sum over i of x^(5i) [f(5i) + f(5i+1) x + f(5i+2) x^2 + f(5i+4) x^4 + f(5i+8) x^8].
  const auto c = [&](int i) { return i <= degree ? f[i] : Element{0}; };
  const int count = (degree - 4 + 4) / 5 + 1;
  ShortBuffer<AffinePart, kShortLocator / 5> parts(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    const int e = 5 * i;
    parts[i].start(field, c(e), std::array{c(e + 1), c(e + 2), c(e + 4), c(e + 8)});
  }
  int found = 0;
  Element x = 0;
  for (uint32_t k = 1; k <= static_cast<uint32_t>(field.order()) && found < degree; ++k) {
    const int b = std::countr_zero(k);
    x ^= field.exp(b);
    const Element square = field.square(x);
    const Element fifth = field.multiply(field.square(square), x);
    Element sum = 0;
    for (int i = count; i-- > 0;) {
      parts[i].value ^= parts[i].change[b];
      sum = field.multiply(sum, fifth) ^ parts[i].value;
    }
    if ((sum ^ field.multiply(f[3], field.multiply(square, x))) == 0) roots[found++] = x;
  }
  return found;
}

int find_roots(const Field& field, std::span<const Element> polynomial, RootFinder finder,
               std::span<Element> roots) {
  const int degree = static_cast<int>(polynomial.size()) - 1;
  const bool closed = degree <= kClosedFormDegree;
  const bool affine = degree <= kLeastAffineDegree && degree <= field.m();
  switch (finder) {
    case RootFinder::kChien:
      return roots_chien(field, polynomial, roots);
    case RootFinder::kClosedForm:
      if (closed) return roots_closed_form(field, polynomial, roots);
      break;
    case RootFinder::kLeastAffine:
      if (affine) return roots_least_affine(field, polynomial, roots);
      break;
    case RootFinder::kAuto:
      if (closed) return roots_closed_form(field, polynomial, roots);
      if (affine) return roots_least_affine(field, polynomial, roots);
      break;
    case RootFinder::kGray:
      break;
  }
  return roots_gray(field, polynomial, roots);
}

}  // namespace lampyris::ecc
