// The part of the plan that guards the file: the member "tensors", {name: {"bytes": true length,
// "crc32c": checksum of the bytes as stored, padding included}} for every tensor but integrity.
// The rest of the plan belongs to the program.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "io/safetensors.h"

namespace lampyris {

struct PlanTensor {
  int64_t bytes = 0;  // without padding
  uint32_t crc32c = 0;
};

// A plan to be written: any JSON object whose numbers are integers within +-2^53.
nlohmann::json parse_plan(std::string_view plan_json);
// Canonical text of the plan with its member "tensors" set.
std::string write_plan(nlohmann::json plan, const std::map<std::string, PlanTensor>& tensors);

// A stored plan, which must be canonical.
nlohmann::json read_plan(std::string_view plan_json);
// Checks its member "tensors" against the header's tensors.
std::map<std::string, PlanTensor> read_guards(const nlohmann::json& plan,
                                              const std::vector<SafetensorsEntry>& entries);

}  // namespace lampyris
