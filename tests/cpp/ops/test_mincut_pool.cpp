#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "cpu/every_isa.h"
#include "ops/mincut_pool/mincut_pool.h"
#include "ops/mincut_pool/mincut_pool_entry.h"
#include "ops/mincut_pool/mincut_pool_team.h"
#include "ops/thread_team.h"

namespace lampyris {
namespace {

using Int64s = std::vector<int64_t>;

std::vector<float> random_values(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(static_cast<size_t>(count));
  for (float& value : out) value = normal(random);
  return out;
}

// A graph of `nodes` nodes in which row i hears from i + 1, i + 3 and i * 7 (around the end).
struct Ring {
  explicit Ring(int64_t nodes) : row_ptr{0} {
    for (int64_t i = 0; i < nodes; ++i) {
      for (const int64_t j : {i + 1, i + 3, i * 7}) col.push_back(j % nodes);
      row_ptr.push_back(static_cast<int64_t>(col.size()));
    }
  }
  Csr csr() const {
    const auto nodes = static_cast<int64_t>(row_ptr.size()) - 1;
    return {nodes, static_cast<int64_t>(col.size()), nodes, row_ptr.data(), col.data()};
  }
  Int64s row_ptr, col;
};

// Sums of rows [begin, end): what mincut_sum_tile must give.
std::vector<double> plain_product(const MincutProduct<float>& p, int64_t begin, int64_t end) {
  std::vector<double> out(static_cast<size_t>(p.clusters * p.columns));
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t k = 0; k < p.clusters; ++k) {
      for (int64_t c = 0; c < p.columns; ++c) {
        const float value = p.values == nullptr ? 1.0F : p.values[i * p.columns + c];
        out[static_cast<size_t>(k * p.columns + c)] += double{p.s[i * p.clusters + k]} * double{value};
      }
    }
  }
  return out;
}

class MincutTeam : public testing::TestWithParam<std::tuple<int64_t, int64_t, int64_t, int64_t>> {};

TEST_P(MincutTeam, TilesAddUpToTheProduct) {
  const auto [lanes, rows, clusters, columns] = GetParam();
  const auto s = random_values(rows * clusters, 1), values = random_values(rows * columns, 2);
  for (const float* each : {values.data(), static_cast<const float*>(nullptr)}) {
    const MincutProduct<float> p{s.data(), each, clusters, columns, 0};
    std::vector<float> out(static_cast<size_t>(clusters * columns), -1.0F);
    std::vector<float> shared(static_cast<size_t>(kMincutShared), 7.0F);
    const int64_t begin = rows / 5;
    const auto all = [&](const auto& team) {
      for (int64_t tile = 0; tile < p.tiles(); ++tile) {
        mincut_sum_tile(team, p, tile, begin, rows, shared.data(), out.data());
      }
    };
    if (lanes == 1) {
      all(SerialTeam{});
    } else {
      run_team(lanes, all);
    }
    const auto expected = plain_product(p, begin, rows);
    // float32 sums of up to 70 products of order 1
    for (size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], expected[i], 1e-4) << i;
  }
}

