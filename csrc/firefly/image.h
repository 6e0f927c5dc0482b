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
//   ecc.parity           kU8, the check words of the protected tensors: made by the writer
//   ecc.<text>           kU8, empty
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
  // by write_image, whatever it held before. "ecc" is missing or {} without error correction; with
  // it, write_image reads {"tensors": {name: {"preset": ...}}} there and writes the rest anew.
  std::string plan_json;
  // In file order after reading; the writer sorts.
  std::vector<ImageTensor> tensors;

  // The tensor of that name, or nullptr.
  const ImageTensor* find(std::string_view name) const;
};

// What to do with a page that has more wrong bits than its code corrects. Registers, biases and
// thresholds are refused under every policy.
enum class OnUncorrectable : uint8_t {
  kRefuse,
  kZeroPage,     // all weights of the page
  kZeroWeights,  // those of its weights that are larger than any of their section was
};

struct ReadOptions {
  bool strict = false;  // refuse what would have to be repaired
  OnUncorrectable on_uncorrectable = OnUncorrectable::kRefuse;
};

// What was found in one protected tensor.
struct TensorRepair {
  std::string tensor;
  std::string preset;
  int64_t pages = 0;
  int64_t corrected_pages = 0;
  int64_t corrected_bits = 0;  // in pages and check words
  int64_t uncorrectable_pages = 0;
  int64_t zeroed_weights = 0;
  bool operator==(const TensorRepair&) const = default;
};
using Repairs = std::vector<TensorRepair>;  // in file order

// The file's bytes. Throws std::invalid_argument for a bad name, type, length or plan.
std::vector<uint8_t> write_image(const Image& image);

// Every check of contract section 6 except the agreement of registers and plan (check_program);
// protected tensors are repaired. `repairs` gets a row for each of them.
// Throws std::invalid_argument.
Image read_image(std::span<const uint8_t> file, const ReadOptions& options = {},
                 Repairs* repairs = nullptr);

// The file with its protected tensors as they were written; every check is made on the result.
// Throws std::invalid_argument where a page is beyond correction.
std::vector<uint8_t> repair_image(std::span<const uint8_t> file, Repairs* repairs = nullptr);

// The same with a file; loading ends with check_program. Writing is atomic (temporary file and
// rename). Content errors name the path (std::invalid_argument); file errors are FileError
// (OSError in Python).
void save_image(const std::string& path, const Image& image);
Image load_image(const std::string& path, const ReadOptions& options = {},
                 Repairs* repairs = nullptr);

// Agreement of registers, tensors and plan. Defined in check_program.cpp.
// Throws std::invalid_argument.
void check_program(const Image& image);

}  // namespace lampyris
