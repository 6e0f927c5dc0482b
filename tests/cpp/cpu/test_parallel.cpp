#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "cpu/parallel.h"

namespace lampyris {
namespace {

class Parallel : public testing::Test {
 protected:
  void SetUp() override { before_ = threads(); }
  void TearDown() override { set_threads(before_); }

 private:
  int before_ = 1;
};

TEST_F(Parallel, CoversEveryElementOnce) {
  for (const int count : {1, 2, 5}) {
    set_threads(count);
    EXPECT_EQ(threads(), count);
    for (const int64_t n : {0, 1, 7, 1000, 12345}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(n));
      parallel(0, n, 10, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
      });
      for (const auto& hit : hits) EXPECT_EQ(hit.load(), 1);
    }
  }
}

TEST_F(Parallel, ShortRangesAreOnePiece) {
  set_threads(4);
  int calls = 0;
  parallel(5, 15, 10, [&](int64_t begin, int64_t end) {
    ++calls;
    EXPECT_EQ(begin, 5);
    EXPECT_EQ(end, 15);
  });
  EXPECT_EQ(calls, 1);
}

TEST_F(Parallel, FirstExceptionIsRethrownAndThePoolStaysUsable) {
  set_threads(3);
  const auto failing = [](int64_t begin, int64_t) {
    if (begin >= 0) throw std::invalid_argument("piece");
  };
  EXPECT_THROW(parallel(0, 1000, 1, failing), std::invalid_argument);
  std::atomic<int64_t> sum{0};
  parallel(0, 1000, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
  EXPECT_EQ(sum.load(), 1000);
}

TEST_F(Parallel, NestedAndConcurrentCallsRun) {
  set_threads(3);
  std::atomic<int64_t> sum{0};
  const auto add = [&](int64_t begin, int64_t end) { sum += end - begin; };
  std::vector<std::thread> callers;
  for (int k = 0; k < 4; ++k) {
    callers.emplace_back([&] {
      parallel(0, 100, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) parallel(0, 10, 1, add);
      });
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(sum.load(), 4 * 100 * 10);
}

TEST_F(Parallel, WorksInAForkedChild) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer does not support threads after a fork";
#endif
  set_threads(3);
  parallel(0, 100, 1, [](int64_t, int64_t) {});
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<int64_t> sum{0};
    set_threads(2);
    parallel(0, 100, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
    _exit(sum.load() == 100 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Parallel, CountMustBePositive) { EXPECT_THROW(set_threads(0), std::invalid_argument); }

}  // namespace
}  // namespace lampyris
