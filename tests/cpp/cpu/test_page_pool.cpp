#include "cpu/page_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace lampyris {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

class PagePool : public testing::Test {
 protected:
  void SetUp() override {
    before_ = keep_pages(true);
    void* const block = take_pages(kMiB);
    if (block == nullptr) GTEST_SKIP() << "no pool on this system";
    return_pages(block);
  }
  void TearDown() override { keep_pages(before_); }

 private:
  bool before_ = false;
};

TEST_F(PagePool, GivesTheLastFreedBlockFirst) {
  void* const a = take_pages(4 * kMiB);
  void* const b = take_pages(4 * kMiB);
  ASSERT_NE(a, b);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % 4096, 0U);
  std::memset(a, 1, 4 * kMiB);
  std::memset(b, 2, 4 * kMiB);
  EXPECT_EQ(static_cast<char*>(a)[4 * kMiB - 1], 1);
  return_pages(a);
  return_pages(b);
  EXPECT_EQ(take_pages(4 * kMiB), b);
  EXPECT_EQ(take_pages(4 * kMiB), a);
  return_pages(a);
  return_pages(b);
}

TEST_F(PagePool, ABlockServesSizesALittleSmaller) {
  void* const a = take_pages(8 * kMiB);
  return_pages(a);
  void* const much_smaller = take_pages(2 * kMiB);
  EXPECT_NE(much_smaller, a);
  EXPECT_EQ(take_pages(8 * kMiB - kMiB / 2), a);
  void* const larger = take_pages(8 * kMiB + 1);
  EXPECT_NE(larger, a);
  for (void* const block : {a, much_smaller, larger}) return_pages(block);
}

TEST_F(PagePool, SmallBlocksAndAPoolThatIsOffGiveNothing) {
  EXPECT_EQ(take_pages(kMiB - 1), nullptr);
  void* const a = take_pages(kMiB);
  EXPECT_TRUE(keep_pages(false));
  EXPECT_EQ(take_pages(kMiB), nullptr);
  return_pages(a);  // unmapped
  EXPECT_FALSE(keep_pages(true));
}

TEST_F(PagePool, ServesManyThreads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int k = 0; k < 100; ++k) {
        auto* const block = static_cast<char*>(take_pages(kMiB + i));
        block[0] = static_cast<char>(i);
        std::this_thread::yield();
        EXPECT_EQ(block[0], static_cast<char>(i));
        return_pages(block);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace lampyris
