#include "cpu/pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace lampyris {

#if defined(__linux__)

namespace {

constexpr int64_t kLeast = int64_t{6} << 20;
constexpr uintptr_t kCacheLine = 64;
constexpr uintptr_t kHugePage = uintptr_t{2} << 20;
constexpr int kProbes = 4;  // pages looked at, from the first to the last

bool exists(uintptr_t page) {
  unsigned char present = 0;
  return mincore(reinterpret_cast<void*>(page), 1, &present) != 0 || (present & 1) != 0;
}

}  // namespace

bool prepare_pages(void* data, int64_t bytes) {
  if (data == nullptr || bytes < kLeast) return false;
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t last = begin + static_cast<uintptr_t>(bytes) - 1;
  bool ready = true;
  for (int i = 0; i < kProbes; ++i) {
    const uintptr_t at = begin + (last - begin) / (kProbes - 1) * static_cast<uintptr_t>(i);
    ready = ready && exists((at < last ? at : last) / page * page);
  }
  if (ready) return begin % kCacheLine == 0;
  const uintptr_t from = (begin + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t to = (last + 1) / kHugePage * kHugePage;
  if (to > from) madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
  return false;
}

#else

bool prepare_pages(void*, int64_t) { return false; }

#endif

}  // namespace lampyris
