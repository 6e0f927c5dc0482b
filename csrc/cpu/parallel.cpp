#include "cpu/parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace lampyris {

namespace {

constexpr int kMaxThreads = 1024;
thread_local bool inside_range = false;

struct Job {
  const std::function<void(int64_t, int64_t)>& range;
  int64_t begin, end, piece;
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;

  void work() {
    inside_range = true;
    for (;;) {
      const int64_t from = begin + next.fetch_add(1) * piece;
      if (from >= end) break;
      try {
        range(from, std::min(end, from + piece));
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        next.store((end - begin) / piece + 1);
      }
    }
    inside_range = false;
  }
};

class Pool {
 public:
  explicit Pool(int workers) {
    for (int i = 0; i < workers; ++i) workers_.emplace_back([this] { serve(); });
  }

  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  void run(Job& job) {
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      ++generation_;
    }
    wake_.notify_all();
    job.work();
    std::unique_lock lock(mutex_);
    job_ = nullptr;
    idle_.wait(lock, [this] { return active_ == 0; });
  }

 private:
  void serve() {
    uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stop_ || (job_ != nullptr && generation_ != seen); });
      if (stop_) return;
      seen = generation_;
      Job* job = job_;
      ++active_;
      lock.unlock();
      job->work();
      lock.lock();
      if (--active_ == 0) idle_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  Job* job_ = nullptr;
  uint64_t generation_ = 0;
  int active_ = 0;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

int default_threads() {
  if (const char* text = std::getenv("LAMPYRIS_THREADS"); text != nullptr && *text != '\0') {
    char* rest = nullptr;
    const long count = std::strtol(text, &rest, 10);
    if (*rest != '\0' || count < 1 || count > kMaxThreads) {
      fail("LAMPYRIS_THREADS: must be a number from 1 to {}, got \"{}\"", kMaxThreads, text);
    }
    return static_cast<int>(count);
  }
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// One user of the pool at a time. After fork() the child has no workers: it starts a pool of its
// own and leaves the parent's memory alone.
struct Shared {
  std::mutex use;
  int count = 0;
  std::unique_ptr<Pool> pool;
};

std::atomic<Shared*>& shared_slot() {
  static std::atomic<Shared*> slot{new Shared};
  return slot;
}

Shared& shared() {
#if defined(__linux__)
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { shared_slot().store(new Shared); });
  (void)registered;
#endif
  return *shared_slot().load();
}

}  // namespace

int threads() {
  Shared& state = shared();
  const std::lock_guard lock(state.use);
  if (state.count == 0) state.count = default_threads();
  return state.count;
}

void set_threads(int count) {
  if (count < 1 || count > kMaxThreads) {
    fail("set_threads: count must be from 1 to {}, got {}", kMaxThreads, count);
  }
  Shared& state = shared();
  const std::lock_guard lock(state.use);
  state.count = count;
  if (state.pool != nullptr && state.pool->size() != count) state.pool.reset();
}

void parallel(int64_t begin, int64_t end, int64_t grain,
              const std::function<void(int64_t, int64_t)>& range) {
  if (begin >= end) return;
  grain = std::max<int64_t>(grain, 1);
  if (inside_range || end - begin <= grain) return range(begin, end);
  Shared& state = shared();
  const std::unique_lock lock(state.use, std::try_to_lock);
  if (!lock.owns_lock()) return range(begin, end);
  if (state.count == 0) state.count = default_threads();
  if (state.count == 1) return range(begin, end);
  if (state.pool == nullptr) state.pool = std::make_unique<Pool>(state.count - 1);
  // Four pieces a thread even out threads that are slowed by other work.
  const int64_t wanted = (end - begin + 4 * state.count - 1) / (4 * state.count);
  Job job{range, begin, end, std::max(grain, wanted), {}, {}, {}};
  state.pool->run(job);
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace lampyris
