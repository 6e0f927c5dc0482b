// A team of std::threads for cooperative kernels: a missing barrier shows under ThreadSanitizer.
#pragma once

#include <algorithm>
#include <barrier>
#include <cstdint>
#include <thread>
#include <vector>

namespace lampyris {

class ThreadTeam {
 public:
  struct Shared {
    explicit Shared(int64_t size) : barrier(size), values(static_cast<size_t>(size)) {}
    std::barrier<> barrier;
    std::vector<double> values;
  };

  ThreadTeam(Shared& shared, int64_t lane) : shared_(shared), lane_(lane) {}

  int64_t lane() const { return lane_; }
  int64_t size() const { return static_cast<int64_t>(shared_.values.size()); }
  void sync() const { shared_.barrier.arrive_and_wait(); }

  double sum(double value) const {
    share(value);
    double total = 0;
    for (const double each : shared_.values) total += each;
    return total;
  }

  int32_t max(int32_t value) const {
    share(value);
    return static_cast<int32_t>(*std::max_element(shared_.values.begin(), shared_.values.end()));
  }

 private:
  void share(double value) const {
    sync();
    shared_.values[static_cast<size_t>(lane_)] = value;
    sync();
  }

  Shared& shared_;
  int64_t lane_;
};

// Runs function(team) on `size` threads.
template <typename Function>
void run_team(int64_t size, Function function) {
  ThreadTeam::Shared shared(size);
  std::vector<std::thread> lanes;
  for (int64_t lane = 0; lane < size; ++lane) {
    lanes.emplace_back([&, lane] { function(ThreadTeam(shared, lane)); });
  }
  for (auto& lane : lanes) lane.join();
}

}  // namespace lampyris
