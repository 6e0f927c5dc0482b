// Reads NumPy's .npy format, versions 1 to 3: C order, uint8, bool or int16 little-endian.
// Source: numpy.lib.format.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lampyris::firefly {

enum class NpyType : uint8_t { kUint8, kBool, kInt16 };

struct NpyArray {
  NpyType type = NpyType::kUint8;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;
};

// Throws std::invalid_argument `npy: ...`.
NpyArray read_npy(std::span<const uint8_t> file);

}  // namespace lampyris::firefly
