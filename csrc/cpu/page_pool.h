// Memory of large results, kept when they are freed and given out again, the last freed first: it
// is still in caches then. (glibc hands out free blocks of one size in the order in which they were
// freed, the coldest first.) Off until someone asks for it.
#pragma once

#include <cstdint>

namespace lampyris {

// Whether it was on before. Off: what is kept goes back to the system.
bool keep_pages(bool on);

// `bytes` at the start of a page; null where the pool is off or the block too small to matter.
void* take_pages(int64_t bytes);

// For what take_pages() gave.
void return_pages(void* data);

}  // namespace lampyris
