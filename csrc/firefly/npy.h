// NumPy's .npy format: C order, uint8, bool, int16 or int32 little-endian. Reads versions 1 to 3,
// writes version 1. Source: numpy.lib.format.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lampyris::firefly {

enum class NpyType : uint8_t { kUint8, kBool, kInt16, kInt32 };

// Bytes of one element.
int npy_item_bytes(NpyType type);

struct NpyArray {
  NpyType type = NpyType::kUint8;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;
};

// Throws std::invalid_argument `npy: ...`.
NpyArray read_npy(std::span<const uint8_t> file);

// The file's bytes.
std::vector<uint8_t> write_npy(const NpyArray& array);

}  // namespace lampyris::firefly
