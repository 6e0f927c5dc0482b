#include "ecc/netlist_linear.h"

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace lampyris::ecc {

namespace {

// The pairs of columns by the number of rows that hold both. Columns are bit sets over rows.
class Pairs {
 public:
  Pairs(int columns, const Rows& rows) : words_((rows.size() + 63) / 64), held_(columns) {
    for (auto& bits : held_) bits.assign(words_, 0);
    for (size_t j = 0; j < rows.size(); ++j)
      for (const int c : rows[j]) held_[c][j / 64] ^= uint64_t{1} << j % 64;
    best_.resize(columns);
    for (int c = 0; c < columns; ++c) search(c);
  }

  struct Best {
    int count = 0, partner = -1;
  };

  // The pair in most rows (the oldest of equals), or count 0.
  std::pair<int, Best> best() const {
    std::pair<int, Best> found{-1, {}};
    for (size_t c = 0; c < best_.size(); ++c)
      if (best_[c].count > found.second.count) found = {static_cast<int>(c), best_[c]};
    return found;
  }

  // Replaces both columns by a new one in the rows that hold them.
  void merge(int p, int q) {
    std::vector<uint64_t> both(words_);
    for (size_t w = 0; w < words_; ++w) {
      both[w] = held_[p][w] & held_[q][w];
      held_[p][w] ^= both[w], held_[q][w] ^= both[w];
    }
    const int fresh = static_cast<int>(held_.size());
    held_.push_back(std::move(both));
    best_.emplace_back();
    for (const int c : {p, q, fresh}) search(c);
    for (int c = 0; c < fresh; ++c) {
      if (c == p || c == q) continue;
      if (best_[c].partner == p || best_[c].partner == q) {
        search(c);
      } else if (const int n = count(c, fresh); n > best_[c].count) {
        best_[c] = {n, fresh};
      }
    }
  }

  bool holds(int column, size_t row) const { return held_[column][row / 64] >> row % 64 & 1; }
  int columns() const { return static_cast<int>(held_.size()); }

 private:
  int count(int a, int b) const {
    int n = 0;
    for (size_t w = 0; w < words_; ++w) n += std::popcount(held_[a][w] & held_[b][w]);
    return n;
  }
  void search(int column) {
    Best best;
    for (int c = 0; c < columns(); ++c) {
      if (c == column) continue;
      const int n = count(column, c);
      if (n > best.count) best = {n, c};
    }
    best_[column] = best;
  }
  size_t words_;
  std::vector<std::vector<uint64_t>> held_;
  std::vector<Best> best_;
};

std::vector<Signal> shared_map(Netlist& net, std::span<const Signal> columns, const Rows& rows) {
  std::vector<Signal> signals(columns.begin(), columns.end());
  Pairs pairs(static_cast<int>(signals.size()), rows);
  while (true) {
    const auto [column, best] = pairs.best();
    if (best.count < 2) break;
    pairs.merge(column, best.partner);
    signals.push_back(net.lxor(signals[column], signals[best.partner]));
  }
  std::vector<Signal> out(rows.size());
  std::vector<Signal> terms;
  for (size_t j = 0; j < rows.size(); ++j) {
    terms.clear();
    for (int c = 0; c < pairs.columns(); ++c)
      if (pairs.holds(c, j)) terms.push_back(signals[c]);
    out[j] = net.xor_all(terms);
  }
  return out;
}

}  // namespace

std::vector<Signal> linear_map(Netlist& net, std::span<const Signal> columns, const Rows& rows,
                               Sharing sharing) {
  std::vector<Signal> out;
  if (sharing == Sharing::kTree) {
    for (const auto& row : rows) {
      std::vector<Signal> terms;
      for (const int c : row) terms.push_back(columns[c]);
      out.push_back(net.xor_all(std::move(terms)));
    }
    return out;
  }
  // The work grows with the cube of the matrix: large ones go by blocks of rows, unless few entries
  // are set.
  constexpr size_t kSparse = 16, kColumns = 256, kRows = 2048;
  size_t entries = 0;
  for (const auto& row : rows) entries += row.size();
  const bool dense = entries > kSparse * rows.size();
  const size_t block = rows.size() > kRows                  ? kRows / 2
                       : dense && columns.size() > kColumns ? 8
                                                            : std::max<size_t>(1, rows.size());
  for (size_t begin = 0; begin < rows.size(); begin += block) {
    const size_t end = std::min(rows.size(), begin + block);
    const auto part = shared_map(net, columns, Rows(rows.begin() + begin, rows.begin() + end));
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

}  // namespace lampyris::ecc
