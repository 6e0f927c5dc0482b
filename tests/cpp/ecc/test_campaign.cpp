#include <gtest/gtest.h>

#include <random>

#include "ecc/campaign.h"
#include "ecc/protect.h"

namespace lampyris::ecc {
namespace {

MultiplierSpec spec_of(std::vector<int> exponents) {
  MultiplierSpec spec;
  spec.f = Gf2Polynomial::from_exponents(exponents);
  return spec;
}

Outcome total(const std::vector<Outcome>& all) {
  Outcome sum;
  for (const Outcome& one : all) sum += one;
  return sum;
}

TEST(Campaign, ByHand) {
  // c = a b of GF(2^2): c0 = a0 b0 + a1 b1, c1 = a0 b1 + a1 b0 + a1 b1.
  const Netlist net = build_multiplier(spec_of({2, 1, 0})).net;
  const auto sets = single_faults(net, FaultKind::kFlip);
  ASSERT_EQ(sets.size(), 7u);
  const auto outcomes = run_campaign(net, sets, 100, 1);
  for (const Outcome& o : outcomes) EXPECT_EQ(o, (Outcome{0, 0, 0, 0, 100}));
  // A gate stuck at its value does nothing, at the other one is a flip: together all products.
  const auto low = run_campaign(net, single_faults(net, FaultKind::kStuckAt0), 1000, 1);
  const auto high = run_campaign(net, single_faults(net, FaultKind::kStuckAt1), 1000, 1);
  for (size_t i = 0; i < sets.size(); ++i) {
    EXPECT_EQ(low[i].silent + high[i].silent, 1000);
    EXPECT_EQ(low[i].masked, high[i].silent);
  }
}

TEST(Campaign, EqualsSimulationOneByOne) {
  MultiplierSpec spec = spec_of({7, 1, 0});
  spec.protection = Protection::kBch, spec.t = 2, spec.mode = Mode::kVerify;
  const Netlist net = build_multiplier(spec).net;
  auto sets = sampled_faults(net, 3, 20, 5);
  constexpr int kProducts = 70;  // more than a word, less than a block
  const auto outcomes = run_campaign(net, sets, kProducts, 9);
  const size_t words = 16, nodes = net.nodes().size();
  // The same operands: one word of each input node after the other.
  std::mt19937_64 random(9);
  std::vector<uint64_t> right(nodes * words);
  for (const Port& port : net.inputs())
    for (const Signal s : port.bits)
      for (size_t w = 0; w < words; ++w) right[s * words + w] = random();
  const std::vector<uint64_t> inputs = right;
  simulate(net, {}, words, right);
  for (size_t i = 0; i < sets.size(); ++i) {
    std::vector<uint64_t> values = inputs;
    simulate(net, sets[i], words, values);
    Outcome want;
    for (int c = 0; c < kProducts; ++c) {
      const auto differs = [&](const std::vector<Signal>& bits) {
        for (const Signal s : bits)
          if ((values[s * words + c / 64] ^ right[s * words + c / 64]) >> c % 64 & 1) return true;
        return false;
      };
      const bool wrong = differs(net.output("c").bits), error = differs(net.output("error").bits);
      want.detected += error, want.alarms += error && !wrong;
      want.silent += !error && wrong;
      want.corrected += !error && !wrong && differs(net.watched());
      want.masked += !error && !wrong && !differs(net.watched());
    }
    EXPECT_EQ(outcomes[i], want);
  }
}

TEST(Campaign, TwoBitsTellEverySingleFault) {
  for (const auto& exponents : {std::vector<int>{8, 4, 3, 1, 0}, {45, 4, 3, 1, 0}}) {
    MultiplierSpec spec = spec_of(exponents);
    spec.protection = Protection::kSignature, spec.mode = Mode::kDetect;
    spec.predictor = Predictor::kLin;
    const ProtectedMultiplier design = build_multiplier(spec);
    EXPECT_EQ(design.parity_bits, 2);
    for (const FaultKind kind : {FaultKind::kFlip, FaultKind::kStuckAt0, FaultKind::kStuckAt1})
      EXPECT_EQ(total(run_campaign(design.net, single_faults(design.net, kind), 300, 2)).silent, 0);
  }
}

TEST(Campaign, VotersAreTheWeakSpotOfThreeCopies) {
  MultiplierSpec spec = spec_of({8, 4, 3, 1, 0});
  spec.protection = Protection::kTmr;
  const Netlist net = build_multiplier(spec).net;
  const auto sets = single_faults(net, FaultKind::kFlip);
  const auto outcomes = run_campaign(net, sets, 200, 3);
  for (size_t i = 0; i < sets.size(); ++i) {
    const bool voter = net.nodes()[sets[i][0].node].part == Part::kCorrection;
    if (!voter) EXPECT_EQ(outcomes[i].silent, 0);
  }
  EXPECT_GT(total(outcomes).silent, 0);
}

TEST(Campaign, Refusals) {
  const Netlist net = build_multiplier(spec_of({2, 1, 0})).net;
  EXPECT_THROW(run_campaign(net, {{}}, 10, 0), std::invalid_argument);
  EXPECT_THROW(run_campaign(net, single_faults(net, FaultKind::kFlip), 0, 0),
               std::invalid_argument);
  EXPECT_THROW(sampled_faults(net, 8, 1, 0), std::invalid_argument);
  EXPECT_EQ(run_campaign(net, {}, 10, 0).size(), 0u);
}

}  // namespace
}  // namespace lampyris::ecc
