#include "firefly/image.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/error.h"
#include "firefly/image_layout.h"
#include "firefly/image_plan.h"
#include "firefly/image_protection.h"
#include "firefly/image_repair.h"
#include "io/atomic_file.h"
#include "io/canonical_json.h"
#include "io/crc32c.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"

namespace lampyris {
namespace {

constexpr const char* kFormat = "lampyris.firefly";
constexpr const char* kVersion = "1.0";
constexpr const char* kProtectedVersion = "1.1";
constexpr const char* kMajor = "1.";
constexpr size_t kMaxMinorDigits = 4;
constexpr std::string_view kPrefix = "weight image";

int64_t item_bytes(ImageDtype dtype) { return dtype == ImageDtype::kU32 ? 4 : 1; }

// Major version 1 with any minor: "1." and 1 to 4 digits without a leading zero.
bool is_known_version(std::string_view version) {
  if (!version.starts_with(kMajor)) return false;
  version.remove_prefix(std::string_view(kMajor).size());
  return !version.empty() && version.size() <= kMaxMinorDigits &&
         version.find_first_not_of("0123456789") == version.npos &&
         (version == "0" || version[0] != '0');
}

void check_metadata(const std::map<std::string, std::string>& metadata) {
  if (metadata.size() != 3 || !metadata.contains("format") || !metadata.contains("plan") ||
      !metadata.contains("version")) {
    std::string keys;
    for (const auto& item : metadata) keys += (keys.empty() ? "" : ", ") + show_text(item.first);
    fail("weight image: __metadata__, expected format, plan and version, got {}",
         keys.empty() ? "none" : keys);
  }
  if (metadata.at("format") != kFormat) {
    fail("weight image: format, expected \"{}\", got {}", kFormat,
         show_text(metadata.at("format")));
  }
  if (!is_known_version(metadata.at("version"))) {
    fail("weight image: version, expected \"{}x\", got {}", kMajor,
         show_text(metadata.at("version")));
  }
}

// A tensor's bytes as stored: checksum (unless parts were set to zero), zero padding, register pairs.
std::span<const uint8_t> check_content(const SafetensorsEntry& entry, const PlanTensor& plan,
                                       std::span<const uint8_t> stored, bool partly_zero) {
  if (const uint32_t crc = crc32c(stored); crc != plan.crc32c && !partly_zero) {
    fail("weight image: CRC-32C of tensor {}, expected 0x{:08x}, got 0x{:08x}", entry.name,
         plan.crc32c, crc);
  }
  for (auto i = static_cast<size_t>(plan.bytes); i < stored.size(); ++i) {
    if (stored[i] != 0) {
      fail("weight image: padding of tensor {}, expected zero, got 0x{:02x} at byte {}", entry.name,
           stored[i], i);
    }
  }
  const auto bytes = stored.first(static_cast<size_t>(plan.bytes));
  if (is_registers(entry.name)) check_register_pairs(entry.name, bytes);
  return bytes;
}

// In file order. Where `parity` is given it stands for what the image has under that name.
std::vector<const ImageTensor*> sorted_tensors(const Image& image, const ImageTensor* parity) {
  std::map<std::string, const ImageTensor*> sorted;
  std::vector<std::string> names;
  if (parity != nullptr) sorted.emplace(order_key(parity->name), parity);
  for (const auto& tensor : image.tensors) {
    if (parity != nullptr && tensor.name == parity->name) continue;
    if (!is_tensor_name(tensor.name)) {
      fail("weight image: tensor name, expected [a-z0-9_.]{{1,64}}, got {}",
           show_text(tensor.name));
    }
    if (tensor.name == kIntegrity) {
      fail("weight image: tensor {}, expected to be left to the writer, got one", kIntegrity);
    }
    if (!sorted.emplace(order_key(tensor.name), &tensor).second) {
      fail("weight image: tensor {}, expected once, got twice", tensor.name);
    }
    const auto bytes = static_cast<int64_t>(tensor.bytes.size());
    check_type(tensor.name, item_bytes(tensor.dtype));
    check_extent(tensor.name, bytes);
    if (bytes % item_bytes(tensor.dtype) != 0) {
      fail("weight image: tensor {}, expected whole words, got {} bytes", tensor.name, bytes);
    }
    if (is_registers(tensor.name)) check_register_pairs(tensor.name, tensor.bytes);
  }
  std::vector<const ImageTensor*> tensors;
  for (const auto& [key, tensor] : sorted) {
    tensors.push_back(tensor);
    names.push_back(tensor->name);
  }
  check_layers(names);
  if (static_cast<int64_t>(tensors.size()) + 1 > kMaxTensors) {
    fail("weight image: tensors, expected at most {}, got {}", kMaxTensors, tensors.size() + 1);
  }
  return tensors;
}

void check_requested(const std::map<std::string, const ecc::Preset*>& presets,
                     const std::vector<const ImageTensor*>& tensors) {
  for (const auto& item : presets) {
    const std::string& name = item.first;
    const bool found = std::any_of(tensors.begin(), tensors.end(),
                                   [&](const ImageTensor* t) { return t->name == name; });
    if (!found || name.starts_with("ecc."))
      fail("weight image: ecc tensors of the plan, expected layer.* and host.* of this image, got {}",
           show_text(name));
  }
}

// A file whose header is sound, its protected tensors repaired.
struct Opened {
  std::vector<SafetensorsEntry> entries;
  std::map<std::string, PlanTensor> guards;
  std::string plan_json;
  std::span<const uint8_t> data;
  RepairedTensors repaired;

