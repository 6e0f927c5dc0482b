#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "core/error.h"
#include "ecc/protect.h"

namespace lampyris::ecc {

namespace {

// AND of bits [begin, end), each as `pattern` says; halves are shared between patterns.
Signal match(Netlist& net, std::span<const Signal> bits, const std::vector<bool>& pattern,
             size_t begin, size_t end) {
  if (end - begin == 1) return pattern[begin] ? bits[begin] : net.lnot(bits[begin]);
  const size_t middle = (begin + end) / 2;
  return net.land(match(net, bits, pattern, begin, middle), match(net, bits, pattern, middle, end));
}

// Rows over GF(2) as words of columns; returns the pivot columns, or fewer than rows if dependent.
std::vector<int> eliminate(std::vector<std::vector<bool>>& rows) {
  std::vector<int> pivots;
  const int columns = static_cast<int>(rows[0].size());
  for (int c = columns - 1; c >= 0 && pivots.size() < rows.size(); --c) {
    const size_t top = pivots.size();
    size_t found = top;
    while (found < rows.size() && !rows[found][c]) ++found;
    if (found == rows.size()) continue;
    std::swap(rows[top], rows[found]);
    for (size_t j = 0; j < rows.size(); ++j)
      if (j != top && rows[j][c])
        for (int k = 0; k < columns; ++k) rows[j][k] = rows[j][k] != rows[top][k];
    pivots.push_back(c);
  }
  return pivots;
}

constexpr int kColumnWeight = 3;  // d_v

// n columns of weight 3 on r rows of weight 3 n / r, no two columns with two rows in common; empty
// where this draw met a dead end.
Rows draw_columns(int n, int r, std::mt19937& random) {
  const int weight = kColumnWeight * n / r;
  std::vector<int> left(r, weight);
  std::set<std::pair<int, int>> used;
  Rows columns;
  for (int c = 0; c < n; ++c) {
    // Rows with most places left first, ties at random.
    std::vector<std::pair<std::pair<int, uint32_t>, int>> order;
    for (int j = 0; j < r; ++j)
      if (left[j] > 0) order.push_back({{-left[j], random()}, j});
    std::sort(order.begin(), order.end());
    std::vector<int> column;
    for (const auto& [key, j] : order) {
      bool free = true;
      for (const int i : column) free = free && !used.count(std::minmax(i, j));
      if (free) column.push_back(j);
      if (static_cast<int>(column.size()) == kColumnWeight) break;
    }
    if (static_cast<int>(column.size()) < kColumnWeight) return {};
    for (int i = 0; i < kColumnWeight; ++i) {
      --left[column[i]];
      for (int j = 0; j < i; ++j) used.insert(std::minmax(column[i], column[j]));
    }
    columns.push_back(column);
  }
  return columns;
}

}  // namespace

std::vector<Signal> locate_columns(Netlist& net, std::span<const Signal> remainder,
                                   const LinearCode& code) {
  std::vector<Signal> flips;
  for (int i = 0; i < code.data_bits; ++i) {
    std::vector<bool> pattern;
    for (const auto& row : code.parity)
      pattern.push_back(std::count(row.begin(), row.end(), i) > 0);
    flips.push_back(match(net, remainder, pattern, 0, remainder.size()));
  }
  return flips;
}

CheckedCode ldpc_code(int data_bits) {
  const int k = data_bits;
  std::mt19937 random(1);
  // Row weight 3 (k + r) / r is whole where r divides 3 k; r rows have r (r - 1) / 2 pairs.
  for (int r = 4; r <= 3 * k; ++r) {
    const int n = k + r;
    if (3 * k % r != 0 || n * kColumnWeight > r * (r - 1) / 2) continue;
    for (int attempt = 0; attempt < 200; ++attempt) {
      const Rows columns = draw_columns(n, r, random);
      if (columns.empty()) continue;
      std::vector<std::vector<bool>> h(r, std::vector<bool>(n));
      for (int c = 0; c < n; ++c)
        for (const int j : columns[c]) h[j][c] = true;
      const std::vector<int> pivots = eliminate(h);
      if (static_cast<int>(pivots.size()) < r) continue;
      // Free columns carry the data, pivot j carries parity bit j.
      std::vector<int> place(n, -1);
      for (int j = 0; j < r; ++j) place[pivots[j]] = k + j;
      int next = 0;
      for (int c = 0; c < n; ++c)
        if (place[c] < 0) place[c] = next++;
      CheckedCode found{{k, Rows(r)}, Rows(r)};
      for (int c = 0; c < n; ++c) {
        for (const int j : columns[c]) found.checks[j].push_back(place[c]);
        if (place[c] < k)
          for (int j = 0; j < r; ++j)
            if (h[j][c]) found.code.parity[j].push_back(place[c]);
      }
      return found;
    }
  }
  fail("multiplier: no regular LDPC code of column weight {} was found for {} bits", kColumnWeight,
       k);
}

LinearCode signature_code(const Netlist& multiplier, int data_bits) {
  // The outputs that a wrong node changes: only XOR gates lie between a node and an output here.
  const auto& nodes = multiplier.nodes();
  std::vector<std::vector<int>> reaches(nodes.size());
  const auto& outputs = multiplier.outputs().front().bits;
  for (int i = 0; i < data_bits; ++i) reaches[outputs[i]].push_back(i);
  std::set<std::vector<int>> patterns;
  for (size_t s = nodes.size(); s-- > 2;) {
    if (nodes[s].op < Op::kAnd) continue;
    auto& pattern = reaches[s];
    std::sort(pattern.begin(), pattern.end());
    std::vector<int> odd;
    for (const int i : pattern) {
      if (!odd.empty() && odd.back() == i)
        odd.pop_back();
      else
        odd.push_back(i);
    }
    if (!odd.empty()) patterns.insert(odd);
    if (nodes[s].op == Op::kXor)
      for (const Signal from : {nodes[s].a, nodes[s].b})
        reaches[from].insert(reaches[from].end(), odd.begin(), odd.end());
  }
  // Each output a non-zero column; a pattern is tested when its last output has one.
  std::vector<std::vector<const std::vector<int>*>> closing(data_bits);
  for (const auto& pattern : patterns) closing[pattern.back()].push_back(&pattern);
  for (int r = 1; r <= 16; ++r) {
    std::vector<uint32_t> column(data_bits, 0);
    int64_t budget = 1 << 20;
    int i = 0;
    while (i >= 0 && i < data_bits && budget-- > 0) {
      bool lost = true;
      while (lost && ++column[i] < 1u << r) {
        lost = false;
        for (const auto* pattern : closing[i]) {
          uint32_t sum = 0;
          for (const int output : *pattern) sum ^= column[output];
          lost = lost || sum == 0;
        }
      }
      if (lost)
        column[i--] = 0;
      else
        ++i;
    }
    if (i < data_bits) continue;
    LinearCode code{data_bits, Rows(r)};
    for (int j = 0; j < r; ++j)
      for (int bit = 0; bit < data_bits; ++bit)
        if (column[bit] >> j & 1) code.parity[j].push_back(bit);
    return code;
  }
  fail("multiplier: no signature of up to 16 bits tells every single fault");
}

}  // namespace lampyris::ecc
