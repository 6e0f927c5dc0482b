#include "firefly/image_protection.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "io/canonical_json.h"
#include "io/crc32c.h"

namespace lampyris {
namespace {

using nlohmann::json;

constexpr int64_t kMaxCrc = 0xffffffff;
constexpr int64_t kMaxLimit = 128;

bool is_protectable(std::string_view name) {
  return name.starts_with("layer.") || name.starts_with("host.");
}

int64_t section_count(int64_t bytes) { return (bytes + kSectionBytes - 1) / kSectionBytes; }

json code_json(const ecc::Preset& preset) {
  json code = {{"bits", 8 * preset.page_bytes}, {"t", preset.t}, {"word", preset.word_bytes}};
  code["code"] = preset.m == 0 ? "hamming" : "bch";
  if (preset.m != 0) {
    code["extended"] = true;
    code["m"] = preset.m;
    code["polynomial"] = preset.primitive;
  }
  for (const uint64_t mask : preset.masks) code["masks"].push_back(text("0x{:x}", mask));
  return code;
}

json codes_json(const std::set<std::string_view>& names) {
  json codes = json::object();
  for (const auto name : names) codes[std::string(name)] = code_json(*ecc::find_preset(name));
  return codes;
}

bool has_members(const json& value, const std::set<std::string>& names) {
  if (!value.is_object() || value.size() != names.size()) return false;
  return std::all_of(names.begin(), names.end(), [&](auto& n) { return value.contains(n); });
}

// A list of `count` integers within 0..most.
template <typename T>
std::vector<T> read_list(const json& value, int64_t count, int64_t most, std::string_view what,
                         std::string_view name) {
  bool right = value.is_array() && static_cast<int64_t>(value.size()) == count;
  for (const json& item : right ? value : json::array())
    right = right && item.is_number_integer() && item.get<int64_t>() >= 0 &&
            item.get<int64_t>() <= most;
  if (!right)
    fail("weight image: ecc {} of tensor {}, expected {} integers within 0..{}, got {}", what, name,
         count, most, show_json(value));
  return value.get<std::vector<T>>();
}

TensorProtection read_tensor(const SafetensorsEntry& entry, const json& value, int64_t begin) {
  const bool weights = is_weights(entry.name);
  std::set<std::string> members = {"begin", "preset", "sections"};
  if (weights) members.insert("limits");
  if (!has_members(value, members))
    fail("weight image: ecc of tensor {}, expected begin, {}preset and sections, got {}",
         entry.name, weights ? "limits, " : "", show_json(value));
  const json& name = value["preset"];
  TensorProtection tensor;
  if (name.is_string()) tensor.preset = ecc::find_preset(name.get<std::string>());
  if (tensor.preset == nullptr)
    fail("weight image: ecc preset of tensor {}, expected {}, got {}", entry.name,
         ecc::preset_names(), show_json(name));
  const int64_t bytes = entry.end - entry.begin;
  const int64_t count = section_count(bytes);
  tensor.sections = read_list<uint32_t>(value["sections"], count, kMaxCrc, "sections", entry.name);
  if (weights)
    tensor.limits = read_list<uint8_t>(value["limits"], count, kMaxLimit, "limits", entry.name);
  tensor.begin = begin;
  tensor.words = ecc::PageCode::of(*tensor.preset).word_bytes(static_cast<size_t>(bytes));
  if (value["begin"] != json(begin))
    fail("weight image: ecc begin of tensor {}, expected {}, got {}", entry.name, begin,
         show_json(value["begin"]));
  return tensor;
}

}  // namespace

bool is_weights(std::string_view name) {
  return (name.starts_with("layer.") && name.ends_with(".weights")) ||
         (name.starts_with("host.") && name.ends_with(".weight"));
}

uint32_t section_crc(std::span<const uint8_t> section, int64_t place) {
  std::array<uint8_t, sizeof place> seed;
  std::memcpy(seed.data(), &place, sizeof place);
  return crc32c(section, crc32c(seed));
}

int section_limit(std::span<const uint8_t> section) {
  // Unsigned bytes with the sign bit flipped keep the order and have vector minima everywhere.
  uint8_t low = 128, high = 128;
  for (const uint8_t byte : section) {
    const auto value = static_cast<uint8_t>(byte ^ 128);
    low = std::min(low, value);
    high = std::max(high, value);
  }
  return std::max(128 - low, high - 128);
}

std::map<std::string, const ecc::Preset*> requested_presets(const json& plan) {
  std::map<std::string, const ecc::Preset*> presets;
  const auto ecc = plan.find("ecc");
  if (ecc == plan.end() || *ecc == json::object()) return presets;
  if (!ecc->is_object() || !ecc->contains("tensors") || !(*ecc)["tensors"].is_object() ||
      (*ecc)["tensors"].empty())
    fail("weight image: ecc of the plan, expected tensors with a preset each, got {}",
         show_json(*ecc));
  for (const auto& item : (*ecc)["tensors"].items()) {
    const json& value = item.value();
    const bool named = value.is_object() && value.contains("preset") && value["preset"].is_string();
    const ecc::Preset* preset =
        named ? ecc::find_preset(value["preset"].get<std::string>()) : nullptr;
    if (preset == nullptr)
      fail("weight image: ecc preset of tensor {}, expected {}, got {}", show_text(item.key()),
           ecc::preset_names(), show_json(named ? value["preset"] : value));
    presets[item.key()] = preset;
  }
  return presets;
}

TensorProtection protect(const ecc::Preset& preset, std::string_view name,
                         std::span<const uint8_t> stored, int64_t place,
                         std::vector<uint8_t>& parity) {
  const ecc::PageCode& code = ecc::PageCode::of(preset);
  TensorProtection tensor;
  tensor.preset = &preset;
  tensor.begin = static_cast<int64_t>(parity.size());
  tensor.words = code.word_bytes(stored.size());
  parity.resize(parity.size() + static_cast<size_t>(tensor.words));
  code.encode(stored, std::span(parity).subspan(static_cast<size_t>(tensor.begin)));
  for (size_t at = 0; at < stored.size(); at += kSectionBytes) {
    const auto section = stored.subspan(at, std::min<size_t>(kSectionBytes, stored.size() - at));
    tensor.sections.push_back(section_crc(section, place + static_cast<int64_t>(at)));
    if (is_weights(name))
      tensor.limits.push_back(static_cast<uint8_t>(section_limit(section)));
  }
  return tensor;
}

json protection_json(const Protection& protection) {
  json tensors = json::object();
  std::set<std::string_view> used;
  for (const auto& [name, tensor] : protection) {
    tensors[name] = {
        {"begin", tensor.begin}, {"preset", tensor.preset->name}, {"sections", tensor.sections}};
    if (is_weights(name)) tensors[name]["limits"] = tensor.limits;
    used.insert(tensor.preset->name);
  }
  return {{"codes", codes_json(used)}, {"section", kSectionBytes}, {"tensors", tensors}};
}

Protection read_protection(const json& plan, const std::vector<SafetensorsEntry>& entries,
                           const std::map<std::string, PlanTensor>& guards) {
  const auto ecc = plan.find("ecc");
  if (ecc == plan.end() || *ecc == json::object()) return {};
  if (!has_members(*ecc, {"codes", "section", "tensors"}))
    fail("weight image: ecc of the plan, expected codes, section and tensors, got {}",
         show_json(*ecc));
  if ((*ecc)["section"] != json(kSectionBytes))
    fail("weight image: ecc section of the plan, expected {}, got {}", kSectionBytes,
         show_json((*ecc)["section"]));
  const json& tensors = (*ecc)["tensors"];
  if (!tensors.is_object() || tensors.empty())
    fail("weight image: ecc tensors of the plan, expected an object with entries, got {}",
         show_json(tensors));
  for (const auto& item : tensors.items())
    if (!guards.contains(item.key()) || !is_protectable(item.key()))
      fail("weight image: ecc tensors of the plan, expected layer.* and host.* of this file, got {}",
           show_text(item.key()));
  Protection protection;
  std::set<std::string_view> used;
  int64_t words = 0;
  for (const auto& entry : entries) {
    const auto value = tensors.find(entry.name);
    if (value == tensors.end()) continue;
    TensorProtection& tensor = protection[entry.name] = read_tensor(entry, *value, words);
    tensor.bytes = guards.at(entry.name).bytes;
    words += tensor.words;
    used.insert(tensor.preset->name);
  }
  if (const json codes = codes_json(used); (*ecc)["codes"] != codes)
    fail("weight image: ecc codes of the plan, expected {}, got {}", show_json(codes),
         show_json((*ecc)["codes"]));
  const auto parity = guards.find(std::string(kParity));
  if (parity == guards.end() || parity->second.bytes != words)
    fail("weight image: true length of tensor {}, expected {}, got {}", kParity, words,
         parity == guards.end() ? "none" : std::to_string(parity->second.bytes));
  return protection;
}

}  // namespace lampyris
