#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "ops/goat_aggregate/goat_aggregate.h"
#include "ops/goat_aggregate/goat_aggregate_team.h"
#include "ops/thread_team.h"

namespace lampyris {
namespace {

const GoatCell kCells[] = {GoatCell::kLstm, GoatCell::kGru, GoatCell::kScan, GoatCell::kLif};

std::vector<float> random_values(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.7F);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& v : out) v = normal(random);
  return out;
}

// Rows of degrees 0, 1, 2, ... and a hub; every second row of the order reversed.
struct Graph {
  std::vector<int64_t> row_ptr{0}, col;
  std::vector<int32_t> order;

  Graph(int64_t rows, int64_t sources, int64_t heads) {
    std::mt19937 random(1);
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t degree = i == rows / 2 ? 150 : i % 7;
      for (int64_t e = 0; e < degree; ++e) {
        col.push_back(static_cast<int64_t>(random() % static_cast<unsigned>(sources)));
      }
      row_ptr.push_back(static_cast<int64_t>(col.size()));
    }
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t e = row_ptr[i]; e < row_ptr[i + 1]; ++e) {
          order.push_back(static_cast<int32_t>(i % 2 ? row_ptr[i] + row_ptr[i + 1] - 1 - e : e));
        }
      }
    }
  }

  Csr csr(int64_t sources) const {
    return {static_cast<int64_t>(row_ptr.size()) - 1, static_cast<int64_t>(col.size()), sources,
            row_ptr.data(), col.data()};
  }
};

// A call with everything it reads and writes.
struct Job {
  static constexpr int64_t kSources = 23, kHeads = 2;
  Graph graph{20, kSources, kHeads};
  GoatCell cell;
  int64_t hidden, width, edges;
  std::vector<float> p, factor, weight, weight_t, bias, grad, out, states, grad_factor, grad_p;
  std::vector<int32_t> steps;
  std::vector<double> grad_weight, grad_bias;

  Job(GoatCell kind, int64_t h)
      : cell(kind), hidden(h), width(goat_gates(kind) * h), edges(graph.csr(kSources).edges),
        p(random_values(kSources * kHeads * width, 2)), factor(random_values(edges * kHeads, 3)),
        weight(random_values(kHeads * width * h, 4)), weight_t(weight.size()),
        bias(random_values(kHeads * width, 5)), grad(random_values(20 * kHeads * h, 6)),
        out(grad.size()), states(static_cast<size_t>(kHeads * edges * goat_saved(kind) * h)),
        grad_factor(factor.size()), grad_p(p.size()), steps(20 * kHeads),
        grad_weight(weight.size()), grad_bias(bias.size()) {
    for (int64_t i = 0; i < kHeads; ++i) {
      for (int64_t q = 0; q < width; ++q) {
        for (int64_t k = 0; k < h; ++k) {
          weight_t[static_cast<size_t>((i * h + k) * width + q)] =
              weight[static_cast<size_t>((i * width + q) * h + k)];
        }
      }
    }
  }

  bool recurrent() const { return cell == GoatCell::kLstm || cell == GoatCell::kGru; }

  GoatInput<float> input() const {
    GoatInput<float> a;
    a.csr = graph.csr(kSources);
    a.cell = cell;
    a.heads = kHeads;
    a.hidden = hidden;
    a.order = graph.order.data();
    a.p = p.data();
    a.factor = factor.data();
    a.weight = recurrent() ? weight.data() : nullptr;
    a.bias = bias.data();
    a.decay = 0.5F;
    a.threshold = 0.6F;
    a.early_exit = cell == GoatCell::kLif;
    return a;
  }

  GoatForward<float> forward() { return {input(), out.data(), states.data(), steps.data()}; }
  GoatBackward<float> backward() {
    return {input(), grad.data(), states.data(), steps.data(), grad_factor.data()};
  }

  void run() {
    for (int64_t head = 0; head < kHeads; ++head) {
      for (int64_t begin = 0; begin < 20; begin += 7) {
        goat_forward_rows(forward(), head, begin, std::min<int64_t>(begin + 7, 20));
      }
      const GoatSums<float> sums{grad_p.data(), grad_weight.data() + head * width * hidden,
                                 grad_bias.data() + head * width};
      goat_backward_rows(backward(), sums, head, 0, 20);
    }
  }
};

// Finite values agree to `tolerance`; NaN, which a stopped neuron saves, agrees with NaN. A stopped row
// leaves states unwritten: 0 in both.
void expect_near(const std::vector<float>& a, const std::vector<float>& b, float tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(b[i])) {
      ASSERT_TRUE(std::isnan(a[i])) << i;
    } else {
      ASSERT_NEAR(a[i], b[i], tolerance) << i;
    }
  }
}

TEST(GoatAggregate, ActivationsAreNearTheLibrarys) {
  for (float x = -90; x < 90; x += 0.0137F) {
    const double sigmoid = 1 / (1 + std::exp(-static_cast<double>(x)));
    const double squashed = std::tanh(static_cast<double>(x));
    // 3 units in the last place of float32; below exp(-87) sigmoid stays at exp(-87).
    const double unit = 3 * 1.2e-7;
    EXPECT_NEAR(sigmoid_of(x), sigmoid, x < -86 ? 1e-37 : unit * sigmoid) << x;
    EXPECT_NEAR(tanh_of(x), squashed, unit * std::fabs(squashed)) << x;
    EXPECT_NEAR(tanh_of(x / 1000), std::tanh(static_cast<double>(x / 1000)),
                unit * std::fabs(x / 1000));
    const auto wide = static_cast<double>(x);
    EXPECT_NEAR(tanh_of(wide), squashed, 4 * 2.3e-16 * std::fabs(squashed)) << x;
  }
  EXPECT_EQ(sigmoid_of(0.0F), 0.5F);
  EXPECT_EQ(tanh_of(0.0F), 0.0F);
  const float nan = std::nanf("");
  EXPECT_TRUE(std::isnan(sigmoid_of(nan)) && std::isnan(tanh_of(nan)));
}

