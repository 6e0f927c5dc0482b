#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

#include "cpu/parallel.h"
#include "graph/betweenness.h"
#include "graph/effective_size.h"

namespace lampyris {
namespace {

SimpleGraph graph_of(const std::vector<std::pair<int64_t, int64_t>>& edges, int64_t nodes,
                     bool directed = false) {
  std::vector<int64_t> source, target;
  for (const auto& [from, to] : edges) {
    source.push_back(from);
    target.push_back(to);
  }
  return simple_graph("test", source.data(), target.data(), static_cast<int64_t>(edges.size()),
                      nodes, directed);
}

std::vector<double> betweenness_of(const SimpleGraph& graph) {
  std::vector<double> out(static_cast<size_t>(graph.nodes()));
  betweenness(graph, out.data());
  return out;
}

TEST(SimpleGraph, DropsLoopsAndRepeats) {
  const SimpleGraph both = graph_of({{2, 0}, {0, 2}, {0, 1}, {1, 1}, {0, 1}}, 4);
  EXPECT_EQ(both.row_ptr, (std::vector<int64_t>{0, 2, 3, 4, 4}));
  EXPECT_EQ(both.col, (std::vector<int32_t>{1, 2, 0, 0}));
  const SimpleGraph one_way = graph_of({{2, 0}, {0, 1}, {1, 1}, {0, 1}}, 3, true);
  EXPECT_EQ(one_way.row_ptr, (std::vector<int64_t>{0, 1, 1, 2}));
  EXPECT_EQ(one_way.col, (std::vector<int32_t>{1, 0}));
}

TEST(SimpleGraph, NamesTheWrongEnd) {
  try {
    graph_of({{0, 1}, {1, 4}}, 4);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "test: edge_index[1] must be in [0, 4), got 4 at [1]");
  }
  EXPECT_THROW(graph_of({{-1, 0}}, 1), std::invalid_argument);
  EXPECT_THROW(graph_of({{0, 0}}, 0), std::invalid_argument);
}

// Path 0 - 1 - 2 - 3: node 1 lies between 0-2, 0-3; two ordered pairs each.
TEST(Betweenness, OfAPath) {
  EXPECT_EQ(betweenness_of(graph_of({{0, 1}, {1, 2}, {2, 3}}, 4)),
            (std::vector<double>{0, 4, 4, 0}));
  EXPECT_EQ(betweenness_of(graph_of({{0, 1}, {1, 2}, {2, 3}}, 4, true)),
            (std::vector<double>{0, 2, 2, 0}));
}

// Square: opposite corners have two shortest paths, half through each other corner.
TEST(Betweenness, SharesAmongShortestPaths) {
  EXPECT_EQ(betweenness_of(graph_of({{0, 1}, {1, 2}, {2, 3}, {3, 0}}, 4)),
            (std::vector<double>{1, 1, 1, 1}));
}

TEST(Betweenness, OfNothingAndOfIslands) {
  EXPECT_TRUE(betweenness_of(graph_of({}, 0)).empty());
  EXPECT_EQ(betweenness_of(graph_of({}, 1)), std::vector<double>{0});
  EXPECT_EQ(betweenness_of(graph_of({{0, 1}, {2, 3}, {3, 4}}, 6)),
            (std::vector<double>{0, 0, 0, 2, 0, 0}));
}

// 1,100 squares in a row: 2^1100 shortest paths from end to end do not fit a double.
TEST(Betweenness, RefusesMorePathsThanDoubleHolds) {
  const auto chain = [](int64_t squares) {
    std::vector<std::pair<int64_t, int64_t>> edges;
    for (int64_t i = 0; i < squares; ++i) {
      for (int64_t middle : {3 * i + 1, 3 * i + 2}) {
        edges.push_back({3 * i, middle});
        edges.push_back({middle, 3 * i + 3});
      }
    }
    return graph_of(edges, 3 * squares + 1);
  };
  EXPECT_TRUE(std::isfinite(betweenness_of(chain(900))[1500]));
  EXPECT_THROW(betweenness_of(chain(1100)), std::invalid_argument);
}

TEST(Betweenness, HasEqualBitsForAnyThreads) {
  std::mt19937 random(0);
  std::vector<std::pair<int64_t, int64_t>> edges;
  for (int e = 0; e < 900; ++e) edges.push_back({random() % 300, random() % 300});
  const SimpleGraph graph = graph_of(edges, 300);
  const int before = threads();
  set_threads(1);
  const std::vector<double> one = betweenness_of(graph);
  set_threads(3);
  const std::vector<double> three = betweenness_of(graph);
  set_threads(before);
  EXPECT_EQ(one, three);
}

// Node 2 of a triangle with a tail: 3 neighbours, one edge among them.
TEST(EffectiveSize, OfATriangleWithATail) {
  const SimpleGraph graph = graph_of({{0, 1}, {1, 2}, {2, 0}, {2, 3}}, 5);
  std::vector<double> out(5);
  effective_size(graph, out.data());
  EXPECT_EQ(out[0], 1);
  EXPECT_EQ(out[2], 3 - 2.0 / 3);
  EXPECT_EQ(out[3], 1);
  EXPECT_TRUE(std::isnan(out[4]));
}

}  // namespace
}  // namespace lampyris
