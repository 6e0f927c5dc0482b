// Progress of a long run on standard error: nothing in the first seconds, then a line now and then.
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
  // `layers`: name of the layer of every command.
  Progress(std::vector<std::string> layers, bool quiet, std::chrono::milliseconds period);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void started(int64_t commands);

 private:
  void tell();

  std::vector<std::string> layers_;
  std::chrono::milliseconds period_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t commands_ = 0;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace lampyris::firefly::sim
