#include "firefly/image.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "core/error.h"
#include "firefly/image_layout.h"
#include "firefly/image_plan.h"
#include "io/atomic_file.h"
#include "io/canonical_json.h"
#include "io/crc32c.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"

namespace lampyris {
namespace {

constexpr const char* kFormat = "lampyris.firefly";
constexpr const char* kVersion = "1.0";
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

// A tensor's bytes as stored: checksum, zero padding, register pairs.
std::span<const uint8_t> check_content(const SafetensorsEntry& entry, const PlanTensor& plan,
                                       std::span<const uint8_t> stored) {
  if (const uint32_t crc = crc32c(stored); crc != plan.crc32c) {
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

std::vector<const ImageTensor*> sorted_tensors(const Image& image) {
  std::map<std::string, const ImageTensor*> sorted;
  std::vector<std::string> names;
  for (const auto& tensor : image.tensors) {
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

}  // namespace

const ImageTensor* Image::find(std::string_view name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const ImageTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

std::vector<uint8_t> write_image(const Image& image) {
  const auto tensors = sorted_tensors(image);
  std::vector<uint8_t> data;
  std::map<std::string, PlanTensor> guards;
  SafetensorsHeader header;
  for (const ImageTensor* tensor : tensors) {
    const auto begin = static_cast<int64_t>(data.size());
    data.insert(data.end(), tensor->bytes.begin(), tensor->bytes.end());
    data.resize(static_cast<size_t>(align_up(static_cast<int64_t>(data.size()))));
    const auto stored = std::span<const uint8_t>(data).subspan(static_cast<size_t>(begin));
    header.tensors.push_back(
        {tensor->name, item_bytes(tensor->dtype), begin, static_cast<int64_t>(data.size())});
    guards[tensor->name] = {static_cast<int64_t>(tensor->bytes.size()), crc32c(stored)};
  }
  const auto end = static_cast<int64_t>(data.size());
  header.tensors.push_back({kIntegrity, 1, end, end + kFooterBytes});
  header.metadata = {{"format", kFormat},
                     {"version", kVersion},
                     {"plan", write_plan(image.plan_json, guards)}};
  const std::string head = write_safetensors_header(header);
  std::vector<uint8_t> file(head.begin(), head.end());
  const Footer footer = make_footer(file, head.size() + data.size() + kFooterBytes);
  file.insert(file.end(), data.begin(), data.end());
  file.insert(file.end(), footer.begin(), footer.end());
  return file;
}

Image read_image(std::span<const uint8_t> file) {
  const auto head_bytes = static_cast<size_t>(check_footer(file));
  SafetensorsHeader header = parse_safetensors_header(file.first(head_bytes));
  check_metadata(header.metadata);
  const auto data = file.subspan(head_bytes);
  order_entries(header.tensors, static_cast<int64_t>(data.size()));
  const auto guards = read_plan(header.metadata.at("plan"), header.tensors);
  for (const auto& entry : header.tensors) check_extent(entry.name, entry.end - entry.begin);
  Image image;
  for (const auto& entry : header.tensors) {
    if (entry.name == kIntegrity) continue;
    const auto stored = data.subspan(static_cast<size_t>(entry.begin),
                                     static_cast<size_t>(entry.end - entry.begin));
    const auto bytes = check_content(entry, guards.at(entry.name), stored);
    image.tensors.push_back({entry.name,
                             entry.item_bytes == 4 ? ImageDtype::kU32 : ImageDtype::kU8,
                             {bytes.begin(), bytes.end()}});
  }
  image.plan_json = std::move(header.metadata.at("plan"));
  return image;
}

void save_image(const std::string& path, const Image& image) {
  write_file_atomic(path, write_image(image));
}

Image load_image(const std::string& path) {
  const MappedFile file(path);
  try {
    Image image = read_image(file.bytes());
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