TEST(GoatAggregate, ScanByHand) {
  // sigmoid(0) = 1/2: h = 0 + (6 - 0) / 2.
  const float in[2] = {0, 6}, rec[2] = {};
  float state[kGoatStates] = {0, 0}, saved[1];
  GoatScan::step(in, rec, GoatNeuron<float>{}, state, saved);
  EXPECT_EQ(state[0], 3.0F);
  // dh = 1: candidate 1/2, gate (6 - 0) / 4, earlier state 1/2.
  float grad[kGoatStates] = {1, 0}, grad_in[2];
  const float before[1] = {0};
  GoatScan::grad(in, rec, before, saved, GoatNeuron<float>{}, grad, grad_in, grad_in);
  EXPECT_EQ(grad_in[0], 1.5F);
  EXPECT_EQ(grad_in[1], 0.5F);
  EXPECT_EQ(grad[0], 0.5F);
}

TEST(GoatAggregate, EveryIsaGivesTheSameForward) {
  for (const GoatCell cell : kCells) {
    for (const int64_t hidden : {1, 5, 16, 37}) {
      std::vector<float> out, grad_p;
      for_every_isa([&] {
        Job job(cell, hidden);
        job.run();
        if (out.empty()) {
          out = job.out;
          grad_p = job.grad_p;
        }
        EXPECT_EQ(out, job.out) << static_cast<int>(isa());
        expect_near(grad_p, job.grad_p, 2e-5F);  // rows in flight differ, and so the order of sums
      });
    }
  }
}

// What CUDA runs, on one lane and on threads, against the vectors.
TEST(GoatAggregate, TeamsAndVectorsAgree) {
  for (const GoatCell cell : kCells) {
    for (const int64_t hidden : {3, 18}) {
      Job vectors(cell, hidden), team(cell, hidden);
      vectors.run();
      const auto forward = team.forward();
      std::vector<float> by_input(static_cast<size_t>(team.edges * Job::kHeads * team.width));
      GoatStepsGrad<float> steps{team.backward()};
      steps.grad_in = by_input.data();
      with_goat_cell(cell, [&](auto kind) {
        using Cell = decltype(kind);
        constexpr int64_t kLanes = 4;
        std::vector<float> shared(static_cast<size_t>(
            std::max(goat_forward_shared(hidden), goat_backward_shared(hidden))));
        run_team(kLanes, [&](const ThreadTeam& lanes) {
          for (int64_t i = 0; i < 20 * Job::kHeads; ++i) {
            goat_forward_row<Cell>(lanes, forward, team.weight_t.data(), i % 2, i / 2,
                                   shared.data());
            goat_steps_grad_row<Cell>(lanes, steps, team.weight_t.data(), i % 2, i / 2,
                                      shared.data());
            lanes.sync();
          }
        });
      });
      EXPECT_EQ(vectors.steps, team.steps);
      // The same functions on the same numbers; sums over hidden units in one order or two.
      expect_near(vectors.out, team.out, 1e-5F);
      expect_near(vectors.states, team.states, 1e-5F);
      std::vector<float> grad_p(team.p.size()), size(team.p.size());
      for (int64_t e = 0; e < team.edges; ++e) {
        for (int64_t i = 0; i < Job::kHeads * team.width; ++i) {
          const int64_t to = team.graph.col[static_cast<size_t>(e)] * Job::kHeads * team.width + i;
          const int64_t head = i / team.width;
          grad_p[static_cast<size_t>(to)] +=
              by_input[static_cast<size_t>(e * Job::kHeads * team.width + i)] *
              team.factor[static_cast<size_t>(e * Job::kHeads + head)];
        }
      }
      expect_near(vectors.grad_p, grad_p, 2e-4F);
    }
  }
}

// A team reads nothing through indices that are out of range.
TEST(GoatAggregate, TeamsTakeWrongIndices) {
  Job job(GoatCell::kLstm, 4);
  job.graph.col[0] = -1;
  job.graph.col[7] = int64_t{1} << 40;
  job.graph.order[3] = -5;
  job.graph.row_ptr[2] = int64_t{1} << 50;
  job.graph.row_ptr[5] = -3;
  const auto forward = job.forward();
  std::vector<float> shared(static_cast<size_t>(goat_forward_shared(4)));
  for (int64_t i = 0; i < 20 * Job::kHeads; ++i) {
    goat_forward_row<GoatLstm>(SerialTeam{}, forward, job.weight_t.data(), i % 2, i / 2,
                               shared.data());
  }
  for (const float value : job.out) EXPECT_TRUE(std::isfinite(value));
}

TEST(GoatAggregate, CutsCoverEveryRowOnce) {
  const Graph graph(20, 5, 1);
  const Csr csr = graph.csr(5);
  for (const int64_t pieces : {1, 2, 3, 7, 50}) {
    EXPECT_EQ(goat_cut(csr, 0, pieces), 0);
    EXPECT_EQ(goat_cut(csr, pieces, pieces), 20);
    for (int64_t k = 0; k < pieces; ++k) {
      EXPECT_LE(goat_cut(csr, k, pieces), goat_cut(csr, k + 1, pieces));
    }
  }
}

}  // namespace
}  // namespace lampyris
