#include "io/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace lampyris {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;
constexpr int kWord = 8;  // bytes a step, one table each

using Tables = std::array<std::array<uint32_t, 256>, kWord>;

// tables[k][b]: what byte b does to the register when k more zero bytes follow it.
constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (int k = 1; k < kWord; ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 255];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

uint32_t crc32c_table(std::span<const uint8_t> bytes, uint32_t previous) {
  uint32_t crc = ~previous;
  const uint8_t* p = bytes.data();
  size_t n = bytes.size();
  for (; n >= kWord; n -= kWord, p += kWord) {
    const uint32_t low =
        crc ^ (uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24);
    crc = kTables[7][low & 255] ^ kTables[6][low >> 8 & 255] ^ kTables[5][low >> 16 & 255] ^
          kTables[4][low >> 24] ^ kTables[3][p[4]] ^ kTables[2][p[5]] ^ kTables[1][p[6]] ^
          kTables[0][p[7]];
  }
  for (; n > 0; --n, ++p) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 255];
  return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(std::span<const uint8_t> bytes,
                                                        uint32_t previous) {
  uint64_t crc = static_cast<uint32_t>(~previous);
  const uint8_t* p = bytes.data();
  size_t n = bytes.size();
  for (; n >= kWord; n -= kWord, p += kWord) {
    uint64_t word;
    std::memcpy(&word, p, sizeof word);
    crc = _mm_crc32_u64(crc, word);
  }
  auto rest = static_cast<uint32_t>(crc);
  for (; n > 0; --n, ++p) rest = _mm_crc32_u8(rest, *p);
  return ~rest;
}

bool crc32c_has_sse42() { return __builtin_cpu_supports("sse4.2") != 0; }

#else

uint32_t crc32c_sse42(std::span<const uint8_t> bytes, uint32_t previous) {
  return crc32c_table(bytes, previous);
}

bool crc32c_has_sse42() { return false; }

#endif

uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t previous) {
  static const bool hardware = crc32c_has_sse42();
  return hardware ? crc32c_sse42(bytes, previous) : crc32c_table(bytes, previous);
}

}  // namespace lampyris
