// The wrong bits of one page and its check word.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace lampyris::ecc {

struct PageErrors {
  bool correctable = true;
  std::vector<int32_t> places;  // wrong data bits, ascending
  uint64_t flips = 0;           // wrong bits of the check word
  int count() const { return static_cast<int>(places.size()) + std::popcount(flips); }
};

}  // namespace lampyris::ecc
