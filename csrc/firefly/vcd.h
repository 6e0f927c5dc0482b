// Value change dump files (IEEE 1364 section 18) for wave viewers: only changes are written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lampyris::firefly {

class VcdWriter {
 public:
  // `scopes` nest all signals, outermost first.
  explicit VcdWriter(std::vector<std::string> scopes) : scopes_(std::move(scopes)) {}

  // A signal of 1..64 bits; gives its number. Before the first tick.
  int add(std::string name, int bits);
  // Two's complement: higher bits are cut. Shown from the next tick on.
  void set(int signal, int64_t value);
  // Writes what changed, at `picoseconds`; times must rise.
  void tick(int64_t picoseconds);

  // The whole file.
  std::string finish() const;

 private:
  struct Signal {
    std::string name, code;
    int bits;
    uint64_t value = 0, shown = 0;
    bool known = false, written = false;
  };

  std::vector<std::string> scopes_;
  std::vector<Signal> signals_;
  std::string changes_;
  int64_t time_ = -1;
};

}  // namespace lampyris::firefly
