#include "firefly/image_plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "firefly/image_layout.h"
#include "io/canonical_json.h"

namespace lampyris {
namespace {

using nlohmann::json;

constexpr int64_t kMaxCrc = 0xffffffff;

void check_object(const json& plan) {
  if (!plan.is_object()) {
    fail("weight image: plan, expected an object, got {}", show_json(plan));
  }
}

PlanTensor read_entry(const SafetensorsEntry& entry, const json& value) {
  if (!value.is_object() || value.size() != 2 || !value.contains("bytes") ||
      !value.contains("crc32c")) {
    fail("weight image: plan of tensor {}, expected bytes and crc32c, got {}", entry.name,
         show_json(value));
  }
  const json& bytes = value["bytes"];
  const json& crc = value["crc32c"];
  const int64_t most = entry.end - entry.begin;
  const int64_t least = std::max<int64_t>(0, most - kTensorAlign + 1);
  if (!bytes.is_number_integer() || bytes.get<int64_t>() < least || bytes.get<int64_t>() > most ||
      bytes.get<int64_t>() % entry.item_bytes != 0) {
    fail("weight image: true length of tensor {}, expected {} to {} bytes, whole words, got {}",
         entry.name, least, most, show_json(bytes));
  }
  if (!crc.is_number_integer() || crc.get<int64_t>() < 0 || crc.get<int64_t>() > kMaxCrc) {
    fail("weight image: crc32c of tensor {}, expected 32 bits, got {}", entry.name,
         show_json(crc));
  }
  return {bytes.get<int64_t>(), crc.get<uint32_t>()};
}

}  // namespace

json parse_plan(std::string_view plan_json) {
  json plan = parse_json(plan_json, "plan");
  check_object(plan);
  return plan;
}

std::string write_plan(json plan, const std::map<std::string, PlanTensor>& tensors) {
  json& entries = plan["tensors"] = json::object();
  for (const auto& [name, tensor] : tensors) {
    entries[name] = {{"bytes", tensor.bytes}, {"crc32c", tensor.crc32c}};
  }
  return dump_canonical_json(plan, "plan");
}

json read_plan(std::string_view plan_json) {
  json plan = parse_canonical_json(plan_json, "plan");
  check_object(plan);
  return plan;
}

std::map<std::string, PlanTensor> read_guards(const json& plan,
                                              const std::vector<SafetensorsEntry>& entries) {
  const auto found = plan.find("tensors");
  if (found == plan.end() || !found->is_object()) {
    fail("weight image: tensors of the plan, expected an object, got {}",
         found == plan.end() ? "none" : show_json(*found));
  }
  std::map<std::string, PlanTensor> tensors;
  for (const auto& entry : entries) {
    if (entry.name == kIntegrity) continue;
    const auto value = found->find(entry.name);
    if (value == found->end()) {
      fail("weight image: tensors of the plan, expected an entry for {}, got none", entry.name);
    }
    tensors[entry.name] = read_entry(entry, *value);
  }
  for (const auto& item : found->items()) {
    if (!tensors.contains(item.key())) {
      fail("weight image: tensors of the plan, expected tensors of this file, got {}",
           show_json(item.key()));
    }
  }
  return tensors;
}

}  // namespace lampyris
