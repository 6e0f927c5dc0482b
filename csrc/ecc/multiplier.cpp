#include "ecc/multiplier.h"

#include <algorithm>

#include "core/error.h"

namespace lampyris::ecc {

Rows reduction_rows(const Gf2Polynomial& f) {
  const int m = f.degree();
  if (m < 2) fail("multiplier: polynomial must have degree >= 2, got {}", m);
  Rows rows(m);
  Gf2Polynomial power(1);
  for (int k = 0; k < 2 * m - 1; ++k) {
    for (const int i : power.exponents()) rows[i].push_back(k);
    power = power << 1;
    if (power.coefficient(m)) power ^= f;
  }
  return rows;
}

Rows compose(const Rows& outer, const Rows& inner) {
  Rows rows;
  for (const auto& row : outer) {
    std::vector<int> all;
    for (const int i : row) all.insert(all.end(), inner[i].begin(), inner[i].end());
    std::sort(all.begin(), all.end());
    std::vector<int> odd;
    for (size_t i = 0; i < all.size();) {
      size_t end = i;
      while (end < all.size() && all[end] == all[i]) ++end;
      if ((end - i) % 2) odd.push_back(all[i]);
      i = end;
    }
    rows.push_back(std::move(odd));
  }
  return rows;
}

std::vector<Signal> product_array(Netlist& net, std::span<const Signal> a,
                                  std::span<const Signal> b) {
  const int m = static_cast<int>(a.size());
  std::vector<Signal> d(2 * m - 1);
  for (int k = 0; k < 2 * m - 1; ++k) {
    std::vector<Signal> terms;
    for (int i = std::max(0, k - m + 1); i <= std::min(k, m - 1); ++i)
      terms.push_back(net.land(a[i], b[k - i]));
    d[k] = net.xor_all(std::move(terms));
  }
  return d;
}

namespace {

// Row i of the Hankel matrix of `row`: the j with i + j in it.
void add_forms(Rows& forms, const std::vector<int>& row, int m) {
  for (int i = 0; i < m; ++i) {
    std::vector<int> form;
    for (const int k : row)
      if (k >= i && k - i < m) form.push_back(k - i);
    forms.push_back(std::move(form));
  }
}

Signal dot(Netlist& net, std::span<const Signal> a, const Signal* forms) {
  std::vector<Signal> terms;
  for (size_t i = 0; i < a.size(); ++i) terms.push_back(net.land(a[i], forms[i]));
  return net.xor_all(std::move(terms));
}

}  // namespace

Signal bilinear_form(Netlist& net, std::span<const Signal> a, std::span<const Signal> b,
                     const std::vector<int>& row, Sharing sharing) {
  Rows forms;
  add_forms(forms, row, static_cast<int>(a.size()));
  return dot(net, a, linear_map(net, b, forms, sharing).data());
}

std::vector<Signal> bilinear_forms(Netlist& net, std::span<const Signal> a,
                                   std::span<const Signal> b, const Rows& rows) {
  Rows forms;
  for (const auto& row : rows) add_forms(forms, row, static_cast<int>(a.size()));
  const auto built = linear_map(net, b, forms, Sharing::kCse);
  std::vector<Signal> out;
  for (size_t j = 0; j < rows.size(); ++j) out.push_back(dot(net, a, built.data() + j * a.size()));
  return out;
}

std::vector<Signal> multiply(Netlist& net, std::span<const Signal> a, std::span<const Signal> b,
                             const Gf2Polynomial& f, Form form, Sharing sharing) {
  const Rows rows = reduction_rows(f);
  const int m = f.degree();
  if (form == Form::kTwoStep) return linear_map(net, product_array(net, a, b), rows, sharing);
  std::vector<Signal> c;
  for (int i = 0; i < m; ++i) {
    if (form == Form::kIsolated) net.open_scope();
    // Equal trees of different outputs are one tree in the scope of a Mastrovito multiplier.
    c.push_back(
        bilinear_form(net, a, b, rows[i], form == Form::kIsolated ? sharing : Sharing::kTree));
  }
  if (form == Form::kIsolated) net.open_scope();
  return c;
}

}  // namespace lampyris::ecc
