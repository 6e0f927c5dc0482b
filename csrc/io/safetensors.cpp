#include "io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/canonical_json.h"

namespace lampyris {
namespace {

using nlohmann::json;

constexpr int64_t kLengthBytes = 8;
constexpr size_t kMaxName = 64;
constexpr const char* kMetadata = "__metadata__";

static_assert(std::endian::native == std::endian::little, "the file is little-endian");

bool has_keys(const json& value, std::initializer_list<const char*> keys) {
  return value.is_object() && value.size() == keys.size() &&
         std::all_of(keys.begin(), keys.end(), [&](auto key) { return value.contains(key); });
}

// A list of `count` integers that are not negative.
bool is_lengths(const json& value, size_t count) {
  return value.is_array() && value.size() == count &&
         std::all_of(value.begin(), value.end(), [](const json& item) {
           return item.is_number_integer() && item.get<int64_t>() >= 0;
         });
}

SafetensorsEntry parse_entry(const std::string& name, const json& value) {
  if (!is_tensor_name(name)) {
    fail("weight image: tensor name, expected [a-z0-9_.]{{1,64}}, got {}", show_json(name));
  }
  if (!has_keys(value, {"data_offsets", "dtype", "shape"})) {
    fail("weight image: tensor {}, expected data_offsets, dtype and shape, got {}", name,
         show_json(value));
  }
  const json& dtype = value["dtype"];
  const json& shape = value["shape"];
  const json& offsets = value["data_offsets"];
  if (dtype != "U8" && dtype != "U32") {
    fail("weight image: dtype of tensor {}, expected U8 or U32, got {}", name, show_json(dtype));
  }
  if (!is_lengths(shape, 1)) {
    fail("weight image: shape of tensor {}, expected one length, got {}", name, show_json(shape));
  }
  if (!is_lengths(offsets, 2)) {
    fail("weight image: data_offsets of tensor {}, expected [begin, end], got {}", name,
         show_json(offsets));
  }
  SafetensorsEntry entry{name, dtype == "U8" ? 1 : 4, offsets[0].get<int64_t>(),
                         offsets[1].get<int64_t>()};
  const int64_t bytes = entry.end - entry.begin;
  if (shape[0].get<int64_t>() * entry.item_bytes != bytes) {
    fail("weight image: data_offsets of tensor {}, expected {} bytes, got {}", name,
         shape[0].get<int64_t>() * entry.item_bytes, bytes);
  }
  if (bytes % kTensorAlign != 0) {
    fail("weight image: length of tensor {}, expected a multiple of {} bytes, got {}", name,
         kTensorAlign, bytes);
  }
  return entry;
}

std::map<std::string, std::string> parse_metadata(const json& header) {
  const auto found = header.find(kMetadata);
  if (found == header.end()) fail("weight image: {}, expected an object, got none", kMetadata);
  if (!found->is_object()) {
    fail("weight image: {}, expected an object, got {}", kMetadata, show_json(*found));
  }
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) {
      fail("weight image: {} {}, expected a text, got {}", kMetadata, show_json(key),
           show_json(value));
    }
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

}  // namespace

bool is_tensor_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") == name.npos;
}

std::string write_safetensors_header(const SafetensorsHeader& header) {
  json value = json::object();
  value[kMetadata] = header.metadata;
  for (const auto& entry : header.tensors) {
    value[entry.name] = {{"data_offsets", {entry.begin, entry.end}},
                         {"dtype", entry.item_bytes == 1 ? "U8" : "U32"},
                         {"shape", {(entry.end - entry.begin) / entry.item_bytes}}};
  }
  const std::string text = dump_canonical_json(value, "header");
  const int64_t bytes = align_up(kLengthBytes + static_cast<int64_t>(text.size()));
  if (bytes > kMaxHeaderBytes) {
    fail("weight image: header, expected at most {} bytes, got {}", kMaxHeaderBytes, bytes);
  }
  const auto length = static_cast<uint64_t>(bytes - kLengthBytes);
  std::string head(static_cast<size_t>(bytes), ' ');
  std::memcpy(head.data(), &length, kLengthBytes);
  std::copy(text.begin(), text.end(), head.begin() + kLengthBytes);
  return head;
}

SafetensorsHeader parse_safetensors_header(std::span<const uint8_t> head) {
  const auto bytes = static_cast<int64_t>(head.size());
  if (bytes < kTensorAlign || bytes > kMaxHeaderBytes || bytes % kTensorAlign != 0) {
    fail("weight image: header, expected a multiple of {} bytes up to {}, got {}", kTensorAlign,
         kMaxHeaderBytes, bytes);
  }
  uint64_t length;
  std::memcpy(&length, head.data(), kLengthBytes);
  if (length != static_cast<uint64_t>(bytes - kLengthBytes)) {
    fail("weight image: header length, expected {}, got {}", bytes - kLengthBytes, length);
  }
  std::string_view text(reinterpret_cast<const char*>(head.data()) + kLengthBytes, length);
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  const json value = parse_canonical_json(text, "header");
  if (!value.is_object()) {
    fail("weight image: header, expected an object, got {}", show_json(value));
  }
  const int64_t needed = align_up(kLengthBytes + static_cast<int64_t>(text.size()));
  if (needed != bytes) {
    fail("weight image: header padding, expected spaces up to byte {}, got {}", needed, bytes);
  }
  SafetensorsHeader header;
  header.metadata = parse_metadata(value);
  const auto count = static_cast<int64_t>(value.size()) - 1;
  if (count > kMaxTensors) {
    fail("weight image: tensors, expected at most {}, got {}", kMaxTensors, count);
  }
  for (const auto& [name, entry] : value.items()) {
    if (name != kMetadata) header.tensors.push_back(parse_entry(name, entry));
  }
  return header;
}

}  // namespace lampyris
