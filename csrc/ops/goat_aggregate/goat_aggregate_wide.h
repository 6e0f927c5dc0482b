// What the forward and the backward over rows share: hidden units in vectors of cpu/wide.h, several
// rows at a time (a row is one chain of dependent steps), weights packed once a call. Everything is
// in an anonymous namespace, since files differ in the instruction set.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "cpu/wide.h"
#include "ops/goat_aggregate/goat_aggregate.h"

namespace lampyris {
namespace {

// Rows in flight. Gates of four rows fill half of the 32 registers of AVX-512.
#if defined(LAMPYRIS_WIDE) && LAMPYRIS_WIDE == 512
inline constexpr int kGoatSlots = 4;
#else
inline constexpr int kGoatSlots = 2;
#endif

// The hidden units of a head in blocks of one vector, the last perhaps not full.
template <typename T>
struct GoatBlocks {
  static constexpr int64_t kLanes = Wide<T>::kCount;
  int64_t hidden, count, padded;

  explicit GoatBlocks(int64_t h)
      : hidden(h), count((h + kLanes - 1) / kLanes), padded(count * kLanes) {}

  int64_t size(int64_t block) const {
    return std::min<int64_t>(kLanes, hidden - block * kLanes);
  }
};

// The first `count` lanes, the others 0; and their way back.
template <typename T>
LAMPYRIS_INLINE Wide<T> load_lanes(const T* from, int64_t count) {
  if (count == Wide<T>::kCount) return Wide<T>::load(from);
  T lanes[Wide<T>::kCount] = {};
  std::memcpy(lanes, from, static_cast<size_t>(count) * sizeof(T));
  return Wide<T>::load(lanes);
}

template <typename T>
LAMPYRIS_INLINE void store_lanes(Wide<T> value, T* to, int64_t count) {
  if (count == Wide<T>::kCount) return value.store(to);
  T lanes[Wide<T>::kCount];
  value.store(lanes);
  std::memcpy(to, lanes, static_cast<size_t>(count) * sizeof(T));
}

template <typename T>
LAMPYRIS_INLINE GoatNeuron<Wide<T>> wide_neuron(const GoatInput<T>& a) {
  return {Wide<T>(a.decay), Wide<T>(a.threshold), a.early_exit};
}

// W_hh [G H, H] of a head as [block][k][gate][lane], for W_hh h.
template <class Cell, typename T>
std::vector<T> pack_columns(const GoatInput<T>& a, const GoatBlocks<T>& blocks, int64_t head) {
  constexpr int64_t kLanes = GoatBlocks<T>::kLanes, kGates = Cell::kGates;
  if (!Cell::kRecurrent) return {};
  std::vector<T> out(static_cast<size_t>(blocks.count * a.hidden * kGates * kLanes));
  const T* const weight = a.weight + head * kGates * a.hidden * a.hidden;
  for (int64_t b = 0; b < blocks.count; ++b) {
    for (int64_t k = 0; k < a.hidden; ++k) {
      for (int64_t g = 0; g < kGates; ++g) {
        T* const to = out.data() + ((b * a.hidden + k) * kGates + g) * kLanes;
        for (int64_t i = 0; i < blocks.size(b); ++i) {
          to[i] = weight[(g * a.hidden + b * kLanes + i) * a.hidden + k];
        }
      }
    }
  }
  return out;
}

// rec[r][g] = block b of W_hh h of row r and gate g; 0 for cells without.
template <class Cell, int kRows, typename T>
LAMPYRIS_INLINE void recurrent_block(const T* columns, int64_t hidden, int64_t b,
                                     const T* const* h, Wide<T> (*rec)[Cell::kGates]) {
  constexpr int64_t kLanes = GoatBlocks<T>::kLanes;
  constexpr int kGates = Cell::kGates;
  if constexpr (Cell::kRecurrent) {
    Wide<T> sums[kRows][kGates];
    const T* weight = columns + b * hidden * kGates * kLanes;
    for (int64_t k = 0; k < hidden; ++k, weight += kGates * kLanes) {
      Wide<T> w[kGates];
#pragma GCC unroll 4
      for (int g = 0; g < kGates; ++g) w[g] = Wide<T>::load(weight + g * kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const Wide<T> value(h[r][k]);
#pragma GCC unroll 4
        for (int g = 0; g < kGates; ++g) sums[r][g] = sums[r][g] + w[g] * value;
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int g = 0; g < kGates; ++g) rec[r][g] = sums[r][g];
    }
  } else {
    for (int r = 0; r < kRows; ++r) {
      for (int g = 0; g < kGates; ++g) rec[r][g] = Wide<T>();
    }
  }
}

// What the neighbour at `p` sends to block b: factor p + bias.
template <class Cell, typename T>
LAMPYRIS_INLINE void input_block(const GoatInput<T>& a, const T* p, T factor, const T* bias,
                                 int64_t b, int64_t count, Wide<T>* in) {
  constexpr int64_t kLanes = GoatBlocks<T>::kLanes;
#pragma GCC unroll 4
  for (int g = 0; g < Cell::kGates; ++g) {
    in[g] = load_lanes(p + g * a.hidden + b * kLanes, count);
    if (a.factor != nullptr) in[g] = in[g] * Wide<T>(factor);
    if (bias != nullptr) in[g] = in[g] + load_lanes(bias + g * a.hidden + b * kLanes, count);
  }
}

// Fetches what a step reads of p well before it does.
template <typename T>
LAMPYRIS_INLINE void prefetch_row(const T* row, int64_t count) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < count; i += kLine) __builtin_prefetch(row + i);
}

template <typename T>
LAMPYRIS_INLINE const T* projected(const GoatInput<T>& a, int64_t width, int64_t head,
                                   int64_t place) {
  return a.p + (a.csr.col[place] * a.heads + head) * width;
}

// Rows in flight: each slot works on one; a slot that has finished takes the next row, and when there
// is none the last slot takes its place. reader.next(slot) gives a slot its next row or says that
// there is none; reader.step<n>(slots) takes one step of n rows.
template <class Reader>
void run_slots(Reader& reader) {
  auto* const slots = reader.slots;
  int active = 0;
  while (active < kGoatSlots && reader.next(slots[active])) ++active;
  while (active > 0) {
    if (active == kGoatSlots) {
      reader.template step<kGoatSlots>(slots);
    } else {
      for (int i = 0; i < active; ++i) reader.template step<1>(slots + i);
    }
    for (int i = active - 1; i >= 0; --i) {
      if (slots[i].left != 0 || reader.next(slots[i])) continue;
      --active;
      if (i != active) std::swap(slots[i], slots[active]);
    }
  }
}

}  // namespace
}  // namespace lampyris
