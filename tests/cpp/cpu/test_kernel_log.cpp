#include "cpu/kernel_log.h"

#include <gtest/gtest.h>

#include <thread>

namespace lampyris {
namespace {

TEST(KernelLog, SilentWithoutListener) {
  note_kernel("op", "kernel", 0.5);
  EXPECT_FALSE(kernel_log_active());
  EXPECT_TRUE(start_kernel_log().empty());
  EXPECT_TRUE(kernel_log_active());
  EXPECT_TRUE(stop_kernel_log().empty());
}

TEST(KernelLog, TotalsOfAllThreads) {
  start_kernel_log();
  std::thread other([] {
    for (int i = 0; i < 100; ++i) note_kernel("op", "a", 0.25);
  });
  for (int i = 0; i < 100; ++i) note_kernel("op", "a", 0.75);
  note_kernel("op", "b", -1);
  other.join();
  const std::vector<KernelTotal> totals = stop_kernel_log();
  ASSERT_EQ(totals.size(), 2U);
  const KernelTotal& a = totals[0].kernel == "a" ? totals[0] : totals[1];
  EXPECT_EQ(a.calls, 200);
  EXPECT_EQ(a.measured, 200);
  EXPECT_DOUBLE_EQ(a.density_sum, 100.0);
  EXPECT_TRUE(start_kernel_log().empty());
  stop_kernel_log();
}

}  // namespace
}  // namespace lampyris
