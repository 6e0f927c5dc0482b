#include "cpu/page_pool.h"

#include <mutex>
#include <unordered_map>
#include <vector>

#if defined(__linux__)
#include <pthread.h>
#include <sys/mman.h>
#endif

namespace lampyris {

#if defined(__linux__)

namespace {

constexpr int64_t kLeast = int64_t{1} << 20;
constexpr int64_t kMostKept = int64_t{1} << 30;  // bytes that wait for their next use
constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kPage = 4096;
constexpr int64_t kSlack = 8;  // a block serves sizes down to 7/8 of its own

class Pool {
 public:
  bool keep(bool on) {
    const std::lock_guard lock(mutex_);
    const bool before = on_;
    on_ = on;
    if (!on) release(0);
    return before;
  }

  void* take(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (!on_) return nullptr;
    for (size_t i = free_.size(); i-- > 0;) {
      const Block block = free_[i];
      if (block.bytes < bytes || block.bytes - block.bytes / kSlack > bytes) continue;
      free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
      kept_ -= block.bytes;
      used_.emplace(block.data, block.bytes);
      return block.data;
    }
    const int64_t whole = (bytes + kPage - 1) / kPage * kPage;
    void* const data = map(whole);
    if (data != nullptr) used_.emplace(data, whole);
    return data;
  }

  void give_back(void* data) {
    const std::lock_guard lock(mutex_);
    const auto found = used_.find(data);
    free_.push_back({data, found->second});
    kept_ += found->second;
    used_.erase(found);
    release(on_ ? kMostKept : 0);
  }

  std::mutex& mutex() { return mutex_; }

 private:
  struct Block {
    void* data;
    int64_t bytes;
  };

  // Large blocks lie on huge pages.
  static void* map(int64_t bytes) {
    const int64_t more = bytes >= kHugePage ? kHugePage : 0;
    void* const start = mmap(nullptr, static_cast<size_t>(bytes + more), PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return nullptr;
    if (more == 0) return start;
    const auto at = reinterpret_cast<uintptr_t>(start);
    const auto before = static_cast<size_t>((kHugePage - at % kHugePage) % kHugePage);
    char* const data = static_cast<char*>(start) + before;
    if (before > 0) munmap(start, before);
    const size_t after = static_cast<size_t>(more) - before;
    if (after > 0) munmap(data + bytes, after);
    madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);
    return data;
  }

  // The longest unused first.
  void release(int64_t most) {
    size_t count = 0;
    for (; kept_ > most; ++count) {
      munmap(free_[count].data, static_cast<size_t>(free_[count].bytes));
      kept_ -= free_[count].bytes;
    }
    free_.erase(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  std::mutex mutex_;
  bool on_ = false;
  int64_t kept_ = 0;
  std::vector<Block> free_;  // the last freed at the end
  std::unordered_map<void*, int64_t> used_;
};

// Never destroyed: tensors may outlive static objects. The child of fork() finds it unlocked.
Pool& pool() {
  static Pool* const only = [] {
    auto* const made = new Pool;
    pthread_atfork([] { pool().mutex().lock(); }, [] { pool().mutex().unlock(); },
                   [] { pool().mutex().unlock(); });
    return made;
  }();
  return *only;
}

}  // namespace

bool keep_pages(bool on) { return pool().keep(on); }
void* take_pages(int64_t bytes) { return bytes < kLeast ? nullptr : pool().take(bytes); }
void return_pages(void* data) { pool().give_back(data); }

#else

bool keep_pages(bool) { return false; }
void* take_pages(int64_t) { return nullptr; }
void return_pages(void*) {}

#endif

}  // namespace lampyris
