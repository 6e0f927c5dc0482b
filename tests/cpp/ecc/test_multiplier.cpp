// Multipliers of gates against polynomial arithmetic, and decoders of gates against channel errors.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "ecc/netlist_simulate.h"
#include "ecc/protect.h"

namespace lampyris::ecc {
namespace {

Gf2Polynomial field(std::vector<int> exponents) { return Gf2Polynomial::from_exponents(exponents); }
const std::vector<int> kField45{45, 4, 3, 1, 0};

Bits random_bits(int count, std::mt19937_64& random) {
  Bits bits(count);
  for (auto& bit : bits) bit = random() & 1;
  return bits;
}

Gf2Polynomial to_polynomial(const Bits& bits) {
  Gf2Polynomial p;
  for (size_t i = 0; i < bits.size(); ++i)
    if (bits[i]) p.flip(static_cast<int>(i));
  return p;
}

Bits product(const Bits& a, const Bits& b, const Gf2Polynomial& f) {
  const Gf2Polynomial c = multiply_mod(to_polynomial(a), to_polynomial(b), f);
  Bits bits(f.degree());
  for (int i = 0; i < f.degree(); ++i) bits[i] = c.coefficient(i);
  return bits;
}

// Wrong products among `cases` with 0..errors flipped bits of (product, parity).
int wrong_products(MultiplierSpec spec, int errors, int cases = 256) {
  spec.error_inputs = errors > 0;
  const ProtectedMultiplier design = build_multiplier(spec);
  const int m = spec.f.degree(), r = design.parity_bits;
  std::mt19937_64 random(1);
  std::vector<std::vector<Bits>> in(errors > 0 ? 4 : 2);
  for (int i = 0; i < cases; ++i) {
    in[0].push_back(random_bits(m, random));
    in[1].push_back(random_bits(m, random));
    if (errors == 0) continue;
    Bits word(m + r);
    for (int left = static_cast<int>(random() % (errors + 1)); left > 0;) {
      auto& bit = word[random() % word.size()];
      left -= !bit;
      bit = 1;
    }
    in[2].emplace_back(word.begin(), word.begin() + m);
    in[3].emplace_back(word.begin() + m, word.end());
  }
  const auto out = evaluate(design.net, in);
  int wrong = 0;
  for (int i = 0; i < cases; ++i) wrong += out[0][i] != product(in[0][i], in[1][i], spec.f);
  return wrong;
}

TEST(Multiplier, AllProductsOfSmallFields) {
  for (const auto& exponents : {std::vector<int>{2, 1, 0}, {3, 1, 0}, {4, 1, 0}, {5, 2, 0}}) {
    for (const Form form : {Form::kTwoStep, Form::kMastrovito, Form::kIsolated}) {
      MultiplierSpec spec{field(exponents)};
      spec.form = form;
      const ProtectedMultiplier design = build_multiplier(spec);
      const int m = spec.f.degree(), n = 1 << m;
      std::vector<std::vector<Bits>> in(2);
      for (int i = 0; i < n * n; ++i)
        for (int k = 0; k < 2; ++k) {
          Bits bits(m);
          for (int j = 0; j < m; ++j) bits[j] = (k ? i / n : i % n) >> j & 1;
          in[k].push_back(bits);
        }
      const auto out = evaluate(design.net, in);
      for (int i = 0; i < n * n; ++i) EXPECT_EQ(out[0][i], product(in[0][i], in[1][i], spec.f));
    }
  }
}

TEST(Multiplier, CountsOfTheFormulas) {
  struct Row {
    std::vector<int> exponents;
    int64_t ands, xors;  // m^2; m^2 - 1 for trinomials, m^2 + 2m - 3 for pentanomials
  };
  for (const Row& row : {Row{{15, 1, 0}, 225, 224}, Row{{45, 4, 3, 1, 0}, 2025, 2112},
                         Row{{163, 7, 6, 3, 0}, 26569, 26892}, Row{{233, 74, 0}, 54289, 54288}}) {
    MultiplierSpec spec{field(row.exponents)};
    const GateCount shared = build_multiplier(spec).net.count();
    EXPECT_EQ(shared.ands, row.ands);
    EXPECT_LE(shared.xors, row.xors);
  }
  MultiplierSpec spec{field(kField45)};
  spec.sharing = Sharing::kTree;
  const ProtectedMultiplier design = build_multiplier(spec);
  EXPECT_EQ(design.net.count(), (GateCount{2025, 2112, 0, 0}));
  EXPECT_EQ(to_text(design.net.depth()), "1TA+9TX");
}

TEST(Multiplier, WideFields) {
  for (const auto& exponents : {std::vector<int>{163, 7, 6, 3, 0}, {571, 10, 5, 2, 0}})
    EXPECT_EQ(wrong_products({field(exponents)}, 0, 64), 0);
  MultiplierSpec spec{field({163, 7, 6, 3, 0})};
  spec.protection = Protection::kBch, spec.t = 3;
  EXPECT_EQ(wrong_products(spec, 3, 64), 0);
}

TEST(Multiplier, IsolatedConesChangeOneOutput) {
  MultiplierSpec spec{field({15, 1, 0})};
  spec.form = Form::kIsolated;
  const Netlist net = build_multiplier(spec).net;
  std::mt19937_64 random(2);
  const std::vector<std::vector<Bits>> in{{random_bits(15, random)}, {random_bits(15, random)}};
  const auto right = evaluate(net, in)[0][0];
  for (const Signal gate : net.gates()) {
    const std::array<Fault, 1> fault{{{gate, FaultKind::kFlip}}};
    const auto wrong = evaluate(net, in, fault)[0][0];
    int differ = 0;
    for (int i = 0; i < 15; ++i) differ += wrong[i] != right[i];
    EXPECT_LE(differ, 1);
  }
}

class Bch : public testing::TestWithParam<int> {};

TEST_P(Bch, CorrectsUpToTErrors) {
  MultiplierSpec spec{field(kField45)};
  spec.protection = Protection::kBch, spec.t = GetParam();
  for (const Sharing sharing : {Sharing::kTree, Sharing::kCse})
    for (const LocatorForm locator : {LocatorForm::kFlat, LocatorForm::kBrs})
      for (const Mode mode : {Mode::kCorrect, Mode::kBypass}) {
        spec.sharing = sharing, spec.locator = locator, spec.mode = mode;
        EXPECT_EQ(wrong_products(spec, spec.t), 0);
      }
  spec.sharing = Sharing::kTree;
  for (const Predictor predictor : {Predictor::kLin, Predictor::kIso}) {
    spec.predictor = predictor;
    EXPECT_EQ(wrong_products(spec, spec.t), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Multiplier, Bch, testing::Values(1, 2, 3, 4, 5));

TEST(Multiplier, EveryPatternOfTheClassicExample) {
  // GF(2^5), x^5 + x^2 + 1 with BCH(15,5,3): all patterns of up to 3 of 15 bits.
  MultiplierSpec spec{field({5, 2, 0})};
  spec.protection = Protection::kBch, spec.t = 3, spec.error_inputs = true;
  const ProtectedMultiplier design = build_multiplier(spec);
  ASSERT_EQ(design.parity_bits, 10);
  std::mt19937_64 random(4);
  std::vector<std::vector<Bits>> in(4);
  for (uint32_t pattern = 0; pattern < 1u << 15; ++pattern) {
    if (__builtin_popcount(pattern) > 3) continue;
    in[0].push_back(random_bits(5, random)), in[1].push_back(random_bits(5, random));
    Bits c(5), p(10);
    for (int i = 0; i < 15; ++i) (i < 5 ? c[i] : p[i - 5]) = pattern >> i & 1;
    in[2].push_back(c), in[3].push_back(p);
  }
  ASSERT_EQ(in[0].size(), 1u + 15 + 105 + 455);
  const auto out = evaluate(design.net, in);
  for (size_t i = 0; i < in[0].size(); ++i)
    EXPECT_EQ(out[0][i], product(in[0][i], in[1][i], spec.f));
}

TEST(Multiplier, BaselinesCorrectOneError) {
  for (const Protection protection :
       {Protection::kHamming, Protection::kCross, Protection::kLdpc}) {
    MultiplierSpec spec{field(kField45)};
    spec.protection = protection;
    EXPECT_EQ(wrong_products(spec, 1), 0);
  }
  MultiplierSpec spec{field(kField45)};
  spec.protection = Protection::kTmr;
  EXPECT_EQ(wrong_products(spec, 0), 0);
}

TEST(Multiplier, LdpcIsRegularWithoutShortCycles) {
  const CheckedCode code = ldpc_code(45);
  const int n = 45 + code.code.parity_bits();
  std::vector<std::vector<int>> columns(n);
  for (size_t j = 0; j < code.checks.size(); ++j) {
    EXPECT_EQ(code.checks[j].size(), code.checks[0].size());
    for (const int c : code.checks[j]) columns[c].push_back(static_cast<int>(j));
  }
  for (int a = 0; a < n; ++a) {
    EXPECT_EQ(columns[a].size(), 3u);
    for (int b = 0; b < a; ++b) {
      int common = 0;
      for (const int j : columns[a])
        common += std::count(columns[b].begin(), columns[b].end(), j) > 0;
      EXPECT_LE(common, 1);
    }
  }
}

TEST(Multiplier, GeneratorsOfTheTable) {
  // octal 103, 12471, 1701317, 3447023271, 624730022327
  const uint64_t want[] = {0103, 012471, 01701317, 03447023271, 0624730022327};
  for (int t = 1; t <= 5; ++t) EXPECT_EQ(bch_shape(45, t).generator, Gf2Polynomial(want[t - 1]));
}

TEST(Multiplier, Refusals) {
  MultiplierSpec spec{field({4, 2, 0})};
  EXPECT_THROW(build_multiplier(spec), std::invalid_argument);
  spec.f = field({4, 1, 0}), spec.protection = Protection::kBch, spec.t = 6;
  EXPECT_THROW(build_multiplier(spec), std::invalid_argument);
  spec.t = 1, spec.protection = Protection::kSignature;
  EXPECT_THROW(build_multiplier(spec), std::invalid_argument);
  spec.protection = Protection::kTmr, spec.mode = Mode::kVerify;
  EXPECT_THROW(build_multiplier(spec), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::ecc
