#include <gtest/gtest.h>

#include <random>

#include "ecc/netlist.h"
#include "ecc/netlist_linear.h"
#include "ecc/netlist_simulate.h"

namespace lampyris::ecc {
namespace {

TEST(Netlist, FoldsAndSharesByHand) {
  Netlist net;
  const auto x = net.add_input("x", 3);
  EXPECT_EQ(net.land(x[0], kLow), kLow);
  EXPECT_EQ(net.lor(x[0], kLow), x[0]);
  EXPECT_EQ(net.lxor(x[1], x[1]), kLow);
  EXPECT_EQ(net.lnot(net.lnot(x[2])), x[2]);
  const Signal both = net.land(x[0], x[1]);
  EXPECT_EQ(net.land(x[1], x[0]), both);
  net.open_scope();
  const Signal again = net.land(x[0], x[1]);
  EXPECT_NE(again, both);
  const Signal unused = net.lor(both, again);
  net.add_output("y", {net.lxor(both, net.lxor(again, x[2]))});
  EXPECT_EQ(net.arrival(unused), 4);
  net.sweep();
  EXPECT_EQ(net.count(), (GateCount{2, 2, 0, 0}));
  EXPECT_DOUBLE_EQ(net.count().equivalents(), 2 * 1.33 + 2 * 2.0);
  EXPECT_EQ(to_text(net.depth()), "1TA+2TX");
}

TEST(Netlist, TreesAreAsEarlyAsTheyCanBe) {
  Netlist net;
  const auto x = net.add_input("x", 6);
  const Signal late = net.lxor(net.lxor(x[0], x[1]), x[2]);
  // late arrives after 2 XORs; the other three are one tree of 2, so that all is there after 3.
  net.add_output("y", {net.xor_all({late, x[3], x[4], x[5]})});
  EXPECT_EQ(to_text(net.depth()), "0TA+3TX");
}

TEST(Netlist, SharedMatricesEqualTrees) {
  std::mt19937 random(3);
  for (const int rows : {0, 1, 7, 70}) {
    for (const int columns : {1, 2, 33}) {
      Rows matrix(rows);
      for (auto& row : matrix)
        for (int c = 0; c < columns; ++c)
          if (random() & 1) row.push_back(c);
      Netlist tree, shared;
      const auto x = tree.add_input("x", columns), y = shared.add_input("x", columns);
      tree.add_output("y", linear_map(tree, x, matrix, Sharing::kTree));
      shared.add_output("y", linear_map(shared, y, matrix, Sharing::kCse));
      EXPECT_LE(shared.count().xors, tree.count().xors);
      std::vector<std::vector<Bits>> cases(1);
      for (int i = 0; i < 100; ++i) {
        Bits bits(columns);
        for (auto& bit : bits) bit = random() & 1;
        cases[0].push_back(bits);
      }
      EXPECT_EQ(evaluate(tree, cases), evaluate(shared, cases));
    }
  }
}

TEST(Netlist, FaultsInSimulation) {
  Netlist net;
  const auto x = net.add_input("x", 2);
  const Signal both = net.land(x[0], x[1]);
  net.add_output("y", {net.lnot(both)});
  const std::vector<std::vector<Bits>> cases{{{0, 0}, {1, 1}}};
  const auto run = [&](std::vector<Fault> faults) {
    const auto out = evaluate(net, cases, faults);
    return std::vector<int>{out[0][0][0], out[0][1][0]};
  };
  EXPECT_EQ(run({}), (std::vector<int>{1, 0}));
  EXPECT_EQ(run({{both, FaultKind::kStuckAt0}}), (std::vector<int>{1, 1}));
  EXPECT_EQ(run({{both, FaultKind::kStuckAt1}}), (std::vector<int>{0, 0}));
  EXPECT_EQ(run({{both, FaultKind::kFlip}}), (std::vector<int>{0, 1}));
  EXPECT_EQ(run({{x[0], FaultKind::kFlip}}), (std::vector<int>{1, 1}));
  EXPECT_THROW(run({{kHigh, FaultKind::kFlip}}), std::invalid_argument);
  EXPECT_THROW(run({{99, FaultKind::kFlip}}), std::invalid_argument);
  EXPECT_THROW(run({{both, FaultKind::kFlip}, {both, FaultKind::kFlip}}), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::ecc
