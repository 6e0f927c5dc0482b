#include <gtest/gtest.h>

#include <random>

#include "ecc/bch_generator.h"
#include "ecc/field.h"
#include "ecc/gf2_polynomial.h"

namespace lampyris::ecc {
namespace {

// By definition: the product of two polynomials modulo the third.
Element slow_product(const Field& f, Element a, Element b) {
  return static_cast<Element>(
      mod(Gf2Polynomial(a) * Gf2Polynomial(b), Gf2Polynomial(f.primitive())).limb(0));
}

TEST(Field, Sixteen) {
  const Field f(4);
  EXPECT_EQ(f.multiply(0b0010, 0b1000), 0b0011);  // x^4 = x + 1
  EXPECT_EQ(f.inverse(0b0010), 0b1001);
  EXPECT_EQ(f.power(2, -1), 0b1001);
  EXPECT_EQ(f.power(0, 0), 1);
  EXPECT_EQ(f.power(0, 5), 0);
}

TEST(Field, AxiomsExhaustively) {
  for (int m = 3; m <= 8; ++m) {
    const Field f(m);
    for (int a = 0; a <= f.order(); ++a) {
      const auto x = static_cast<Element>(a);
      EXPECT_EQ(f.square(f.sqrt(x)), x);
      EXPECT_EQ(f.square(x), f.multiply(x, x));
      EXPECT_TRUE(a == 0 || f.multiply(x, f.inverse(x)) == 1);
      for (int b = 0; b <= f.order(); ++b) {
        const auto y = static_cast<Element>(b);
        const Element product = f.multiply(x, y);
        EXPECT_EQ(product, f.multiply(y, x));
        EXPECT_TRUE(b == 0 || f.divide(product, y) == x);
        const auto z = static_cast<Element>((a * 7 + b * 3 + 1) & f.order());
        EXPECT_EQ(f.multiply(product, z), f.multiply(x, f.multiply(y, z)));
        EXPECT_EQ(f.multiply(x ^ z, y), product ^ f.multiply(z, y));
      }
    }
  }
}

TEST(Field, TablesAgreeWithCarrylessProducts) {
  std::mt19937 generator(1);
  for (int m = 3; m <= kLargestField; ++m) {
    const Field f(m);
    EXPECT_TRUE(is_primitive(Gf2Polynomial(f.primitive())));
    for (int i = 0; i < 2000; ++i) {
      const auto a = static_cast<Element>(generator() & static_cast<uint32_t>(f.order()));
      const auto b = static_cast<Element>(generator() & static_cast<uint32_t>(f.order()));
      EXPECT_EQ(f.multiply(a, b), slow_product(f, a, b));
    }
  }
}

TEST(Field, QuadraticsAreSolvedWhereTheTraceIsZero) {
  for (int m = 3; m <= kLargestField; ++m) {
    const Field f(m);
    int solvable = 0;
    for (int u = 0; u <= f.order(); ++u) {
      const auto e = static_cast<Element>(u);
      if (!f.solvable(e)) continue;
      ++solvable;
      const Element z = f.solve_quadratic(e);
      EXPECT_EQ(f.square(z) ^ z, e);
      EXPECT_EQ(z & 1, 0);
    }
    EXPECT_EQ(solvable, (f.order() + 1) / 2);
  }
}

TEST(Field, MinimalPolynomialsHaveTheirRoots) {
  const Field f(6);
  EXPECT_EQ(minimal_polynomial(f, 1), Gf2Polynomial(0x43));
  EXPECT_EQ(minimal_polynomial(f, 21), Gf2Polynomial(0b111));  // of GF(4)
  for (int e = 0; e < f.order(); ++e) {
    const Gf2Polynomial p = minimal_polynomial(f, e);
    EXPECT_TRUE(is_irreducible(p));
    Element sum = 0;
    for (const int k : p.exponents()) sum ^= f.power(f.exp(e), k);
    EXPECT_EQ(sum, 0);
  }
}

TEST(Field, BadInputIsRefused) {
  EXPECT_THROW(Field(2), std::invalid_argument);
  EXPECT_THROW(Field(17), std::invalid_argument);
  EXPECT_THROW(Field(4, 0x1f), std::invalid_argument);  // irreducible, of order 5
  EXPECT_THROW(Field(4, 0x12), std::invalid_argument);  // even
  EXPECT_THROW(Field(5, 0x13), std::invalid_argument);  // of degree 4
  EXPECT_THROW(bch_generator(Field(4), 0), std::invalid_argument);
  EXPECT_THROW(bch_generator(Field(4), 8), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::ecc
