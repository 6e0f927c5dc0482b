#include "firefly/image_layout.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "io/crc32c.h"

namespace lampyris {
namespace {

constexpr char kMagic[] = "LAMPFOOT";
constexpr size_t kMagicBytes = 8;
// Byte positions inside the footer.
constexpr size_t kHeadBytesAt = 8;
constexpr size_t kHeadCrcAt = 12;
constexpr size_t kFileBytesAt = 16;
constexpr size_t kReservedAt = 24;
constexpr size_t kFooterCrcAt = 60;

constexpr std::string_view kLayer = "layer.";
constexpr size_t kLayerDigits = 3;
constexpr std::array<std::string_view, 3> kLayerParts = {".registers", ".weights", ".bias"};

constexpr uint32_t kMaxRelocation = 2;  // 0 literal, 1 + image base, 2 + arena base
constexpr size_t kPairBytes = 8;

template <typename T>
T load(std::span<const uint8_t> bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <typename T>
void store(Footer& footer, size_t at, T value) {
  std::memcpy(footer.data() + at, &value, sizeof value);
}

bool starts_with_more(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) && name.size() > prefix.size();
}

std::string hexadecimal(std::span<const uint8_t> bytes) {
  std::string out;
  for (const uint8_t byte : bytes) out += text("{:02x}", byte);
  return out;
}

// "layer.NNN.registers" -> "NNN0"; "" for anything else.
std::string layer_key(std::string_view name) {
  if (!name.starts_with(kLayer)) return "";
  name.remove_prefix(kLayer.size());
  const std::string_view digits = name.substr(0, kLayerDigits);
  if (digits.size() < kLayerDigits || digits.find_first_not_of("0123456789") != digits.npos) {
    return "";
  }
  const auto part = std::find(kLayerParts.begin(), kLayerParts.end(), name.substr(kLayerDigits));
  if (part == kLayerParts.end()) return "";
  return std::string(digits) + std::to_string(part - kLayerParts.begin());
}

}  // namespace

Footer make_footer(std::span<const uint8_t> head, uint64_t file_bytes) {
  Footer footer{};
  std::memcpy(footer.data(), kMagic, kMagicBytes);
  store(footer, kHeadBytesAt, static_cast<uint32_t>(head.size()));
  store(footer, kHeadCrcAt, crc32c(head));
  store(footer, kFileBytesAt, file_bytes);
  store(footer, kFooterCrcAt, crc32c(std::span(footer).first(kFooterCrcAt)));
  return footer;
}

int64_t check_footer(std::span<const uint8_t> file) {
  const auto file_bytes = static_cast<int64_t>(file.size());
  if (file_bytes < kTensorAlign + kFooterBytes || file_bytes % kTensorAlign != 0) {
    fail("weight image: file length, expected a multiple of {} of at least {} bytes, got {}",
         kTensorAlign, kTensorAlign + kFooterBytes, file_bytes);
  }
  const auto footer = file.last(kFooterBytes);
  if (std::memcmp(footer.data(), kMagic, kMagicBytes) != 0) {
    fail("weight image: footer, expected {} 64 bytes before the end, got 0x{}", kMagic,
         hexadecimal(footer.first(kMagicBytes)));
  }
  const auto own = load<uint32_t>(footer, kFooterCrcAt);
  if (const auto crc = crc32c(footer.first(kFooterCrcAt)); crc != own) {
    fail("weight image: footer CRC-32C, expected 0x{:08x}, got 0x{:08x}", own, crc);
  }
  for (size_t i = kReservedAt; i < kFooterCrcAt; ++i) {
    if (footer[i] != 0) {
      fail("weight image: footer byte {}, expected zero, got 0x{:02x}", i, footer[i]);
    }
  }
  if (const auto stated = load<uint64_t>(footer, kFileBytesAt); stated != file.size()) {
    fail("weight image: file length, expected {} as the footer says, got {}", stated, file_bytes);
  }
  const int64_t head_bytes = load<uint32_t>(footer, kHeadBytesAt);
  const int64_t most = std::min(kMaxHeaderBytes, file_bytes - kFooterBytes);
  if (head_bytes < kTensorAlign || head_bytes > most || head_bytes % kTensorAlign != 0) {
    fail("weight image: header bytes in the footer, expected a multiple of {} up to {}, got {}",
         kTensorAlign, most, head_bytes);
  }
  const auto stated = load<uint32_t>(footer, kHeadCrcAt);
  if (const auto crc = crc32c(file.first(static_cast<size_t>(head_bytes))); crc != stated) {
    fail("weight image: header CRC-32C, expected 0x{:08x}, got 0x{:08x}", stated, crc);
  }
  return head_bytes;
}

std::string order_key(std::string_view name) {
  if (const std::string key = layer_key(name); !key.empty()) return "0" + key;
  if (starts_with_more(name, "host.")) return "1" + std::string(name);
  if (starts_with_more(name, "ecc.")) return "2" + std::string(name);
  if (name == kIntegrity) return "3";
  fail("weight image: tensor name, expected layer.NNN.registers, .weights or .bias, host.*, ecc.* "
       "or integrity, got {}",
       name);
}

bool is_registers(std::string_view name) {
  return name.starts_with(kLayer) && name.ends_with(kLayerParts[0]);
}

void check_type(std::string_view name, int64_t item_bytes) {
  const bool registers = is_registers(name);
  const bool free = name.starts_with("host.");
  if (!free && item_bytes != (registers ? 4 : 1)) {
    fail("weight image: dtype of tensor {}, expected {}, got {}", name, registers ? "U32" : "U8",
         registers ? "U8" : "U32");
  }
}

void check_extent(std::string_view name, int64_t bytes, std::string_view parity) {
  const bool ecc = name.starts_with("ecc.");
  if (ecc && name != parity && bytes != 0) {
    fail("weight image: tensor {}, expected no bytes, for the plan's ecc does not use it, got {}",
         name, bytes);
  }
  if (!ecc && bytes == 0) fail("weight image: tensor {}, expected at least 1 byte, got 0", name);
}

void check_layers(const std::vector<std::string>& sorted) {
  int next = 0;  // layers seen so far
  for (const auto& name : sorted) {
    if (!name.starts_with(kLayer)) continue;
    const std::string current = text("layer.{:03}", next - 1);
    const std::string expected = text("layer.{:03}{}", next, kLayerParts[0]);
    if (name == expected) {
      ++next;
    } else if (!name.starts_with(current + ".")) {
      fail("weight image: layers, expected tensor {}, got {}", expected, name);
    }
  }
}

void order_entries(std::vector<SafetensorsEntry>& entries, int64_t data_bytes) {
  std::vector<std::pair<std::string, SafetensorsEntry>> keyed;
  for (auto& entry : entries) {
    std::string key = order_key(entry.name);
    check_type(entry.name, entry.item_bytes);
    keyed.emplace_back(std::move(key), std::move(entry));
  }
  std::sort(keyed.begin(), keyed.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  entries.clear();
  for (auto& [key, entry] : keyed) {
    names.push_back(entry.name);
    entries.push_back(std::move(entry));
  }
  check_layers(names);
  if (names.empty() || names.back() != kIntegrity) {
    fail("weight image: tensor {}, expected at the end, got none", kIntegrity);
  }
  int64_t end = 0;
  for (const auto& entry : entries) {
    if (entry.begin != end) {
      fail("weight image: start of tensor {}, expected {}, got {}", entry.name, end, entry.begin);
    }
    end = entry.end;
  }
  if (entries.back().end - entries.back().begin != kFooterBytes) {
    fail("weight image: length of tensor {}, expected {}, got {}", kIntegrity, kFooterBytes,
         entries.back().end - entries.back().begin);
  }
  if (end != data_bytes) {
    fail("weight image: end of the tensors, expected {}, got {}", data_bytes, end);
  }
}

void check_register_pairs(std::string_view name, std::span<const uint8_t> bytes) {
  if (bytes.size() % kPairBytes != 0) {
    fail("weight image: tensor {}, expected pairs of words (8 bytes each), got {} bytes", name,
         bytes.size());
  }
  for (size_t at = 0; at < bytes.size(); at += kPairBytes) {
    const auto word = load<uint32_t>(bytes, at);
    if (word >> 16 > kMaxRelocation || word % 4 != 0) {
      fail("weight image: tensor {}, expected an offset divisible by 4 and relocation 0 to {} in "
           "pair {}, got 0x{:08x}",
           name, kMaxRelocation, at / kPairBytes, word);
    }
  }
}

}  // namespace lampyris
