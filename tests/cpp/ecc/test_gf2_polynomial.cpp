#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "ecc/carryless.h"
#include "ecc/gf2_polynomial.h"

namespace lampyris::ecc {
namespace {

Gf2Polynomial of(std::vector<int> exponents) { return Gf2Polynomial::from_exponents(exponents); }

Gf2Polynomial random(std::mt19937_64& generator, int limbs) {
  std::vector<uint64_t> words(static_cast<size_t>(limbs));
  for (uint64_t& word : words) word = generator();
  return Gf2Polynomial(std::move(words));
}

TEST(Gf2Polynomial, SmallProductsByHand) {
  EXPECT_EQ(Gf2Polynomial(0b11) * Gf2Polynomial(0b11), Gf2Polynomial(0b101));
  EXPECT_EQ(Gf2Polynomial(0b1011) * Gf2Polynomial(0b1101), Gf2Polynomial(0b1111111));
  EXPECT_EQ(mod(Gf2Polynomial(0b10000), Gf2Polynomial(0b10011)), Gf2Polynomial(0b11));
  EXPECT_EQ(to_text(of({45, 4, 3, 1, 0})), "x^45 + x^4 + x^3 + x + 1");
  EXPECT_EQ(Gf2Polynomial(uint64_t{0}).degree(), -1);
  EXPECT_EQ(of({100, 64, 64}).exponents(), std::vector<int>{100});
}

TEST(Gf2Polynomial, DivisionUndoesMultiplication) {
  std::mt19937_64 generator(1);
  for (int limbs = 1; limbs < 6; ++limbs) {
    const Gf2Polynomial a = random(generator, limbs), b = random(generator, 3);
    const Gf2Polynomial rest = mod(random(generator, 5), b);
    Gf2Polynomial quotient;
    EXPECT_EQ(mod(a * b ^ rest, b, &quotient), rest);
    EXPECT_EQ(quotient, a);
    EXPECT_EQ(mod(gcd(a * b, b * rest), b), Gf2Polynomial());
  }
}

TEST(Gf2Polynomial, TheInstructionAndTheShiftsMakeOneProduct) {
  if (!has_carryless()) GTEST_SKIP() << "this processor has no PCLMULQDQ";
  std::mt19937_64 generator(2);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t a = generator(), b = generator();
    EXPECT_EQ(carryless_multiply_portable(a, b), carryless_multiply_hardware(a, b));
  }
}

TEST(Gf2Polynomial, IrreducibleByRabinAgreesWithTrialDivision) {
  for_every_isa([] {
    for (uint64_t f = 2; f < 1024; ++f) {
      bool prime = true;
      for (uint64_t d = 2; d < 32 && d < f && prime; ++d)
        prime = !mod(Gf2Polynomial(f), Gf2Polynomial(d)).is_zero();
      EXPECT_EQ(is_irreducible(Gf2Polynomial(f)), prime) << f;
    }
  });
  EXPECT_FALSE(is_irreducible(Gf2Polynomial(1)));
  EXPECT_FALSE(is_irreducible(Gf2Polynomial()));
}

TEST(Gf2Polynomial, Degree45HasNoIrreducibleTrinomial) {
  for (int k = 1; k < 45; ++k) EXPECT_FALSE(is_irreducible(of({45, k, 0}))) << k;
  for (const std::vector<int>& middle :
       std::vector<std::vector<int>>{{4, 3, 1}, {5, 4, 2}, {6, 4, 1}, {8, 7, 1}})
    EXPECT_TRUE(is_primitive(of({45, middle[0], middle[1], middle[2], 0})));
  EXPECT_TRUE(is_irreducible(of({45, 10, 9, 1, 0})));
  EXPECT_FALSE(is_primitive(of({45, 10, 9, 1, 0})));
}

TEST(Gf2Polynomial, OrderAgreesWithCounting) {
  for (uint64_t f = 3; f < 512; f += 2) {
    if (!is_irreducible(Gf2Polynomial(f))) continue;
    uint64_t e = 1;
    for (Gf2Polynomial power = mod(Gf2Polynomial(2), Gf2Polynomial(f)); power != Gf2Polynomial(1);
         ++e)
      power = mod(power << 1, Gf2Polynomial(f));
    EXPECT_EQ(order(Gf2Polynomial(f)), e) << f;
  }
  EXPECT_EQ(order(of({61, 5, 2, 1, 0})), (uint64_t{1} << 61) - 1);  // 2^61 - 1 is prime
}

TEST(Gf2Polynomial, BadInputIsRefused) {
  EXPECT_THROW(mod(Gf2Polynomial(3), Gf2Polynomial()), std::invalid_argument);
  EXPECT_THROW(of({-1}), std::invalid_argument);
  EXPECT_THROW(order(Gf2Polynomial(5)), std::invalid_argument);
  EXPECT_THROW(order(Gf2Polynomial(2)), std::invalid_argument);
  EXPECT_THROW(order(of({65, 18, 0})), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::ecc