  std::span<const uint8_t> stored(const SafetensorsEntry& entry) const {
    const auto found = repaired.replaced.find(entry.name);
    if (found != repaired.replaced.end()) return found->second;
    return data.subspan(static_cast<size_t>(entry.begin),
                        static_cast<size_t>(entry.end - entry.begin));
  }
  // Without padding, checked.
  std::span<const uint8_t> content(const SafetensorsEntry& entry) const {
    return check_content(entry, guards.at(entry.name), stored(entry),
                         repaired.partly_zero.contains(entry.name));
  }
};

Opened open_file(std::span<const uint8_t> file, const ReadOptions& options, Repairs* repairs) {
  const auto head_bytes = static_cast<size_t>(check_footer(file));
  SafetensorsHeader header = parse_safetensors_header(file.first(head_bytes));
  check_metadata(header.metadata);
  Opened opened;
  opened.data = file.subspan(head_bytes);
  opened.entries = std::move(header.tensors);
  opened.plan_json = std::move(header.metadata.at("plan"));
  order_entries(opened.entries, static_cast<int64_t>(opened.data.size()));
  const nlohmann::json plan = read_plan(opened.plan_json);
  opened.guards = read_guards(plan, opened.entries);
  const Protection protection = read_protection(plan, opened.entries, opened.guards);
  const std::string_view parity = protection.empty() ? "" : kParity;
  for (const auto& entry : opened.entries)
    check_extent(entry.name, entry.end - entry.begin, parity);
  Repairs rows;
  opened.repaired = repair_tensors(protection, opened.entries, opened.data, options, rows);
  if (repairs != nullptr) *repairs = std::move(rows);
  return opened;
}

}  // namespace

const ImageTensor* Image::find(std::string_view name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const ImageTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

std::vector<uint8_t> write_image(const Image& image) {
  nlohmann::json plan = parse_plan(image.plan_json);
  const auto presets = requested_presets(plan);
  ImageTensor parity{std::string(kParity), ImageDtype::kU8, {}};
  const auto tensors = sorted_tensors(image, presets.empty() ? nullptr : &parity);
  check_requested(presets, tensors);
  std::vector<uint8_t> data;
  std::map<std::string, PlanTensor> guards;
  Protection protection;
  SafetensorsHeader header;
  for (const ImageTensor* tensor : tensors) {
    const auto begin = static_cast<int64_t>(data.size());
    data.insert(data.end(), tensor->bytes.begin(), tensor->bytes.end());
    data.resize(static_cast<size_t>(align_up(static_cast<int64_t>(data.size()))));
    const auto stored = std::span<const uint8_t>(data).subspan(static_cast<size_t>(begin));
    header.tensors.push_back(
        {tensor->name, item_bytes(tensor->dtype), begin, static_cast<int64_t>(data.size())});
    guards[tensor->name] = {static_cast<int64_t>(tensor->bytes.size()), crc32c(stored)};
    const auto preset = presets.find(tensor->name);
    if (preset != presets.end())
      protection[tensor->name] = protect(*preset->second, tensor->name, stored, begin, parity.bytes);
  }
  const auto end = static_cast<int64_t>(data.size());
  header.tensors.push_back({kIntegrity, 1, end, end + kFooterBytes});
  if (!protection.empty()) plan["ecc"] = protection_json(protection);
  header.metadata = {{"format", kFormat},
                     {"version", protection.empty() ? kVersion : kProtectedVersion},
                     {"plan", write_plan(std::move(plan), guards)}};
  const std::string head = write_safetensors_header(header);
  std::vector<uint8_t> file(head.begin(), head.end());
  const Footer footer = make_footer(file, head.size() + data.size() + kFooterBytes);
  file.insert(file.end(), data.begin(), data.end());
  file.insert(file.end(), footer.begin(), footer.end());
  return file;
}

Image read_image(std::span<const uint8_t> file, const ReadOptions& options, Repairs* repairs) {
  Opened opened = open_file(file, options, repairs);
  Image image;
  for (const auto& entry : opened.entries) {
    if (entry.name == kIntegrity) continue;
    const auto bytes = opened.content(entry);
    image.tensors.push_back({entry.name,
                             entry.item_bytes == 4 ? ImageDtype::kU32 : ImageDtype::kU8,
                             {bytes.begin(), bytes.end()}});
  }
  image.plan_json = std::move(opened.plan_json);
  return image;
}

std::vector<uint8_t> repair_image(std::span<const uint8_t> file, Repairs* repairs) {
  const Opened opened = open_file(file, {}, repairs);
  std::vector<uint8_t> repaired(file.begin(), file.end());
  for (const auto& entry : opened.entries) {
    if (entry.name == kIntegrity) continue;
    opened.content(entry);
    const auto stored = opened.stored(entry);
    const auto place = file.size() - opened.data.size() + static_cast<size_t>(entry.begin);
    std::copy(stored.begin(), stored.end(), repaired.begin() + static_cast<ptrdiff_t>(place));
  }
  return repaired;
}

void save_image(const std::string& path, const Image& image) {
  write_file_atomic(path, write_image(image));
}

Image load_image(const std::string& path, const ReadOptions& options, Repairs* repairs) {
  const MappedFile file(path);
  try {
    Image image = read_image(file.bytes(), options, repairs);
    check_program(image);
    return image;
  } catch (const std::invalid_argument& error) {
    std::string_view reason = error.what();
    if (reason.starts_with(kPrefix)) reason.remove_prefix(kPrefix.size());
    if (reason.starts_with(": ")) reason.remove_prefix(2);
    fail("{} {}: {}", kPrefix, path, reason);
  }
}

}  // namespace lampyris
