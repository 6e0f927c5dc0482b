// Neighbourhoods in compressed rows: node i hears from col[row_ptr[i]] ... col[row_ptr[i + 1] - 1].
#pragma once

#include <cstdint>
#include <string_view>

namespace lampyris {

struct Csr {
  int64_t rows = 0, edges = 0;
  int64_t sources = 0;  // nodes that col may name
  const int64_t* row_ptr = nullptr;
  const int64_t* col = nullptr;

  int64_t degree(int64_t row) const { return row_ptr[row + 1] - row_ptr[row]; }
};

// row_ptr starts at 0, never falls and ends at `edges`; every col is in [0, sources). Throws
// std::invalid_argument "<op>: row_ptr must ..., got ..." with the place.
void check_csr(std::string_view op, const Csr& csr);

// The same for pointers that group `items` under the name `name` (graph_ptr over nodes).
void check_pointers(std::string_view op, std::string_view name, const int64_t* ptr, int64_t groups,
                    int64_t items);

}  // namespace lampyris
