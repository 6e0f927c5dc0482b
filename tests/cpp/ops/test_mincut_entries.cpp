// The GPU's work done on the host, thread by thread and block by block, against the passes of the CPU;
// and with pointers and columns that lie.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "ops/mincut_pool/mincut_pool_entry.h"
#include "ops/mincut_pool/mincut_pool_team.h"

namespace lampyris {
namespace {

using Int64s = std::vector<int64_t>;
using Values = std::vector<double>;
constexpr int64_t kRows = 512;

Values random_values(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Values out(static_cast<size_t>(count));
  for (double& value : out) value = normal(random);
  return out;
}

struct Options {
  bool weighted, normalized, hard, variation;
};

// A batch of directed graphs and everything that is read.
struct Batch {
  explicit Batch(const Int64s& sizes) : ptr{0}, row_ptr{0} {
    for (const int64_t size : sizes) {
      const int64_t first = ptr.back();
      for (int64_t i = 0; i < size; ++i) {
        for (const int64_t j : {i + 1, i * 5 + 2, i + size / 2}) {
          if ((i + j) % 4 != 0) col.push_back(first + j % size);
        }
        row_ptr.push_back(static_cast<int64_t>(col.size()));
      }
      ptr.push_back(first + size);
    }
    nodes = ptr.back();
    edges = static_cast<int64_t>(col.size());
    graphs = static_cast<int64_t>(sizes.size());
    x = random_values(nodes * features, 1);
    logits = random_values(nodes * clusters, 2);
    weight = random_values(edges, 3);
    factor = random_values(nodes, 4);
  }

  template <class Job>
  void set(Job& job, const Options& options) const {
    job.rows = {nodes, edges, nodes, row_ptr.data(), col.data()};
    job.weight = options.weighted ? weight.data() : nullptr;
    job.factor = options.normalized ? factor.data() : nullptr;
    job.clusters = clusters;
    job.features = features;
  }

  static constexpr int64_t clusters = 5, features = 3;
  int64_t nodes, edges, graphs;
  Int64s ptr, row_ptr, col;
  Values x, logits, weight, factor;
};

// What a forward leaves behind.
struct Forward {
  Forward(const Batch& b, const Options& options)
      : s(b.logits.size()), y(s), soft(options.hard ? s.size() : 0),
        signs(options.variation ? s.size() : 0), terms(signs), degree(static_cast<size_t>(b.nodes)),
        bounds(b.ptr.size()), task_ptr(b.ptr.size()),
        sums(static_cast<size_t>(b.graphs * MincutSums{b.clusters, b.features}.size())) {
    b.set(job, options);
    job.x = b.x.data();
    job.logits = b.logits.data();
    job.inverse_temperature = 1.5;
    job.s = s.data();
    job.soft = options.hard ? soft.data() : s.data();
    job.y = y.data();
    job.signs = options.variation ? signs.data() : nullptr;
    job.degree = degree.data();
    mincut_bounds(b.ptr.data(), b.graphs, b.nodes, kRows, bounds.data(), task_ptr.data());
  }

  void on_cpu(const Batch& b) {
    const MincutSums at{b.clusters, b.features};
    mincut_softmax_rows(job, 0, b.nodes);
    for (const MincutTask& task : mincut_tasks(b.ptr.data(), b.graphs, kRows)) {
      Values part(static_cast<size_t>(at.size()));
      mincut_products_task(job, task, part.data());
      for (size_t i = 0; i < part.size(); ++i) {
        sums[static_cast<size_t>(task.graph * at.size()) + i] += part[i];
      }
    }
  }

