#include "cpu/kernel_log.h"

#include <algorithm>
#include <atomic>
#include <mutex>

namespace lampyris {

namespace {

struct Log {
  std::atomic<int> listeners{0};
  std::mutex mutex;
  std::vector<KernelTotal> totals;
};

Log& log() {
  static Log log;
  return log;
}

}  // namespace

bool kernel_log_active() { return log().listeners.load(std::memory_order_relaxed) > 0; }

void note_kernel(std::string_view op, std::string_view kernel, double density) {
  if (!kernel_log_active()) return;
  Log& state = log();
  const std::lock_guard lock(state.mutex);
  auto total = std::find_if(state.totals.begin(), state.totals.end(), [&](const KernelTotal& t) {
    return t.op == op && t.kernel == kernel;
  });
  if (total == state.totals.end()) {
    total = state.totals.insert(total, KernelTotal{std::string(op), std::string(kernel)});
  }
  ++total->calls;
  if (density >= 0) {
    ++total->measured;
    total->density_sum += density;
  }
}

std::vector<KernelTotal> start_kernel_log() {
  Log& state = log();
  const std::lock_guard lock(state.mutex);
  ++state.listeners;
  return state.totals;
}

std::vector<KernelTotal> stop_kernel_log() {
  Log& state = log();
  const std::lock_guard lock(state.mutex);
  std::vector<KernelTotal> totals = state.totals;
  if (state.listeners > 0 && --state.listeners == 0) state.totals.clear();
  return totals;
}

}  // namespace lampyris
