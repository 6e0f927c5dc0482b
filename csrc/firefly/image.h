// The weight image of docs/contract.md section 6: a strict safetensors file with canonical JSON,
// a CRC-32C of every tensor in the plan, and a 64-byte integrity footer.
// Reading never trusts a byte: anything that the one writer below would not have written is
// refused with `weight image: <what>, expected ..., got ...`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lampyris {

enum class ImageDtype : uint8_t { kU8, kU32 };

// One tensor. `bytes` has the true length (little-endian words for kU32); the padding to 64 bytes
// exists in the file only. Names and types:
//   layer.NNN.registers  kU32, pairs (offset | relocation << 16, value); every layer has it
//   layer.NNN.weights    kU8, layer.NNN.bias kU8; either may be missing
//   host.<text>          kU8 or kU32
//   ecc.<text>           kU8, empty in this version
// NNN counts 000, 001, ... without a gap; the characters are [a-z0-9_.], 64 at most. `integrity`
// is made by the writer and not listed here.
struct ImageTensor {
  std::string name;
  ImageDtype dtype = ImageDtype::kU8;
  std::vector<uint8_t> bytes;
};

struct Image {
  // The plan, a JSON object. After reading: canonical text, exactly as stored. Its member
  // "tensors" ({name: {"bytes": true length, "crc32c": checksum of the padded bytes}}) is written
  // by write_image, whatever it held before; "ecc" must be missing or {}.
  std::string plan_json;
  // In file order after reading; the writer sorts.
  std::vector<ImageTensor> tensors;

  // The tensor of that name, or nullptr.
  const ImageTensor* find(std::string_view name) const;
};

// The file's bytes. Throws std::invalid_argument for a bad name, type, length or plan.
std::vector<uint8_t> write_image(const Image& image);

// Every check of contract section 6 except the agreement of registers and plan (check_program).
// Throws std::invalid_argument.
Image read_image(std::span<const uint8_t> file);

// The same with a file; loading ends with check_program. Writing is atomic (temporary file and
// rename). Content errors name the path (std::invalid_argument); file errors are FileError
// (OSError in Python).
void save_image(const std::string& path, const Image& image);
Image load_image(const std::string& path);

// Agreement of registers, tensors and plan. Defined in check_program.cpp.
// Throws std::invalid_argument.
void check_program(const Image& image);

}  // namespace lampyris
