#include "firefly-sim-progress.h"

#include <cstdio>

#include "core/error.h"

namespace lampyris::firefly::sim {

Progress::Progress(std::vector<std::string> layers, double seconds)
    : layers_(std::move(layers)), period_(seconds) {
  if (seconds > 0) thread_ = std::thread([this] { tell(); });
}

Progress::~Progress() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Progress::started(int64_t commands) {
  const std::lock_guard lock(mutex_);
  commands_ = commands;
}

void Progress::tell() {
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, period_, [this] { return done_; })) {
    if (commands_ == 0 || commands_ > static_cast<int64_t>(layers_.size())) continue;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
    const std::string& layer = layers_[static_cast<size_t>(commands_ - 1)];
    const std::string line = text("firefly-sim: {:.0f} s, command {} of {}, layer {}\n",
                                  passed.count(), commands_, layers_.size(), layer);
    std::fputs(line.c_str(), stderr);
  }
}

}  // namespace lampyris::firefly::sim
