#include "events/mask_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"

namespace lampyris {

namespace {
constexpr size_t kGroup = 64;
}

std::vector<uint8_t> encode_masked(std::span<const uint8_t> raw, uint8_t background) {
  const size_t groups = (raw.size() + kGroup - 1) / kGroup;
  std::vector<uint8_t> coded(groups * sizeof(uint64_t) + raw.size());
  size_t written = groups * sizeof(uint64_t);
  for (size_t g = 0; g < groups; ++g) {
    const size_t first = g * kGroup, last = std::min(first + kGroup, raw.size());
    uint64_t mask = 0;
    for (size_t i = first; i < last; ++i) {
      mask |= uint64_t{raw[i] != background} << (i - first);
      coded[written] = raw[i];
      written += raw[i] != background;
    }
    std::memcpy(&coded[g * sizeof mask], &mask, sizeof mask);
  }
  coded.resize(written);
  return coded;
}

void decode_masked(std::span<const uint8_t> coded, uint8_t background, std::span<uint8_t> raw) {
  const size_t groups = (raw.size() + kGroup - 1) / kGroup;
  size_t read = groups * sizeof(uint64_t);
  if (coded.size() < read) {
    fail("frame cache: a sample of {} bytes must have {} mask bytes, got {}", raw.size(), read,
         coded.size());
  }
  std::fill(raw.begin(), raw.end(), background);
  for (size_t g = 0; g < groups; ++g) {
    uint64_t mask = 0;
    std::memcpy(&mask, &coded[g * sizeof mask], sizeof mask);
    if (mask == 0) continue;
    const size_t first = g * kGroup;
    const auto count = static_cast<size_t>(std::popcount(mask));
    const size_t reach = first + kGroup - static_cast<size_t>(std::countl_zero(mask));
    if (count > coded.size() - read || reach > raw.size()) {
      fail("frame cache: masks of a sample must fit its {} bytes, got more", raw.size());
    }
    for (; mask != 0; mask &= mask - 1) {
      raw[first + static_cast<size_t>(std::countr_zero(mask))] = coded[read++];
    }
  }
  if (read != coded.size()) {
    fail("frame cache: a sample must end with its last byte, got {} more", coded.size() - read);
  }
}

}  // namespace lampyris
