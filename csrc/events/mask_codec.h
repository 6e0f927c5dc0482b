// Frames of few events, stored small: 64-bit masks of the bytes that differ from a background
// value, then those bytes. Decoding is a copy of what is there, faster than reading zeros.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lampyris {

// ceil(n / 64) masks (little-endian, bit i for byte i), then the bytes that differ, in order.
std::vector<uint8_t> encode_masked(std::span<const uint8_t> raw, uint8_t background);

// Fills `raw` from what encode_masked gave for a buffer of its size. Takes any bytes.
// Throws std::invalid_argument: the lengths do not belong together.
void decode_masked(std::span<const uint8_t> coded, uint8_t background, std::span<uint8_t> raw);

}  // namespace lampyris