  // The kernels of mincut_pool_cuda.cu in their order.
  void as_gpu(const Batch& b) {
    const int64_t clusters = b.clusters;
    const MincutSums at{clusters, b.features};
    const MincutBounds on{b.graphs, bounds.data()};
    for (int64_t i = 0; i < b.nodes; ++i) {
      const double* const logits = job.logits + i * clusters;
      mincut_softmax_row(logits, clusters, job.inverse_temperature, job.soft + i * clusters);
      for (int64_t k = 0; job.soft != job.s && k < clusters; ++k) {
        job.s[i * clusters + k] = k == mincut_hardest(logits, clusters);
      }
    }
    double* const of_terms = terms.empty() ? nullptr : terms.data();
    for (int64_t entry = 0; entry < b.nodes * clusters; ++entry) {
      mincut_spread_entry(job, on, job.s, entry, job.y, job.signs, of_terms, job.degree);
    }
    const MincutProduct<double> products[] = {
        {job.s, job.y, clusters, clusters, 0},
        {job.s, job.s, clusters, clusters, at.gram()},
        {job.s, job.x, clusters, b.features, at.x()},
        {job.s, job.degree, clusters, 1, at.columns()},
        {job.s, nullptr, clusters, 1, at.columns() + clusters},
    };
    const int64_t tasks = mincut_cuda_tasks(b.nodes, b.graphs, kRows);
    Values partial(static_cast<size_t>(tasks * at.size())), shared(kMincutShared);
    for (int64_t t = 0; t < tasks; ++t) {
      const int64_t g = mincut_part(task_ptr.data(), b.graphs, t);
      if (g < 0) continue;
      const auto graph = static_cast<size_t>(g);
      const int64_t begin = bounds[graph] + (t - task_ptr[graph]) * kRows;
      const int64_t end = std::min(begin + kRows, bounds[graph + 1]);
      double* const part = partial.data() + t * at.size();
      for (const auto& p : products) {
        for (int64_t tile = 0; tile < p.tiles(); ++tile) {
          mincut_sum_tile(SerialTeam{}, p, tile, begin, end, shared.data(), part + p.offset);
        }
      }
      mincut_sum_totals(SerialTeam{}, job.s, job.degree, of_terms, clusters, begin, end,
                        part + at.totals());
    }
    MincutParts<double> parts;
    parts.add(sums.data(), at.size());
    for (int64_t i = 0; i < b.graphs * at.size(); ++i) {
      mincut_reduce_entry(task_ptr.data(), partial.data(), parts, i);
    }
  }

