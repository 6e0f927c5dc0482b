#include "core/csr.h"

#include "core/error.h"

namespace lampyris {

void check_pointers(std::string_view op, std::string_view name, const int64_t* ptr, int64_t groups,
                    int64_t items) {
  if (ptr[0] != 0) fail("{}: {} must start at 0, got {}", op, name, ptr[0]);
  for (int64_t i = 0; i < groups; ++i) {
    if (ptr[i + 1] < ptr[i]) {
      fail("{}: {} must not fall, got {} after {} at [{}]", op, name, ptr[i + 1], ptr[i], i + 1);
    }
  }
  if (ptr[groups] != items) {
    fail("{}: {} must end at {}, got {}", op, name, items, ptr[groups]);
  }
}

void check_csr(std::string_view op, const Csr& csr) {
  check_pointers(op, "row_ptr", csr.row_ptr, csr.rows, csr.edges);
  bool inside = true;
  for (int64_t e = 0; e < csr.edges; ++e) {
    inside &= static_cast<uint64_t>(csr.col[e]) < static_cast<uint64_t>(csr.sources);
  }
  if (inside) return;
  for (int64_t e = 0; e < csr.edges; ++e) {
    if (csr.col[e] < 0 || csr.col[e] >= csr.sources) {
      fail("{}: col must be in [0, {}), got {} at [{}]", op, csr.sources, csr.col[e], e);
    }
  }
}

}  // namespace lampyris
