// Whether the pages behind a result exist yet, which decides how to write it.
#pragma once

#include <cstdint>

namespace lampyris {

// Call before a large result is written. True: its pages exist, and stores past the caches pay (6
// MiB or more, aligned to a cache line). Where pages are missing the kernel is asked for huge ones:
// the first touch of 4 KiB pages costs ten times a plain write (measured: 34 MiB 13.1 ms, with huge
// pages 1.4 ms), and stores past the caches would make it worse.
bool prepare_pages(void* data, int64_t bytes);

// The same for rows that all have to start at a cache line.
inline bool prepare_rows(void* data, int64_t rows, int64_t row_bytes) {
  constexpr int64_t kCacheLine = 64;
  return prepare_pages(data, rows * row_bytes) && row_bytes % kCacheLine == 0;
}

}  // namespace lampyris
