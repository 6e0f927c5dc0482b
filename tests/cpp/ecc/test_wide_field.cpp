#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "ecc/field.h"
#include "ecc/wide_field.h"

namespace lampyris::ecc {
namespace {

// As few terms as the house list, every exponent near the degree (a limb feeds back into itself),
// trinomials, and sizes around a limb.
std::vector<Gf2Polynomial> polynomials() {
  std::vector<Gf2Polynomial> out;
  for (const int m : wide_degrees())
    out.push_back(Gf2Polynomial::from_exponents(wide_polynomial(m)));
  for (const std::vector<int>& e : std::vector<std::vector<int>>{{2, 1, 0},
                                                                 {5, 4, 3, 2, 0},
                                                                 {63, 62, 0},
                                                                 {63, 1, 0},
                                                                 {65, 18, 0},
                                                                 {65, 47, 0},
                                                                 {127, 126, 0},
                                                                 {128, 127, 126, 121, 0},
                                                                 {576, 13, 4, 3, 0}})
    out.push_back(Gf2Polynomial::from_exponents(e));
  return out;
}

WideElement random_element(const WideField& field, std::mt19937_64& generator) {
  std::vector<uint64_t> limbs(field.limbs());
  for (uint64_t& limb : limbs) limb = generator();
  return field.element(mod(Gf2Polynomial(limbs), field.polynomial()));
}

TEST(WideField, BuiltInPolynomialsAreIrreducible) {
  ASSERT_EQ(wide_degrees().size(), 14U);
  for (const int m : wide_degrees()) {
    const Gf2Polynomial f = Gf2Polynomial::from_exponents(wide_polynomial(m));
    EXPECT_EQ(f.degree(), m);
    EXPECT_TRUE(is_irreducible(f)) << to_text(f);
  }
  EXPECT_TRUE(wide_polynomial(46).empty());
}

TEST(WideField, ProductsEqualLongDivision) {
  std::mt19937_64 generator(1);
  for (const Gf2Polynomial& f : polynomials()) {
    const WideField field(f);
    for (int i = 0; i < 30; ++i) {
      const WideElement a = random_element(field, generator), b = random_element(field, generator);
      for_every_isa([&] {
        EXPECT_EQ(field.value(field.multiply(a, b)), mod(field.value(a) * field.value(b), f))
            << to_text(f);
      });
      EXPECT_EQ(field.square(a), field.multiply(a, a));
      EXPECT_EQ(field.power(a, 5), field.multiply(field.square(field.square(a)), a));
    }
  }
}

TEST(WideField, InversesAndFermat) {
  std::mt19937_64 generator(2);
  for (const Gf2Polynomial& f : polynomials()) {
    const WideField field(f);
    const WideElement one{1};
    EXPECT_EQ(field.inverse(one), one);
    WideElement a = random_element(field, generator);
    a[0] |= 1;
    EXPECT_EQ(field.multiply(a, field.inverse(a)), one) << to_text(f);
    WideElement power = a;
    for (int i = 0; i < field.m(); ++i) power = field.square(power);
    EXPECT_EQ(power, a);
  }
}

TEST(WideField, EqualsTheTablesOfASmallField) {
  const Field small(12);
  const WideField wide{Gf2Polynomial(small.primitive())};
  std::mt19937_64 generator(3);
  for (int i = 0; i < 1000; ++i) {
    const WideElement a = random_element(wide, generator), b = random_element(wide, generator);
    EXPECT_EQ(wide.multiply(a, b)[0],
              small.multiply(static_cast<Element>(a[0]), static_cast<Element>(b[0])));
  }
}

TEST(WideField, BadInputIsRefused) {
  EXPECT_THROW(WideField(Gf2Polynomial(0b11)), std::invalid_argument);
  EXPECT_THROW(WideField(Gf2Polynomial(0b101)), std::invalid_argument);
  EXPECT_THROW(WideField(Gf2Polynomial(1) << 577), std::invalid_argument);
  const WideField field(Gf2Polynomial::from_exponents(wide_polynomial(45)));
  EXPECT_THROW(field.element(Gf2Polynomial(1) << 45), std::invalid_argument);
  EXPECT_THROW(field.inverse({}), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::ecc
