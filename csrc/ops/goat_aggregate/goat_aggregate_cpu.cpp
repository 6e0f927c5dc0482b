// The choice of the cells by instruction set, their baseline form, and how rows are cut into pieces.
#include "cpu/isa.h"
#include "ops/goat_aggregate/goat_aggregate_backward_wide.h"
#include "ops/goat_aggregate/goat_aggregate_forward_wide.h"
#include "ops/goat_aggregate/goat_aggregate_isa.h"

namespace lampyris {

void goat_forward_rows(const GoatForward<float>& a, int64_t head, int64_t begin, int64_t end) {
#if defined(__x86_64__)
  if (isa() >= Isa::kAvx512) return goat_forward_avx512(a, head, begin, end);
  if (isa() == Isa::kAvx2) return goat_forward_avx2(a, head, begin, end);
#endif
  goat_forward_any(a, head, begin, end);
}

void goat_forward_rows(const GoatForward<double>& a, int64_t head, int64_t begin, int64_t end) {
  goat_forward_any(a, head, begin, end);
}

void goat_backward_rows(const GoatBackward<float>& a, const GoatSums<float>& sums, int64_t head,
                        int64_t begin, int64_t end) {
#if defined(__x86_64__)
  if (isa() >= Isa::kAvx512) return goat_backward_avx512(a, sums, head, begin, end);
  if (isa() == Isa::kAvx2) return goat_backward_avx2(a, sums, head, begin, end);
#endif
  goat_backward_any(a, sums, head, begin, end);
}

void goat_backward_rows(const GoatBackward<double>& a, const GoatSums<double>& sums, int64_t head,
                        int64_t begin, int64_t end) {
  goat_backward_any(a, sums, head, begin, end);
}

int64_t goat_cut(const Csr& csr, int64_t k, int64_t pieces) {
  const int64_t work = csr.rows + csr.edges;
  // k * work / pieces without overflow: pieces and k are small.
  const int64_t until = work / pieces * k + work % pieces * k / pieces;
  int64_t low = 0, high = csr.rows;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (middle + csr.row_ptr[middle] < until) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return k == pieces ? csr.rows : low;
}

int64_t goat_chunks(const Csr& csr) {
  constexpr int64_t kFewest = 4, kMost = 16;
  constexpr int64_t kSmallest = 4096;     // edges of a chunk worth sums of its own
  constexpr int64_t kEdgesPerSource = 8;  // of a chunk, for each source whose sums it holds
  const int64_t by_memory = csr.edges / std::max<int64_t>(1, kEdgesPerSource * csr.sources);
  const int64_t wanted = std::clamp(by_memory, kFewest, kMost);
  return std::clamp<int64_t>(csr.edges / kSmallest, 1, wanted);
}

}  // namespace lampyris
