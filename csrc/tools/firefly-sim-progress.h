// Progress of a long run on standard error: a line now and then, so none in a short one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lampyris::firefly::sim {

class Progress {
 public:
  // `layers`: name of the layer of every command; `seconds` between lines, 0 for none at all.
  Progress(std::vector<std::string> layers, double seconds);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void started(int64_t commands);

 private:
  void tell();

  std::vector<std::string> layers_;
  std::chrono::duration<double> period_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t commands_ = 0;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace lampyris::firefly::sim
