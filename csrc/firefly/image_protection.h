// Error correction of an image's tensors: the plan's member "ecc" and the tensor ecc.parity that
// holds the check words of all protected tensors, one behind the other in file order.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ecc/page_code.h"
#include "firefly/image_plan.h"
#include "io/safetensors.h"

namespace lampyris {

inline constexpr std::string_view kParity = "ecc.parity";
// Bytes under one CRC-32C; a multiple of every page.
inline constexpr int64_t kSectionBytes = 4096;

struct TensorProtection {
  const ecc::Preset* preset = nullptr;
  int64_t bytes = 0;               // of the tensor, without padding
  int64_t begin = 0;               // of its check words in ecc.parity
  int64_t words = 0;               // their bytes
  std::vector<uint32_t> sections;  // section_crc of each section
  std::vector<uint8_t> limits;     // largest |int8| of each section; weights only
};

using Protection = std::map<std::string, TensorProtection>;

// layer.NNN.weights and host.<text>.weight: what may be zeroed.
bool is_weights(std::string_view name);

// Depends on the place of the section, in bytes from the image base, so that moved sections fail.
uint32_t section_crc(std::span<const uint8_t> section, int64_t place);

// The largest |int8| of a section, 0..128.
int section_limit(std::span<const uint8_t> section);

// What a plan to be written asks for: only the presets are read. Throws std::invalid_argument.
std::map<std::string, const ecc::Preset*> requested_presets(const nlohmann::json& plan);

// Protects one tensor's stored bytes, which lie at `place`; appends its check words to `parity`.
TensorProtection protect(const ecc::Preset& preset, std::string_view name,
                         std::span<const uint8_t> stored, int64_t place,
                         std::vector<uint8_t>& parity);

// The plan's member "ecc".
nlohmann::json protection_json(const Protection& protection);
// Checks it against the header; empty without error correction. `entries` are in file order.
Protection read_protection(const nlohmann::json& plan, const std::vector<SafetensorsEntry>& entries,
                           const std::map<std::string, PlanTensor>& guards);

}  // namespace lampyris