  Values s, y, soft, signs, terms, degree;
  Int64s bounds, task_ptr;
  Values sums;
  MincutForward<double> job;
};

void expect_near(const Values& a, const Values& b, const char* what) {
  ASSERT_EQ(a.size(), b.size());
  // float64, sums in another order
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-10) << what << " " << i;
}

class MincutEntries : public testing::TestWithParam<Options> {};

TEST_P(MincutEntries, ForwardIsThatOfTheCpu) {
  const Options options = GetParam();
  const Batch b({7, 0, 1, 700, 20});
  Forward cpu(b, options), gpu(b, options);
  cpu.on_cpu(b);
  gpu.as_gpu(b);
  expect_near(gpu.s, cpu.s, "s");
  expect_near(gpu.soft, cpu.soft, "soft");
  expect_near(gpu.y, cpu.y, "y");
  expect_near(gpu.signs, cpu.signs, "signs");
  expect_near(gpu.degree, cpu.degree, "degree");
  expect_near(gpu.sums, cpu.sums, "sums");
}

TEST_P(MincutEntries, BackwardIsThatOfTheCpu) {
  const Options options = GetParam();
  const Batch b({7, 0, 1, 700, 20});
  Forward f(b, options);
  f.on_cpu(b);
  const int64_t square = b.graphs * b.clusters * b.clusters, pool = b.graphs * b.clusters * b.features;
  const Values mix_y = random_values(square, 5), mix_z = random_values(square, 6),
               mix_s = random_values(square, 7), mix_x = random_values(pool, 8),
               z = random_values(b.nodes * b.clusters, 9), back = random_values(b.nodes * b.clusters, 10),
               grad_pool = random_values(pool, 11), columns = random_values(b.graphs * 2 * b.clusters, 12),
               totals = random_values(b.graphs * kMincutTotals, 13),
               grad_s = random_values(b.nodes * b.clusters, 14);
  for (const bool directed : {false, true}) {
    MincutBackward<double> a;
    b.set(a, options);
    a.x = b.x.data();
    a.s = f.s.data();
    a.soft = f.job.soft;
    a.y = f.y.data();
    a.signs = f.job.signs;
    a.degree = f.degree.data();
    a.inverse_temperature = 1.5;
    a.z = directed ? z.data() : nullptr;
    a.signs_back = directed && options.variation ? back.data() : nullptr;
    a.mix_y = mix_y.data();
    a.mix_z = a.grad_adj = mix_z.data();
    a.mix_s = mix_s.data();
    a.mix_x = mix_x.data();
    a.grad_pool = grad_pool.data();
    a.grad_columns = columns.data();
    a.grad_totals = totals.data();
    a.grad_s = directed ? grad_s.data() : nullptr;
    Values results[2][3];
    for (auto& result : results) {
      result[0].resize(b.x.size());
      result[1].resize(b.logits.size());
      result[2].resize(b.weight.size());
    }
    a.grad_x = results[0][0].data();
    a.grad_logits = results[0][1].data();
    a.grad_weight = results[0][2].data();
    for (const MincutTask& task : mincut_tasks(b.ptr.data(), b.graphs, kRows)) mincut_grad_task(a, task);

    const MincutBounds on{b.graphs, f.bounds.data()};
    a.grad_logits = results[1][1].data();
    a.grad_weight = results[1][2].data();
    Values u(b.logits.size());
    for (int64_t i = 0; i < b.nodes * b.features; ++i) {
      results[1][0][static_cast<size_t>(i)] =
          mincut_lift_entry(on, a.s, a.grad_pool, b.clusters, b.features, i);
    }
    for (int64_t i = 0; i < b.nodes * b.clusters; ++i) {
      u[static_cast<size_t>(i)] = mincut_lift_entry(on, a.s, a.grad_adj, b.clusters, b.clusters, i);
      a.grad_logits[i] = mincut_grad_entry(a, on, i);
    }
    for (int64_t i = 0; i < b.nodes; ++i) {
      mincut_grad_softmax_row(a, i);
      mincut_grad_edges_row(a, on, u.data(), i);
    }
    expect_near(results[1][0], results[0][0], "grad x");
    expect_near(results[1][1], results[0][1], "grad logits");
    expect_near(results[1][2], results[0][2], "grad weight");
  }
}

INSTANTIATE_TEST_SUITE_P(All, MincutEntries,
                         testing::Values(Options{false, false, false, false},
                                         Options{true, false, true, false},
                                         Options{true, true, false, true},
                                         Options{false, true, true, true}));

// Run under AddressSanitizer, this is the proof that nothing outside is read or written.
TEST(MincutEntries, LyingIndicesCountAsAbsent) {
  const int64_t extremes[] = {-(int64_t{1} << 62), -1, 0, 5, 27, 28, 29, 1000, int64_t{1} << 62};
  std::mt19937 random(0);
  for (int round = 0; round < 300; ++round) {
    Batch b({7, 1, 20});
    for (Int64s* each : {&b.ptr, &b.row_ptr, &b.col}) {
      for (int k = 0; k < 3; ++k) (*each)[random() % each->size()] = extremes[random() % 9];
    }
    Forward f(b, {true, false, false, true});
    f.as_gpu(b);
    for (const double sum : f.sums) EXPECT_TRUE(std::isfinite(sum));
    const MincutBounds on{b.graphs, f.bounds.data()};
    const Values any = random_values(b.graphs * b.clusters * b.clusters, 1);
    MincutBackward<double> a;
    b.set(a, {true, false, false, true});
    Values grad(b.weight.size());
    a.s = f.s.data();
    a.signs = f.signs.data();
    a.grad_totals = a.grad_columns = any.data();
    a.grad_weight = grad.data();
    for (int64_t i = 0; i < b.nodes; ++i) mincut_grad_edges_row(a, on, f.s.data(), i);
  }
}

}  // namespace
}  // namespace lampyris
