#include "core/error.h"
#include "ecc/bch_generator.h"
#include "ecc/netlist_field.h"
#include "ecc/protect.h"

namespace lampyris::ecc {

namespace {

constexpr int kMaxCorrected = 5;
// Columns (coefficient k, bit i) of F(x) at one x = alpha^e, k e taken from `exponents`.
void add_value_rows(Rows& rows, const NetlistField& field, const std::vector<int64_t>& exponents) {
  const int m = field.m();
  const size_t first = rows.size();
  rows.resize(first + m);
  for (size_t k = 0; k < exponents.size(); ++k)
    for (int i = 0; i < m; ++i)
      for (int bit = 0; bit < m; ++bit)
        if (field.power(exponents[k] + i) >> bit & 1)
          rows[first + bit].push_back(static_cast<int>(k) * m + i);
}

// The rows as trees, or as sums of products with one constant each, which come again at other
// positions where the constant does: whichever takes fewer gates.
std::vector<Signal> tree_values(Netlist& net, const std::vector<Signal>& columns, const Rows& rows,
                                int m) {
  Rows products, sums;
  for (const auto& row : rows) {
    std::vector<int> sum;
    for (size_t k = 0; k * m < columns.size(); ++k) {
      std::vector<int> product;
      for (const int c : row)
        if (static_cast<size_t>(c / m) == k) product.push_back(c);
      sum.push_back(static_cast<int>(products.size()));
      products.push_back(std::move(product));
    }
    sums.push_back(std::move(sum));
  }
  Netlist whole = net;
  const auto direct = linear_map(whole, columns, rows, Sharing::kTree);
  Netlist split = net;
  const auto grouped =
      linear_map(split, linear_map(split, columns, products, Sharing::kTree), sums, Sharing::kTree);
  const bool fewer = split.nodes().size() < whole.nodes().size();
  net = fewer ? std::move(split) : std::move(whole);
  return fewer ? grouped : direct;
}

// The affine polynomial constant + sum of coefficients[k] x^(2^k) at every x in `points`.
std::vector<Signal> affine_values(Netlist& net, const NetlistField& field,
                                  const ElementBits& constant,
                                  const std::vector<std::pair<int, ElementBits>>& terms,
                                  const std::vector<uint32_t>& points, Sharing sharing) {
  const int m = field.m();
  std::vector<Signal> columns;
  for (const auto& [power, coefficient] : terms)
    columns.insert(columns.end(), coefficient.begin(), coefficient.end());
  Rows images;  // of the basis
  for (int b = 0; b < m; ++b) {
    std::vector<int64_t> exponents;
    for (const auto& [power, coefficient] : terms) exponents.push_back(int64_t{power} * b);
    add_value_rows(images, field, exponents);
  }
  std::vector<Signal> basis = linear_map(net, columns, images, sharing);
  basis.insert(basis.end(), constant.begin(), constant.end());
  Rows values;
  for (const uint32_t x : points)
    for (int bit = 0; bit < m; ++bit) {
      std::vector<int> row{m * m + bit};
      for (int b = 0; b < m; ++b)
        if (x >> b & 1) row.push_back(b * m + bit);
      values.push_back(std::move(row));
    }
  return linear_map(net, basis, values, sharing);
}

}  // namespace

BchShape bch_shape(int data_bits, int t) {
  if (t < 1 || t > kMaxCorrected) fail("multiplier: t must lie in 1..{}, got {}", kMaxCorrected, t);
  for (int m = kSmallestField; m <= kLargestField; ++m) {
    const Field field(m);
    if (2 * t > field.order() || data_bits >= field.order()) continue;
    const Gf2Polynomial g = bch_generator(field, t);
    if (data_bits + g.degree() <= field.order()) return {m, t, data_bits, g};
  }
  fail("multiplier: a BCH code with t = {} for {} data bits needs a field above GF(2^{})", t,
       data_bits, kLargestField);
}

LinearCode bch_code(const BchShape& shape) {
  const int r = shape.generator.degree();
  LinearCode code{shape.data_bits, Rows(r)};
  Gf2Polynomial power = mod(Gf2Polynomial(1) << r, shape.generator);
  for (int i = 0; i < shape.data_bits; ++i) {
    for (const int j : power.exponents()) code.parity[j].push_back(i);
    power = power << 1;
    if (power.coefficient(r)) power ^= shape.generator;
  }
  return code;
}

std::vector<Signal> locate_bch(Netlist& net, std::span<const Signal> remainder,
                               const BchShape& shape, Sharing sharing, LocatorForm locator) {
  NetlistField field(net, Field(shape.m));
  const int m = shape.m, r = static_cast<int>(remainder.size());
  const int64_t n = (int64_t{1} << m) - 1;
  Rows rows;
  for (int j = 1; j < 2 * shape.t; j += 2) {
    const size_t first = rows.size();
    rows.resize(first + m);
    for (int i = 0; i < r; ++i)
      for (int bit = 0; bit < m; ++bit)
        if (field.power(int64_t{i} * j) >> bit & 1) rows[first + bit].push_back(i);
  }
  net.set_part(Part::kSyndrome);
  const auto flat = linear_map(net, remainder, rows, sharing);
  std::vector<ElementBits> odd;
  for (int j = 0; j < shape.t; ++j)
    odd.emplace_back(flat.begin() + j * m, flat.begin() + (j + 1) * m);
  const LocatorPolynomial f = build_key_equation(net, shape, odd);

  net.set_part(Part::kLocator);
  std::vector<int64_t> exponents;
  for (int i = 0; i < shape.data_bits; ++i)
    exponents.push_back(f.inverse_roots ? n - (r + i) : r + i);
  std::vector<Signal> values;
  const int degree = static_cast<int>(f.coefficients.size()) - 1;
  if (locator == LocatorForm::kFlat || degree < 3) {
    std::vector<Signal> columns;
    for (const ElementBits& c : f.coefficients) columns.insert(columns.end(), c.begin(), c.end());
    Rows points;
    for (const int64_t e : exponents) {
      std::vector<int64_t> powers;
      for (int k = 0; k <= degree; ++k) powers.push_back(k * e);
      add_value_rows(points, field, powers);
    }
    values = sharing == Sharing::kTree ? tree_values(net, columns, points, m)
                                       : linear_map(net, columns, points, sharing);
  } else {
    // F = (f0 + f1 x + f2 x^2 + f4 x^4) + x^3 (f3 + f5 x^2)
    std::vector<uint32_t> points;
    for (const int64_t e : exponents) points.push_back(field.power(e));
    std::vector<std::pair<int, ElementBits>> low;
    for (const int k : {1, 2, 4})
      if (k <= degree) low.push_back({k, f.coefficients[k]});
    const auto first = affine_values(net, field, f.coefficients[0], low, points, sharing);
    std::vector<Signal> second;
    for (size_t p = 0; p < exponents.size(); ++p)
      second.insert(second.end(), f.coefficients[3].begin(), f.coefficients[3].end());
    if (degree == 5)
      second =
          affine_values(net, field, f.coefficients[3], {{2, f.coefficients[5]}}, points, sharing);
    for (size_t p = 0; p < exponents.size(); ++p) {
      std::vector<Signal> columns(second.begin() + p * m, second.begin() + (p + 1) * m);
      columns.insert(columns.end(), first.begin() + p * m, first.begin() + (p + 1) * m);
      Rows sum;
      add_value_rows(sum, field, {3 * exponents[p]});
      for (int bit = 0; bit < m; ++bit) sum[bit].push_back(m + bit);
      const auto value = linear_map(net, columns, sum, sharing);
      values.insert(values.end(), value.begin(), value.end());
    }
  }
  std::vector<Signal> flips;
  for (int i = 0; i < shape.data_bits; ++i)
    flips.push_back(net.lnot(net.or_all({values.begin() + i * m, values.begin() + (i + 1) * m})));
  return flips;
}

}  // namespace lampyris::ecc
