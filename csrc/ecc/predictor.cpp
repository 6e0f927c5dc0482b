#include "ecc/predictor.h"

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace lampyris::ecc {

std::vector<Signal> predict(Netlist& net, std::span<const Signal> a, std::span<const Signal> b,
                            const Gf2Polynomial& f, const LinearCode& code, Predictor predictor,
                            Sharing sharing) {
  net.set_part(Part::kPredictor);
  net.open_scope();
  const Rows rows = compose(code.parity, reduction_rows(f));
  if (predictor == Predictor::kDup) {
    const auto p = linear_map(net, product_array(net, a, b), rows, sharing);
    net.open_scope();
    return p;
  }
  std::vector<Signal> parity;
  const int m = f.degree();
  // Up to 64 bits the forms of all parity bits share pairs; above, those of one.
  constexpr int kShared = 64;
  if (predictor == Predictor::kLin && sharing == Sharing::kCse && m <= kShared) {
    parity = bilinear_forms(net, a, b, rows);
  } else {
    for (const auto& row : rows) {
      if (predictor == Predictor::kIso) net.open_scope();
      parity.push_back(bilinear_form(net, a, b, row, sharing));
    }
  }
  net.open_scope();
  return parity;
}

std::vector<Signal> remainder(Netlist& net, std::span<const Signal> c,
                              std::span<const Signal> parity, const LinearCode& code,
                              Sharing sharing) {
  std::vector<Signal> columns(c.begin(), c.end());
  columns.insert(columns.end(), parity.begin(), parity.end());
  Rows rows = code.parity;
  for (size_t j = 0; j < rows.size(); ++j) rows[j].push_back(static_cast<int>(c.size() + j));
  return linear_map(net, columns, rows, sharing);
}

LinearCode hamming_code(int data_bits) {
  int r = 2;
  while ((1 << r) - r - 1 < data_bits) ++r;
  LinearCode code{data_bits, Rows(r)};
  int i = 0;
  for (int weight = 2; weight <= r; ++weight)
    for (uint32_t column = 1; column < 1u << r && i < data_bits; ++column)
      if (std::popcount(column) == weight) {
        for (int j = 0; j < r; ++j)
          if (column >> j & 1) code.parity[j].push_back(i);
        ++i;
      }
  return code;
}

int cross_parity_rows(int data_bits) {
  int best = 1;
  const auto bits = [&](int rows) { return rows + (data_bits + rows - 1) / rows; };
  for (int rows = 1; rows * rows <= data_bits; ++rows)
    if (bits(rows) <= bits(best)) best = rows;
  return best;
}

LinearCode cross_parity_code(int data_bits) {
  const int rows = cross_parity_rows(data_bits);
  LinearCode code{data_bits, Rows(rows + (data_bits + rows - 1) / rows)};
  for (int i = 0; i < data_bits; ++i) {
    code.parity[i % rows].push_back(i);
    code.parity[rows + i / rows].push_back(i);
  }
  return code;
}

}  // namespace lampyris::ecc
