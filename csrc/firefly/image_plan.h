// The part of the plan that guards the file: the member "tensors", {name: {"bytes": true length,
// "crc32c": checksum of the bytes as stored, padding included}} for every tensor but integrity.
// The rest of the plan belongs to the program.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/safetensors.h"

namespace lampyris {

struct PlanTensor {
  int64_t bytes = 0;  // without padding
  uint32_t crc32c = 0;
};

// Canonical text of the plan with its member "tensors" set. Throws for a plan that is no JSON
// object, holds a number that is not an integer within +-2^53, or declares error correction.
std::string write_plan(std::string_view plan_json, const std::map<std::string, PlanTensor>& tensors);

// Checks a stored plan against the header's tensors and gives its member "tensors".
std::map<std::string, PlanTensor> read_plan(std::string_view plan_json,
                                            const std::vector<SafetensorsEntry>& entries);

}  // namespace lampyris
