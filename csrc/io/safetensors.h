// The strict safetensors container: a length, a canonical JSON header padded with spaces so that
// the data starts at a multiple of 64 bytes, then one-dimensional tensors whose lengths are
// multiples of 64. Format: github.com/huggingface/safetensors; each such file is valid there.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lampyris {

inline constexpr int64_t kTensorAlign = 64;
inline constexpr int64_t kMaxHeaderBytes = int64_t{16} << 20;  // with the 8 bytes of the length
inline constexpr int64_t kMaxTensors = 65536;

// One entry of the header. Offsets count bytes from the start of the data.
struct SafetensorsEntry {
  std::string name;
  int64_t item_bytes = 1;  // 1 is U8, 4 is U32
  int64_t begin = 0;
  int64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::vector<SafetensorsEntry> tensors;  // sorted by name after parsing
};

inline int64_t align_up(int64_t bytes) { return (bytes + kTensorAlign - 1) & -kTensorAlign; }

// The first 8 + N bytes of a file. Throws std::invalid_argument above kMaxHeaderBytes.
std::string write_safetensors_header(const SafetensorsHeader& header);

// Parses exactly the first 8 + N bytes (`head`). Checks the length, canonical form, padding, the
// fields of each entry, names [a-z0-9_.]{1,64}, types, shapes and lengths; not the order, nor that
// the tensors are contiguous. Throws std::invalid_argument.
SafetensorsHeader parse_safetensors_header(std::span<const uint8_t> head);

// True for [a-z0-9_.]{1,64}.
bool is_tensor_name(std::string_view name);

}  // namespace lampyris
