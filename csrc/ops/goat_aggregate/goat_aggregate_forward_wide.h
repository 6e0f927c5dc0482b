// The cells over the neighbours of rows, for one instruction set.
#pragma once

#include "ops/goat_aggregate/goat_aggregate_wide.h"

namespace lampyris {
namespace {

template <class Cell, typename T>
struct GoatForwardHead {
  static constexpr int64_t kLanes = GoatBlocks<T>::kLanes;
  static constexpr int kGates = Cell::kGates, kSaved = Cell::kSaved;

  // A row being read. state: [h, c or v][padded]; fresh: h while others still read the old one.
  struct Slot {
    int64_t row = 0, place = 0, left = 0;  // place in order, steps to go
    T* state = nullptr;
    T* fresh = nullptr;
  };

  const GoatForward<T>& a;
  GoatBlocks<T> blocks;
  int64_t head, end, row;  // row: the next that no slot has
  const int32_t* order;
  const T* bias;
  std::vector<T> columns, memory;
  Slot slots[kGoatSlots];

  GoatForwardHead(const GoatForward<T>& forward, int64_t h, int64_t begin, int64_t last)
      : a(forward), blocks(a.hidden), head(h), end(last), row(begin),
        order(a.order + head * a.csr.edges),
        bias(a.bias == nullptr ? nullptr : a.bias + head * a.width(kGates)),
        columns(pack_columns<Cell>(a, blocks, head)),
        memory(static_cast<size_t>(kGoatSlots * (kGoatStates + 1) * blocks.padded)) {
    T* free = memory.data();
    for (Slot& slot : slots) {
      slot.state = free;
      slot.fresh = free + kGoatStates * blocks.padded;
      free += (kGoatStates + 1) * blocks.padded;
    }
  }

  bool next(Slot& slot) {
    for (; row < end; ++row) {
      const int64_t degree = a.csr.degree(row);
      a.steps[row * a.heads + head] = static_cast<int32_t>(degree);
      if (degree == 0) {
        T* const out = a.out + (row * a.heads + head) * a.hidden;
        std::fill_n(out, a.hidden, T(0));
        continue;
      }
      slot.row = row++;
      slot.place = a.csr.row_ptr[slot.row];
      slot.left = degree;
      std::fill_n(slot.state, kGoatStates * blocks.padded, T(0));
      return true;
    }
    return false;
  }

  template <int kRows>
  LAMPYRIS_WIDE_TARGET void step(Slot* working) const {
    const int64_t width = a.width(kGates);
    const GoatNeuron<Wide<T>> neuron = wide_neuron(a);
    const T* h[kRows];
    const T* p[kRows];
    T factor[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const Slot& slot = working[r];
      const int32_t place = order[slot.place];
      h[r] = slot.state;
      p[r] = projected(a, width, head, place);
      factor[r] = a.factor == nullptr ? T(1) : a.factor[place * a.heads + head];
      if (slot.left > 1) prefetch_row(projected(a, width, head, order[slot.place + 1]), width);
    }
    for (int64_t b = 0; b < blocks.count; ++b) {
      const int64_t count = blocks.size(b);
      Wide<T> rec[kRows][kGates];
      recurrent_block<Cell, kRows>(columns.data(), a.hidden, b, h, rec);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const Slot& slot = working[r];
        Wide<T> in[kGates], state[kGoatStates], saved[kSaved];
        input_block<Cell>(a, p[r], factor[r], bias, b, count, in);
        for (int s = 0; s < kGoatStates; ++s) {
          state[s] = Wide<T>::load(slot.state + s * blocks.padded + b * kLanes);
        }
        Cell::step(in, rec[r], neuron, state, saved);
        state[0].store(slot.fresh + b * kLanes);
        state[1].store(slot.state + blocks.padded + b * kLanes);
        if (a.states == nullptr) continue;
        T* const to = a.states + (head * a.csr.edges + slot.place) * kSaved * a.hidden + b * kLanes;
        for (int s = 0; s < kSaved; ++s) store_lanes(saved[s], to + s * a.hidden, count);
      }
    }
    for (int r = 0; r < kRows; ++r) finish(working[r]);
  }

  void finish(Slot& slot) const {
    std::copy_n(slot.fresh, blocks.padded, slot.state);
    ++slot.place;
    --slot.left;
    if (Cell::kCell == GoatCell::kLif && a.early_exit && slot.left != 0 && all_fired(slot)) {
      a.steps[slot.row * a.heads + head] =
          static_cast<int32_t>(slot.place - a.csr.row_ptr[slot.row]);
      slot.left = 0;
    }
    if (slot.left != 0) return;
    std::copy_n(slot.state, a.hidden, a.out + (slot.row * a.heads + head) * a.hidden);
  }

  bool all_fired(const Slot& slot) const {
    for (int64_t j = 0; j < a.hidden; ++j) {
      if (!(slot.state[j] > T(0))) return false;
    }
    return true;
  }
};

template <typename T>
void goat_forward_any(const GoatForward<T>& a, int64_t head, int64_t begin, int64_t end) {
  with_goat_cell(a.cell, [&](auto cell) {
    GoatForwardHead<decltype(cell), T> reader(a, head, begin, end);
    run_slots(reader);
  });
}

}  // namespace
}  // namespace lampyris
