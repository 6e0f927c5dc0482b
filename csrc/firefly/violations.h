// Limits of a target that a network breaks, collected and reported together.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace lampyris::firefly {

class Violations {
 public:
  template <typename... Args>
  void require(bool ok, const std::string& layer, fmt::format_string<Args...> format,
               Args&&... args) {
    if (!ok) lines_.push_back(layer + ": " + text(format, std::forward<Args>(args)...));
  }
  // Throws std::invalid_argument listing all.
  void raise(std::string_view target) const {
    if (lines_.empty()) return;
    std::string all;
    for (const std::string& line : lines_) all += (all.empty() ? "" : "; ") + line;
    fail("program: network must fit target {}, got {} violation{}: {}", target, lines_.size(),
         lines_.size() == 1 ? "" : "s", all);
  }

 private:
  std::vector<std::string> lines_;
};

}  // namespace lampyris::firefly
