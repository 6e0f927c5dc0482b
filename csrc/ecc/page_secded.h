// SECDED(72,64) as block RAM has it: an extended Hamming code whose data bits stand at the places
// 3, 5, 6, 7, 9 .. 71 that are no powers of two. Check bit j covers the places with bit j, bit 7 of
// the word all 71 others.
#pragma once

#include <cstdint>
#include <span>

#include "ecc/page_errors.h"

namespace lampyris::ecc {

inline constexpr int kSecdedBytes = 8;

// Check words of pages of 8 bytes.
void encode_secded(std::span<const uint8_t> data, std::span<uint64_t> words);

// The wrong bit behind a difference of check words (stored ^ computed).
PageErrors locate_secded(uint64_t difference);

}  // namespace lampyris::ecc
