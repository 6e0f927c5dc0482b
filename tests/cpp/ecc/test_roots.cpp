#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "ecc/root_finder.h"

namespace lampyris::ecc {
namespace {

using Polynomial = std::vector<Element>;

std::vector<Element> roots_by(const Field& field, const Polynomial& f, RootFinder finder) {
  std::vector<Element> roots(f.size() - 1);
  roots.resize(static_cast<size_t>(find_roots(field, f, finder, roots)));
  std::sort(roots.begin(), roots.end());
  return roots;
}

// By trying every element with powers.
std::vector<Element> slow_roots(const Field& field, const Polynomial& f) {
  std::vector<Element> roots;
  for (int x = 1; x <= field.order(); ++x) {
    Element sum = 0;
    for (size_t i = 0; i < f.size(); ++i)
      sum ^= field.multiply(f[i], field.power(static_cast<Element>(x), static_cast<int64_t>(i)));
    if (sum == 0) roots.push_back(static_cast<Element>(x));
  }
  return roots;
}

Polynomial times(const Field& field, const Polynomial& a, const Polynomial& b) {
  Polynomial out(a.size() + b.size() - 1);
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t k = 0; k < b.size(); ++k) out[i + k] ^= field.multiply(a[i], b[k]);
  return out;
}

struct Random {
  const Field& field;
  std::mt19937 generator{5};
  Element any() { return static_cast<Element>(generator() & static_cast<uint32_t>(field.order())); }
  Element nonzero() {
    const Element e = any();
    return e != 0 ? e : Element{1};
  }
  Polynomial polynomial(int degree) {
    Polynomial f(static_cast<size_t>(degree) + 1);
    for (Element& c : f) c = any();
    f.back() = nonzero();
    return f;
  }
  // Products of linear factors, some of them twice: split, with repeated roots and roots 0.
  Polynomial split(int degree) {
    Polynomial f = {nonzero()};
    Element root = any();
    for (int i = 0; i < degree; ++i) {
      if (generator() % 4 != 0) root = any();
      f = times(field, f, {root, 1});
    }
    return f;
  }
};

void expect_all_equal_chien(const Field& field, const Polynomial& f) {
  const std::vector<Element> expected = roots_by(field, f, RootFinder::kChien);
  for (const RootFinder finder :
       {RootFinder::kAuto, RootFinder::kGray, RootFinder::kClosedForm, RootFinder::kLeastAffine})
    ASSERT_EQ(roots_by(field, f, finder), expected)
        << "finder " << static_cast<int>(finder) << " m " << field.m() << " degree "
        << f.size() - 1;
}

TEST(Roots, TheWorkedExampleOverSixteen) {
  // Errors at 2, 7, 11: X^3 + X^2 + a^12 X + a^5.
  const Field f(4);
  const Polynomial locator = {f.exp(5), f.exp(12), 1, 1};
  std::vector<Element> expected = {f.exp(2), f.exp(7), f.exp(11)};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(roots_by(f, locator, RootFinder::kChien), expected);
  expect_all_equal_chien(f, locator);
}

TEST(Roots, TheWorkedExampleOverSixtyFour) {
  const Field f(6);
  const Polynomial locator = {3, 35, 8, 5, 19, 1};  // errors at 3, 10, 21, 40, 58
  std::vector<Element> expected = {f.exp(3), f.exp(10), f.exp(21), f.exp(40), f.exp(58)};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(roots_by(f, locator, RootFinder::kChien), expected);
  expect_all_equal_chien(f, locator);
}

TEST(Roots, ChienFindsWhatTryingFinds) {
  for (const int m : {3, 4, 6}) {
    const Field field(m);
    Random random{field};
    for (int i = 0; i < 300; ++i) {
      const Polynomial f = random.polynomial(1 + i % 12);
      EXPECT_EQ(roots_by(field, f, RootFinder::kChien), slow_roots(field, f));
    }
  }
}

TEST(Roots, EveryPolynomialOfDegreeThreeAndFourOverEight) {
  const Field field(3);
  for (int bits = 0; bits < 1 << 15; ++bits) {
    Polynomial f;
    for (int i = 0; i < 5; ++i) f.push_back(static_cast<Element>(bits >> 3 * i & 7));
    while (f.size() > 1 && f.back() == 0) f.pop_back();
    if (f.size() > 1) expect_all_equal_chien(field, f);
  }
}

TEST(Roots, AllFindersEqualChienOnRandomPolynomials) {
  for (const int m : {3, 4, 5, 6, 8, 9, 10, 12, 13}) {
    const Field field(m);
    Random random{field};
    const int rounds = m <= 8 ? 400 : 40;
    for (int degree = 1; degree <= 14; ++degree) {
      for (int i = 0; i < rounds; ++i) {
        expect_all_equal_chien(field, random.polynomial(degree));  // mostly does not split
        expect_all_equal_chien(field, random.split(degree));
        if (degree > 2)
          expect_all_equal_chien(field,
                                 times(field, random.split(degree - 2), random.polynomial(2)));
      }
    }
  }
}

TEST(Roots, SparsePolynomialsTakeTheSpecialCases) {
  const Field field(8);
  for_every_isa([&] {
    Random random{field};
    for (int i = 0; i < 4000; ++i) {
      Polynomial f = random.polynomial(1 + i % 8);
      for (size_t k = 0; k + 1 < f.size(); ++k)
        if (random.any() % 2 != 0) f[k] = 0;
      expect_all_equal_chien(field, f);
    }
  });
}

TEST(Roots, LargestFields) {
  for_every_isa([] {
    for (const int m : {14, 15, 16}) {
      const Field field(m);
      Random random{field};
      for (int degree = 2; degree <= 8; ++degree)
        expect_all_equal_chien(field, random.split(degree));
    }
  });
}

}  // namespace
}  // namespace lampyris::ecc
