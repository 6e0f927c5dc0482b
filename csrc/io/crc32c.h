// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78, start and final XOR 0xffffffff), as in
// iSCSI (RFC 3720, appendix B.4). crc32c("123456789") = 0xe3069283.
#pragma once

#include <cstdint>
#include <span>

namespace lampyris {

// Checksum of `bytes`; `previous` continues the checksum of the bytes before them.
// Takes the SSE4.2 instruction where the processor has it, else a table.
uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t previous = 0);

// The two ways by themselves, for tests. crc32c_sse42 needs crc32c_has_sse42().
uint32_t crc32c_table(std::span<const uint8_t> bytes, uint32_t previous = 0);
uint32_t crc32c_sse42(std::span<const uint8_t> bytes, uint32_t previous = 0);
bool crc32c_has_sse42();

}  // namespace lampyris