TEST_P(MincutTeam, TotalsAddUp) {
  const auto [lanes, rows, clusters, columns] = GetParam();
  const auto s = random_values(rows * clusters, 3), terms = random_values(rows * clusters, 4);
  const auto degree = random_values(rows, 5);
  const int64_t begin = rows / 3;
  double squares = 0, degrees = 0, variation = 0;
  for (int64_t i = begin; i < rows; ++i) {
    degrees += double{degree[static_cast<size_t>(i)]};
    for (int64_t k = 0; k < clusters; ++k) {
      const auto at = static_cast<size_t>(i * clusters + k);
      squares += double{degree[static_cast<size_t>(i)]} * double{s[at]} * double{s[at]};
      variation += double{terms[at]};
    }
  }
  for (const bool with_terms : {false, true}) {
    float out[3] = {-1, -1, -1};
    const auto sum = [&](const auto& team) {
      mincut_sum_totals(team, s.data(), degree.data(), with_terms ? terms.data() : nullptr, clusters,
                        begin, rows, out);
    };
    if (lanes == 1) {
      sum(SerialTeam{});
    } else {
      run_team(lanes, sum);
    }
    EXPECT_NEAR(out[0], squares, 1e-4);  // rounded to float once
    EXPECT_NEAR(out[1], degrees, 1e-4);
    EXPECT_NEAR(out[2], with_terms ? variation : 0.0, 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, MincutTeam,
    testing::Values(std::tuple{1, 70, 5, 3}, std::tuple{1, 33, 16, 16}, std::tuple{1, 0, 4, 2},
                    std::tuple{3, 70, 17, 20}, std::tuple{4, 31, 1, 1}, std::tuple{8, 64, 20, 33}));

TEST(MincutPool, BoundsOfAnyPointersStayInside) {
  const Int64s extremes = {-(int64_t{1} << 62), -1, 0, 3, 600, 1000, 1001, int64_t{1} << 62};
  std::mt19937 random(0);
  for (int round = 0; round < 2000; ++round) {
    const int64_t graphs = 1 + static_cast<int64_t>(random() % 4), nodes = 1000, rows = 512;
    Int64s ptr, bounds(static_cast<size_t>(graphs) + 1), tasks(bounds.size());
    for (int64_t g = 0; g <= graphs; ++g) ptr.push_back(extremes[random() % extremes.size()]);
    mincut_bounds(ptr.data(), graphs, nodes, rows, bounds.data(), tasks.data());
    EXPECT_EQ(bounds[0], 0);
    for (size_t g = 1; g < bounds.size(); ++g) {
      EXPECT_LE(bounds[g - 1], bounds[g]);
      EXPECT_EQ(tasks[g] - tasks[g - 1],
                (bounds[g] - bounds[g - 1] + rows - 1) / rows);
    }
    EXPECT_LE(bounds.back(), nodes);
    EXPECT_LE(tasks.back(), mincut_cuda_tasks(nodes, graphs, rows));
  }
  Int64s bounds(4), tasks(4);
  const Int64s good = {0, 600, 600, 1000};
  mincut_bounds(good.data(), 3, 1000, 512, bounds.data(), tasks.data());
  EXPECT_EQ(bounds, good);
  EXPECT_EQ(tasks, (Int64s{0, 2, 2, 3}));
  EXPECT_EQ(mincut_part(bounds.data(), 3, 599), 0);
  EXPECT_EQ(mincut_part(bounds.data(), 3, 600), 2);
  EXPECT_EQ(mincut_part(bounds.data(), 3, 1000), -1);
  EXPECT_EQ(mincut_part(bounds.data(), 3, -1), -1);
}

TEST(MincutPool, EdgesOfARowAreCut) {
  const Int64s row_ptr = {-5, 3, 99, 2}, col(4);
  const Csr rows{3, 4, 3, row_ptr.data(), col.data()};
  EXPECT_EQ(MincutEdges(rows, 0).begin, 0);
  EXPECT_EQ(MincutEdges(rows, 1).end, 4);
  EXPECT_GE(MincutEdges(rows, 2).begin, MincutEdges(rows, 2).end);  // no edge
}

TEST(MincutPool, TasksCoverEveryGraph) {
  const Int64s ptr = {0, 512, 512, 1025};
  const auto tasks = mincut_tasks(ptr.data(), 3, 512);
  ASSERT_EQ(tasks.size(), 3U);
  EXPECT_EQ(tasks[0].end, 512);
  EXPECT_EQ(tasks[1].graph, 2);
  EXPECT_EQ(tasks[1].end, 1024);
  EXPECT_EQ(tasks[2].begin, 1024);
}

TEST(MincutPool, SumsOfAllTasksTakeNoMoreThanTheAssignment) {
  for (const int64_t clusters : {1, 64, 300, 2000}) {
    for (const int64_t features : {0, 64, 1500}) {
      const int64_t rows = mincut_task_rows(clusters, features);
      EXPECT_LE(clusters * (2 * clusters + features), rows * clusters);
      EXPECT_EQ(rows % 512, 0);
    }
  }
  EXPECT_EQ(mincut_task_rows(64, 64), 512);
}

TEST(MincutPool, TurnedRoundTwiceIsTheSameGraph) {
  const Ring ring(50);
  const CsrBack back = turned_round(ring.csr());
  for (int64_t i = 0; i < 50; ++i) {
    for (int64_t e = back.row_ptr[static_cast<size_t>(i)]; e < back.row_ptr[static_cast<size_t>(i) + 1]; ++e) {
      const auto edge = static_cast<size_t>(back.edge[static_cast<size_t>(e)]);
      const auto row = static_cast<size_t>(back.col[static_cast<size_t>(e)]);
      EXPECT_EQ(ring.col[edge], i);
      EXPECT_LE(ring.row_ptr[row], static_cast<int64_t>(edge));
      EXPECT_GT(ring.row_ptr[row + 1], static_cast<int64_t>(edge));
    }
  }
}

TEST(MincutPool, SymmetryIsSeenAndNeverInvented) {
  // 0 - 1 - 2, rows sorted and not.
  const Int64s row_ptr = {0, 1, 3, 4};
  for (const Int64s& col : {Int64s{1, 0, 2, 1}, Int64s{1, 2, 0, 1}}) {
    const Csr rows{3, 4, 3, row_ptr.data(), col.data()};
    const CsrBack back = turned_round(rows);
    const float* const none = nullptr;
    EXPECT_TRUE(mincut_is_symmetric(rows, back, none));
    const bool sorted = col[1] == 0;
    const std::vector<float> same = sorted ? std::vector<float>{2, 2, 3, 3} : std::vector<float>{2, 3, 2, 3};
    std::vector<float> other = same;
    other[0] = 1;
    EXPECT_TRUE(mincut_is_symmetric(rows, back, same.data()));
    EXPECT_FALSE(mincut_is_symmetric(rows, back, other.data()));
    other[0] = std::nanf("");
    EXPECT_FALSE(mincut_is_symmetric(rows, back, other.data()));
  }
  const Ring ring(50);
  const float* const none = nullptr;
  EXPECT_FALSE(mincut_is_symmetric(ring.csr(), turned_round(ring.csr()), none));
}

TEST(MincutPool, RankCountsFromAbove) {
  const std::vector<float> s = {1, 9, 5, 5, 3, NAN};  // [3, 2]
  const Int64s ptr = {0, 0, 3};
  Int64s place(4);
  mincut_quantile_columns(s.data(), 2, ptr.data(), 3, 0, 4, place.data());
  EXPECT_EQ(place, (Int64s{3, 3, 2, 0}));  // rank 1 of 1 5 3 and of 9 5 NaN; 3 stands for none
}

TEST(MincutPool, SoftmaxRow) {
  const std::vector<float> logits = {0, -std::numeric_limits<float>::infinity(), 1, -200};
  std::vector<float> soft(4);
  mincut_softmax_row(logits.data(), 4, 2.0F, soft.data());
  EXPECT_FLOAT_EQ(soft[0], 1 / (1 + std::exp(2.0F)));
  EXPECT_EQ(soft[1], 0);
  EXPECT_EQ(soft[3], 0);
  const std::vector<float> ties = {1, 3, 3, NAN};
  EXPECT_EQ(mincut_hardest(ties.data(), 3), 1);
  EXPECT_EQ(mincut_hardest(ties.data(), 4), 3);
}

// Every instruction set against double, at widths around those of the vectors.
TEST(MincutPool, InstructionSetsAgree) {
  constexpr int64_t kNodes = 90;
  const Ring ring(kNodes);
  for (const int64_t clusters : {1, 7, 8, 16, 31, 70}) {
    const int64_t features = clusters + 2, entries = kNodes * clusters;
    const auto logits = random_values(entries, 8), x = random_values(kNodes * features, 9);
    const std::vector<double> logits_wide(logits.begin(), logits.end()), x_wide(x.begin(), x.end());
    const auto run = [&]<typename T>(const T* l, const T* features_of) {
      std::vector<T> s(static_cast<size_t>(entries)), y(s), signs(s), degree(kNodes);
      MincutForward<T> a;
      a.rows = ring.csr();
      a.clusters = clusters;
      a.features = features;
      a.logits = l;
      a.x = features_of;
      a.s = a.soft = s.data();
      a.y = y.data();
      a.signs = signs.data();
      a.degree = degree.data();
      std::vector<T> sums(static_cast<size_t>(MincutSums{clusters, features}.size()));
      mincut_softmax_rows(a, 0, kNodes);
      mincut_products_task(a, {0, 0, kNodes}, sums.data());
      sums.insert(sums.end(), y.begin(), y.end());
      return sums;
    };
    const auto expected = run(logits_wide.data(), x_wide.data());
    for_every_isa([&] {
      const auto ours = run(logits.data(), x.data());
      for (size_t i = 0; i < ours.size(); ++i) {
        // 90 terms in float32
        EXPECT_NEAR(ours[i], expected[i], 2e-4 * (1 + std::fabs(expected[i]))) << clusters << " " << i;
      }
    });
  }
}

}  // namespace
}  // namespace lampyris
