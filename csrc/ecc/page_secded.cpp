#include "ecc/page_secded.h"

#include <array>

namespace lampyris::ecc {
namespace {

constexpr int kDataBits = 64;
constexpr int kOverall = 7;  // bit of the check word
constexpr uint64_t kPlaceMask = 127;

constexpr bool is_power(int place) { return (place & (place - 1)) == 0; }

struct Tables {
  std::array<std::array<uint8_t, 256>, kSecdedBytes> words{};  // of each byte value at each place
  std::array<int8_t, 128> data_bit{};                          // at a place; -1: none

  constexpr Tables() {
    data_bit.fill(-1);
    std::array<uint8_t, kDataBits> columns{};
    for (int place = 3, bit = 0; bit < kDataBits; ++place) {
      if (is_power(place)) continue;
      const int odd = (1 + std::popcount(static_cast<unsigned>(place))) & 1;
      columns[static_cast<size_t>(bit)] = static_cast<uint8_t>(place | odd << kOverall);
      data_bit[static_cast<size_t>(place)] = static_cast<int8_t>(bit++);
    }
    for (size_t byte = 0; byte < words.size(); ++byte)
      for (size_t value = 0; value < 256; ++value)
        for (size_t bit = 0; bit < 8; ++bit)
          if (value >> bit & 1) words[byte][value] ^= columns[8 * byte + bit];
  }
};

constexpr Tables kTables;

}  // namespace

void encode_secded(std::span<const uint8_t> data, std::span<uint64_t> words) {
  const uint8_t* page = data.data();
  for (uint64_t& word : words) {
    uint8_t check = 0;
    for (size_t i = 0; i < kSecdedBytes; ++i) check ^= kTables.words[i][page[i]];
    word = check;
    page += kSecdedBytes;
  }
}

PageErrors locate_secded(uint64_t difference) {
  PageErrors errors;
  if (difference == 0) return errors;
  const uint64_t place = difference & kPlaceMask;
  const bool odd = std::popcount(difference) & 1;
  if (!odd) {
    errors.correctable = false;
  } else if (place == 0) {
    errors.flips = uint64_t{1} << kOverall;
  } else if (is_power(static_cast<int>(place))) {
    errors.flips = place;
  } else if (const int bit = kTables.data_bit[place]; bit >= 0) {
    errors.places = {bit};
  } else {
    errors.correctable = false;
  }
  return errors;
}

}  // namespace lampyris::ecc
