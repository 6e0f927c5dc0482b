// The order of neighbours. Scores per edge: every row sorted by itself. Keys per source: one ranking
// of the sources, then one pass over the edges by source, which fills every row in order.
#include <algorithm>
#include <vector>

#include "core/half.h"
#include "ops/goat_aggregate/goat_aggregate.h"

namespace lampyris {

namespace {

uint32_t to_bits(float value) { return bits_of(value); }
uint64_t to_bits(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// An unsigned number that orders as the score does: -0 is 0, NaN is the largest either way.
template <typename T>
auto sort_key(T score, bool descending) {
  using Bits = decltype(to_bits(score));
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
  if (score != score) return ~Bits{0};
  const Bits bits = to_bits(score + T(0));
  const Bits rising = (bits & kSign) != 0 ? ~bits : bits | kSign;
  return descending ? ~rising : rising;
}

template <typename Bits>
struct Keyed {
  Bits key;
  int32_t place;

  friend bool operator<(const Keyed& a, const Keyed& b) {
    return a.key < b.key || (a.key == b.key && a.place < b.place);
  }
};

// Places are distinct, so that no sort needs to be stable. Short rows, most of them, by insertion.
template <typename K>
void sort_keyed(K* items, int64_t count) {
  constexpr int64_t kShort = 24;
  if (count > kShort) return std::sort(items, items + count);
  for (int64_t i = 1; i < count; ++i) {
    const K item = items[i];
    int64_t j = i;
    for (; j > 0 && item < items[j - 1]; --j) items[j] = items[j - 1];
    items[j] = item;
  }
}

// float: key and place in one word, compared at once.
struct Packed {
  uint64_t word;

  friend bool operator<(Packed a, Packed b) { return a.word < b.word; }
};
Packed pack(uint32_t key, int32_t place) { return {uint64_t{key} << 32 | static_cast<uint32_t>(place)}; }
Keyed<uint64_t> pack(uint64_t key, int32_t place) { return {key, place}; }
int32_t place_of(Packed item) { return static_cast<int32_t>(item.word & 0xFFFFFFFFU); }
int32_t place_of(const Keyed<uint64_t>& item) { return item.place; }
uint32_t key_of(Packed item) { return static_cast<uint32_t>(item.word >> 32); }
uint64_t key_of(const Keyed<uint64_t>& item) { return item.key; }

template <typename T>
using Item = decltype(pack(to_bits(T()), 0));

template <typename T>
void order_rows(const GoatOrder<T>& a, int64_t begin, int64_t end) {
  std::vector<Item<T>> items;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t first = a.csr.row_ptr[row], degree = a.csr.degree(row);
    if (static_cast<int64_t>(items.size()) < degree) items.resize(static_cast<size_t>(degree));
    for (int64_t head = 0; head < a.heads; ++head) {
      for (int64_t i = 0; i < degree; ++i) {
        const T score = a.score[(first + i) * a.heads + head];
        items[static_cast<size_t>(i)] =
            pack(sort_key(score, a.descending), static_cast<int32_t>(first + i));
      }
      sort_keyed(items.data(), degree);
      int32_t* const out = a.order + head * a.csr.edges + first;
      for (int64_t i = 0; i < degree; ++i) out[i] = place_of(items[static_cast<size_t>(i)]);
    }
  }
}

// The row of every place.
std::vector<int32_t> rows_of(const Csr& csr) {
  std::vector<int32_t> rows(static_cast<size_t>(csr.edges));
  for (int64_t row = 0; row < csr.rows; ++row) {
    std::fill(rows.begin() + csr.row_ptr[row], rows.begin() + csr.row_ptr[row + 1],
              static_cast<int32_t>(row));
  }
  return rows;
}

template <typename T>
void order_head(const GoatOrder<T>& a, const int64_t* source_ptr, const int32_t* places,
                int64_t head) {
  const int64_t sources = a.csr.sources;
  std::vector<Item<T>> ranking(static_cast<size_t>(sources));
  for (int64_t j = 0; j < sources; ++j) {
    const auto key = sort_key(a.score[j * a.heads + head], a.descending);
    ranking[static_cast<size_t>(j)] = pack(key, static_cast<int32_t>(j));
  }
  std::sort(ranking.begin(), ranking.end());
  const std::vector<int32_t> rows = rows_of(a.csr);
  std::vector<int64_t> next(a.csr.row_ptr, a.csr.row_ptr + a.csr.rows);
  int32_t* const out = a.order + head * a.csr.edges;
  const auto append = [&](int32_t place) {
    out[next[static_cast<size_t>(rows[static_cast<size_t>(place)])]++] = place;
  };
  std::vector<int32_t> tied;
  for (int64_t i = 0; i < sources;) {
    int64_t last = i + 1;
    while (last < sources && key_of(ranking[static_cast<size_t>(last)]) ==
                                 key_of(ranking[static_cast<size_t>(i)])) {
      ++last;
    }
    if (last == i + 1) {
      const int64_t j = place_of(ranking[static_cast<size_t>(i)]);
      for (int64_t k = source_ptr[j]; k < source_ptr[j + 1]; ++k) append(places[k]);
    } else {  // equal keys of several sources: by place in the row
      tied.clear();
      for (; i < last; ++i) {
        const int64_t j = place_of(ranking[static_cast<size_t>(i)]);
        tied.insert(tied.end(), places + source_ptr[j], places + source_ptr[j + 1]);
      }
      std::sort(tied.begin(), tied.end());
      for (const int32_t place : tied) append(place);
    }
    i = last;
  }
}

}  // namespace

void goat_order_rows(const GoatOrder<float>& a, int64_t begin, int64_t end) {
  order_rows(a, begin, end);
}

void goat_order_rows(const GoatOrder<double>& a, int64_t begin, int64_t end) {
  order_rows(a, begin, end);
}

void goat_transpose(const Csr& csr, int64_t* source_ptr, int32_t* places) {
  std::fill_n(source_ptr, csr.sources + 1, 0);
  for (int64_t e = 0; e < csr.edges; ++e) ++source_ptr[csr.col[e] + 1];
  for (int64_t j = 0; j < csr.sources; ++j) source_ptr[j + 1] += source_ptr[j];
  std::vector<int64_t> next(source_ptr, source_ptr + csr.sources);
  for (int64_t e = 0; e < csr.edges; ++e) {
    places[next[static_cast<size_t>(csr.col[e])]++] = static_cast<int32_t>(e);
  }
}

void goat_order_head(const GoatOrder<float>& a, const int64_t* source_ptr, const int32_t* places,
                     int64_t head) {
  order_head(a, source_ptr, places, head);
}

void goat_order_head(const GoatOrder<double>& a, const int64_t* source_ptr, const int32_t* places,
                     int64_t head) {
  order_head(a, source_ptr, places, head);
}

}  // namespace lampyris
