// Names, types and order of an image's tensors, and its 64-byte footer (contract section 6, items
// 2, 4 and 5). Used by the one writer and the one reader in image.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/safetensors.h"

namespace lampyris {

inline constexpr int64_t kFooterBytes = 64;
inline constexpr const char* kIntegrity = "integrity";

using Footer = std::array<uint8_t, kFooterBytes>;

// The footer of a file whose first bytes are `head`.
Footer make_footer(std::span<const uint8_t> head, uint64_t file_bytes);

// Checks length, footer and header checksum; gives the number of header bytes, 8 + N.
int64_t check_footer(std::span<const uint8_t> file);

// Sorting by this text gives file order. Refuses a name that an image cannot have.
std::string order_key(std::string_view name);

// True for layer.NNN.registers.
bool is_registers(std::string_view name);

// Refuses a type that does not belong to the name.
void check_type(std::string_view name, int64_t item_bytes);

// Refuses an empty tensor, and an ecc.* tensor that is not empty although `parity` does not name it.
void check_extent(std::string_view name, int64_t bytes, std::string_view parity = "");

// Refuses layer numbers that do not count 000, 001, ... or a layer without registers.
// `sorted` is in file order.
void check_layers(const std::vector<std::string>& sorted);

// Sorts into file order and checks that integrity is there and that the tensors fill `data_bytes`
// without gap or overlap.
void order_entries(std::vector<SafetensorsEntry>& entries, int64_t data_bytes);

// Refuses registers that are not pairs (offset | relocation << 16, value).
void check_register_pairs(std::string_view name, std::span<const uint8_t> bytes);

}  // namespace lampyris
